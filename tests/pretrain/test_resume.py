"""A run that was stopped, however roughly, ends as one that never was."""

from __future__ import annotations

import os
import random
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import plants
import pytest
from commands import Command
from laboratory import Laboratory

from bbert.pretrain.checkpoint import list_checkpoints
from bbert.pretrain.metrics_log import read_metrics


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


def test_a_checkpoint_that_was_read_is_let_go(laboratory: Laboratory, tmp_path: Path):
    """It is as large as weights and moments, and its file would stay on the disk."""
    command = laboratory.start("let-go")
    command.wait_until(lambda: bool(laboratory.checkpoints("let-go")))
    command.send(signal.SIGKILL)
    command.wait()
    step = int(laboratory.checkpoints("let-go")[-1].name.removeprefix("step-"))
    shown = tmp_path / "shown"
    command = laboratory.start("let-go", prepare=partial(plants.show_what_is_alive, shown))
    assert command.wait() == 3, command.output
    assert shown.read_text() == f"step {step}: 0 checkpoints, 0 files"


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


def assert_close(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Losses differ by the rounding of fp32 only, the gradient's norm by a little more."""
    assert [row["step"] for row in rows] == [row["step"] for row in expected]
    for row, other in zip(rows, expected, strict=True):
        assert row.keys() == other.keys()
        for key, value in row.items():
            rel = 1e-4 if key == "grad_norm" else 1e-6
            assert value == pytest.approx(other[key], rel=rel), (row["step"], key)
