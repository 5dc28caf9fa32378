"""A signal stops a run within seconds, whatever it is at, and the same command goes on."""

from __future__ import annotations

import signal
import time
from functools import partial
from pathlib import Path

import plants
import pytest
from laboratory import Laboratory
from test_event_file import raw_steps

from bbert.pretrain.metrics_log import read_metrics


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_step_at_hand(laboratory: Laboratory, number: int, code: int):
    name = f"signal-{int(number)}"
    command = laboratory.start(name, "--save-every", "1000")
    rows = laboratory.partial(name) / "metrics.jsonl"
    command.wait_until(lambda: rows.exists() and rows.stat().st_size > 0)
    command.send(number)
    assert command.wait() == code, command.output
    assert "the same command goes on" in command.output
    (saved,) = laboratory.checkpoints(name)
    assert f"after step {int(saved.name.removeprefix('step-'))}" in command.output
    laboratory.finish(name, "--save-every", "1000")
    assert laboratory.losses(name) == laboratory.losses("whole")


def test_a_signal_ends_a_validation_and_its_row_is_written_later(
    laboratory: Laboratory, tmp_path: Path
):
    name, number = "validation", signal.SIGUSR1
    marker = tmp_path / "validating"
    prepare = partial(plants.slow_validation, marker)
    options = ("--save-every", "1000", "--micro-batch-size", "1", "--steps", "100")
    command = laboratory.start(name, *options, prepare=prepare)
    command.wait_until(marker.exists)
    began = time.monotonic()
    command.send(number)
    assert command.wait() == 128 + number, command.output
    assert time.monotonic() - began < 5
    assert [path.name for path in laboratory.checkpoints(name)] == ["step-00000080"]
    rows = read_metrics(laboratory.partial(name) / "metrics.jsonl")
    assert rows[-1]["step"] == 70
    log = laboratory.partial(name) / "metrics.jsonl"
    command = laboratory.start(name, *options)  # writes the row, and dies before its checkpoint
    command.wait_until(lambda: read_metrics(log)[-1]["step"] >= 80)
    command.send(signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL, "it was faster than the test"
    assert [path.name for path in laboratory.checkpoints(name)] == ["step-00000080"]
    laboratory.finish(name, *options)
    laboratory.finish("ones", *options)
    assert laboratory.losses(name) == laboratory.losses("ones")
    board = laboratory.work / "models" / name / "tensorboard"
    assert raw_steps(board) == [row["step"] for row in laboratory.losses(name)]
    assert laboratory.weights(name) == laboratory.weights("ones")


def test_a_signal_ends_a_step_of_many_micro_batches(laboratory: Laboratory, tmp_path: Path):
    slow, marker = tmp_path / "slow", tmp_path / "in-a-step"
    prepare = partial(plants.slow_micro_batches, marker, after=slow)
    options = ("--save-every", "1000", "--micro-batch-size", "1", "--steps", "60")
    command = laboratory.start("long-step", *options, prepare=prepare)
    rows = laboratory.partial("long-step") / "metrics.jsonl"
    command.wait_until(lambda: rows.exists() and rows.stat().st_size > 0)
    slow.touch()
    command.wait_until(marker.exists)
    began = time.monotonic()
    command.send(signal.SIGTERM)
    assert command.wait() == 143, command.output
    assert time.monotonic() - began < 5, "it waited for the end of a step of six seconds"
    laboratory.finish("long-step", *options)
    laboratory.finish("short-step", *options)
    assert laboratory.losses("long-step") == laboratory.losses("short-step")
    assert laboratory.weights("long-step") == laboratory.weights("short-step")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_the_first_step_leaves_nothing_to_go_on_from(
    laboratory: Laboratory, tmp_path: Path, number: int, code: int
):
    name, marker = f"first-step-{int(number)}", tmp_path / "in-a-step"
    prepare = partial(plants.slow_micro_batches, marker, after=laboratory.work)
    options = ("--micro-batch-size", "2", "--steps", "10", "--no-probe")
    command = laboratory.start(name, *options, prepare=prepare)
    command.wait_until(marker.exists)
    command.send(number)
    assert command.wait() == code, command.output
    assert "after step 0; the same command goes on from the beginning" in command.output
    assert not laboratory.checkpoints(name)
    laboratory.finish(name, *options)
    assert len(laboratory.losses(name)) == 1


def test_a_signal_ends_the_export(laboratory: Laboratory, tmp_path: Path):
    name, marker = "export", tmp_path / "exporting"
    command = laboratory.start(name, prepare=partial(plants.slow_export, marker))
    command.wait_until(marker.exists)
    began = time.monotonic()
    command.send(signal.SIGTERM)
    assert command.wait() == 143, command.output
    assert time.monotonic() - began < 5
    assert "the same command goes on" in command.output
    assert not (laboratory.work / "models" / name).exists()
    assert "going on from step 200" in laboratory.finish(name)
    assert laboratory.losses(name) == laboratory.losses("whole")
    assert laboratory.weights(name) == laboratory.weights("whole")
