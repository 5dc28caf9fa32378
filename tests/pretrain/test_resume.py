"""A run that was stopped, however roughly, ends as one that never was."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import plants
import pytest
from commands import Command
from test_event_file import raw_steps
from tiny_corpus import build_tiny_corpus

from bbert.pretrain.checkpoint import list_checkpoints
from bbert.pretrain.metrics_log import read_metrics

OPTIONS = (
    "--depth", "2", "--heads", "2", "--hidden", "16", "--seq-len", "24", "--batch-size", "6",
    "--dropout", "0.1", "--steps", "200", "--log-every", "10", "--eval-every", "80",
    "--save-every", "7", "--learning-rate", "0.01", "--device", "cpu",
)  # fmt: skip
NOT_OF_THE_RESULT = {"tokens_per_second", "peak_share", "probe_seconds"}


class Laboratory:
    """A work folder with a tiny corpus, and commands that run in it."""

    def __init__(self, folder: Path, logs: Path | None = None) -> None:
        self.folder = logs or folder
        self.work = folder / "work"
        build_tiny_corpus(self.work, documents=30)
        self._logs = 0

    def start(self, name: str, *more: str, prepare: Callable[[], object] | None = None) -> Command:
        self._logs += 1
        log = self.folder / f"{name}-{self._logs}.log"
        arguments = ("pretrain", "--work", str(self.work), "--name", name, *OPTIONS, *more)
        return Command(log, *arguments, prepare=prepare)

    def finish(self, name: str, *more: str) -> str:
        command = self.start(name, *more)
        assert command.wait() == 0, command.output
        return command.output

    def partial(self, name: str) -> Path:
        return self.work / "models" / f"{name}.partial"

    def checkpoints(self, name: str) -> list[Path]:
        return list_checkpoints(self.partial(name) / "checkpoints")

    def losses(self, name: str) -> list[dict[str, Any]]:
        rows = read_metrics(self.work / "models" / name / "metrics.jsonl")
        return [{k: v for k, v in row.items() if k not in NOT_OF_THE_RESULT} for row in rows]

    def weights(self, name: str) -> bytes:
        return (self.work / "models" / name / "model" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    laboratory = Laboratory(tmp_path_factory.mktemp("resume"))
    laboratory.finish("whole")
    return laboratory


def test_killed_three_times_ends_the_same_to_the_last_bit(laboratory: Laboratory):
    moments = random.Random(5)
    for _ in range(3):
        command = laboratory.start("killed")
        before = len(laboratory.checkpoints("killed")) and laboratory.checkpoints("killed")[-1]
        command.wait_until(
            lambda before=before: laboratory.checkpoints("killed")[-1:] not in ([], [before])
        )
        command.process.join(moments.uniform(0, 0.05))
        command.send(signal.SIGKILL)
        assert command.wait() == -signal.SIGKILL, "it was faster than the test"
        assert not (laboratory.work / "models" / "killed").exists()
    output = laboratory.finish("killed")
    assert "going on from step" in output
    assert laboratory.losses("killed") == laboratory.losses("whole")
    assert laboratory.weights("killed") == laboratory.weights("whole")


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


def test_a_damaged_checkpoint_is_passed_over(laboratory: Laboratory):
    command = laboratory.start("damaged", "--keep-last", "3")
    command.wait_until(lambda: len(laboratory.checkpoints("damaged")) == 3)
    command.send(signal.SIGKILL)
    command.wait()
    *_, third, second, newest = laboratory.checkpoints("damaged")
    state = newest / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    content = bytearray((second / "state.safetensors").read_bytes())
    content[-50] ^= 1
    (second / "state.safetensors").write_bytes(content)
    output = laboratory.finish("damaged")
    assert f"{newest} is damaged" in output
    assert f"{second} is damaged" in output
    assert f"going on from step {int(third.name.removeprefix('step-'))}" in output
    assert laboratory.losses("damaged") == laboratory.losses("whole")


def test_all_damaged_is_an_error_and_no_new_start(laboratory: Laboratory):
    command = laboratory.start("ruined")
    command.wait_until(lambda: len(laboratory.checkpoints("ruined")) == 2)
    command.send(signal.SIGKILL)
    command.wait()
    for path in laboratory.checkpoints("ruined"):
        (path / "checksums.json").unlink()
    before = sorted(laboratory.partial("ruined").rglob("*"))
    command = laboratory.start("ruined")
    assert command.wait() == 2
    assert "checkpoints are damaged" in command.output.splitlines()[-2]
    assert sorted(laboratory.partial("ruined").rglob("*")) == before
    folder = laboratory.partial("ruined") / "checkpoints"
    assert "remove that folder to start again at step 0" in command.output.splitlines()[-1]
    assert f"in {folder} are" in command.output.splitlines()[-2]
    shutil.rmtree(folder)
    assert "going on from step" not in laboratory.finish("ruined")
    assert laboratory.losses("ruined") == laboratory.losses("whole")
    assert laboratory.weights("ruined") == laboratory.weights("whole")


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


def test_a_nan_stops_the_run_and_shows_its_batch(laboratory: Laboratory):
    command = laboratory.start("nan", prepare=partial(plants.nan_weight, 33))
    assert command.wait() == 1
    first, second = command.output.splitlines()[-2:]
    folder = laboratory.partial("nan") / "nan" / "step-33"
    assert first == (f"bbert pretrain: the loss is not finite at step 33; its batch is in {folder}")
    assert str(laboratory.partial("nan") / "checkpoints" / "step-00000028") in second
    assert len((folder / "batch.txt").read_text().splitlines()) == 6
    assert np.load(folder / "batch.npz")["input_ids_BT"].shape == (6, 24)
    output = laboratory.finish("nan")
    assert "going on from step 28" in output
    assert laboratory.losses("nan") == laboratory.losses("whole")


def test_every_layout_goes_on_with_the_same_losses(laboratory: Laboratory):
    # Rounding differs with the layout, and grows with the steps: a lower rate keeps it small.
    options = ("--steps", "100", "--learning-rate", "0.001")
    laboratory.finish("unmoved", *options)
    layouts: list[tuple[str, ...]] = [
        (),
        ("--processes", "2", "--zero-stage", "2", "--micro-batch-size", "2"),
        ("--zero-stage", "1", "--micro-batch-size", "1"),
        ("--micro-batch-size", "4"),
    ]
    for layout in layouts[:-1]:
        command = laboratory.start("moved", *options, *layout)
        before = laboratory.checkpoints("moved")
        command.wait_until(lambda before=before: laboratory.checkpoints("moved")[-2:] > before)
        workers = Path(f"/proc/{command.process.pid}/task/{command.process.pid}/children")
        *_, last = ["", *workers.read_text().split()]
        if last:  # one of two gets the signal: both stop at the same step
            os.kill(int(last), signal.SIGTERM)
        else:
            command.send(signal.SIGTERM)
        assert command.wait() == 143, command.output
        saved = laboratory.checkpoints("moved")[-1]
        assert f"after step {int(saved.name.removeprefix('step-'))};" in command.output
    output = laboratory.finish("moved", *options, *layouts[-1])
    assert "going on from step" in output
    assert_close(laboratory.losses("moved"), laboratory.losses("unmoved"))


def test_the_best_checkpoint_is_kept_and_exported(laboratory: Laboratory):
    options = ("--keep-best", "--keep-last", "1", "--eval-every", "50")
    command = laboratory.start("best", *options)
    command.wait_until(lambda: (laboratory.partial("best") / "checkpoints" / "best").exists())
    command.send(signal.SIGKILL)
    command.wait()
    laboratory.finish("best", *options)
    run = laboratory.work / "models" / "best"
    rows = [row for row in read_metrics(run / "metrics.jsonl") if "validation_loss" in row]
    expected = min(rows, key=lambda row: (row["validation_loss"], -row["step"]))["step"]
    assert (run / "checkpoints" / "best").read_text() == f"step-{expected:08d}"
    names = {path.name for path in list_checkpoints(run / "checkpoints")}
    assert names == {f"step-{expected:08d}", "step-00000200"}
    assert (run / "model-best" / "model.safetensors").is_file()
    same = (run / "model-best" / "model.safetensors").read_bytes() == laboratory.weights("best")
    assert same == (expected == 200)


def test_a_permuted_corpus_with_language_ids_goes_on_exactly(tmp_path: Path):
    laboratory = Laboratory(tmp_path)
    draw = random.Random(3)
    words = [f"{a}{b}" for a in ("ba", "do", "ki", "mu", "ne", "po") for b in ("la", "ri", "to")]
    text = tmp_path / "en.txt"
    text.write_text("\n\n".join(" ".join(draw.choices(words, k=9)) for _ in range(400)), "utf-8")
    build = Command(
        tmp_path / "build.log", "corpus", "build", "--work", str(laboratory.work), "--name",
        "permuted", "--languages", "enfake", "en", "--text", f"en={text}", "--presplit",
        "--permute", "enfake=0.5", "--vocab-size", "100",
    )  # fmt: skip
    assert build.wait() == 0, build.output
    options = ("--corpus", "permuted", "--lang-id", "--no-nsp", "--steps", "120")
    laboratory.finish("ids", *options)
    command = laboratory.start("ids-killed", *options)
    command.wait_until(lambda: len(laboratory.checkpoints("ids-killed")) == 2)
    command.send(signal.SIGKILL)
    command.wait()
    assert "going on from step" in laboratory.finish("ids-killed", *options)
    assert laboratory.losses("ids-killed") == laboratory.losses("ids")
    assert laboratory.weights("ids-killed") == laboratory.weights("ids")


@pytest.mark.slow
def test_compiled_it_ends_the_same_to_the_last_bit(laboratory: Laboratory):
    laboratory.finish("compiled", "--compile", "on")
    command = laboratory.start("compiled-killed", "--compile", "on")
    command.wait_until(lambda: len(laboratory.checkpoints("compiled-killed")) == 2, seconds=300)
    command.send(signal.SIGKILL)
    command.wait()
    assert "going on from step" in laboratory.finish("compiled-killed", "--compile", "on")
    assert laboratory.losses("compiled-killed") == laboratory.losses("compiled")
    assert laboratory.weights("compiled-killed") == laboratory.weights("compiled")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes; skips where it cannot be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path, spare: int) -> Path:
    """Let a file take all of a disk but `spare` bytes."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("ab") as stream:
        while (free := shutil.disk_usage(disk).free) > spare:
            stream.write(bytes(max(1, min(free - spare, 4096))))
            stream.flush()
    return filler


ROOM_FOR_ONE_CHECKPOINT = 450_000


def test_a_run_survives_a_full_disk(laboratory: Laboratory, small_disk: Path, tmp_path: Path):
    crowded = Laboratory(small_disk, logs=tmp_path)
    filler = fill(small_disk, ROOM_FOR_ONE_CHECKPOINT)
    command = crowded.start("full")
    command.wait_until(lambda: "no checkpoint could be written" in command.output)
    assert len(crowded.checkpoints("full")) == 1
    assert not list((crowded.partial("full") / "checkpoints").glob("*.partial"))
    filler.unlink()
    assert command.wait() == 0, command.output
    (line, *_) = (line for line in command.output.splitlines() if "no checkpoint" in line)
    assert "No space left on device" in line
    assert "step-00000007" in line
    assert crowded.losses("full") == laboratory.losses("whole")
    assert crowded.weights("full") == laboratory.weights("whole")


def test_a_disk_full_to_the_end_fails_and_the_same_command_goes_on(
    laboratory: Laboratory, small_disk: Path, tmp_path: Path
):
    crowded = Laboratory(small_disk, logs=tmp_path)
    filler = fill(small_disk, ROOM_FOR_ONE_CHECKPOINT)
    command = crowded.start("full")
    command.wait_until(lambda: "no checkpoint could be written" in command.output)
    fill(small_disk, 0)
    assert command.wait() == 1, command.output
    (error,) = [line for line in command.output.splitlines() if line.startswith("bbert pretrain:")]
    assert "No space left on device" in error
    assert "free some space" in error
    assert "Traceback" not in command.output
    assert "TensorBoard's curves end" in command.output
    assert not (crowded.work / "models" / "full").exists()
    filler.unlink()
    assert "going on from step 7 " in crowded.finish("full")
    assert crowded.losses("full") == laboratory.losses("whole")


def assert_close(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Losses differ by the rounding of fp32 only, the gradient's norm by a little more."""
    assert [row["step"] for row in rows] == [row["step"] for row in expected]
    for row, other in zip(rows, expected, strict=True):
        assert row.keys() == other.keys()
        for key, value in row.items():
            rel = 1e-4 if key == "grad_norm" else 1e-6
            assert value == pytest.approx(other[key], rel=rel), (row["step"], key)
