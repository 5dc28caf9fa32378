"""A run that was stopped, however roughly, ends as one that never was."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from tiny_corpus import build_tiny_corpus

from bbert.pretrain.checkpoint import list_checkpoints
from bbert.pretrain.metrics_log import read_metrics

OPTIONS = (
    "--depth", "2", "--heads", "2", "--hidden", "16", "--seq-len", "24", "--batch-size", "6",
    "--dropout", "0.1", "--steps", "200", "--log-every", "10", "--eval-every", "80",
    "--save-every", "7", "--learning-rate", "0.01", "--device", "cpu",
)  # fmt: skip
NOT_OF_THE_RESULT = {"tokens_per_second"}


class Laboratory:
    """A work folder with a tiny corpus, and commands that run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        build_tiny_corpus(self.work, documents=30)
        self._logs = 0

    def start(self, name: str, *more: str) -> Command:
        self._logs += 1
        log = self.folder / f"{name}-{self._logs}.log"
        arguments = ("pretrain", "--work", str(self.work), "--name", name, *OPTIONS, *more)
        return Command(log, *arguments)

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
    command = laboratory.start("damaged", "--keep-checkpoints", "3")
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


def test_another_number_of_processes_goes_on_with_the_same_losses(laboratory: Laboratory):
    command = laboratory.start("grown")
    command.wait_until(lambda: len(laboratory.checkpoints("grown")) == 2)
    command.send(signal.SIGTERM)
    assert command.wait() == 143
    options = ("--processes", "2", "--zero-stage", "1", "--micro-batch-size", "2")
    output = laboratory.finish("grown", *options)
    assert "going on from step" in output
    assert "2 processes, ZeRO stage 1" in output
    assert_close(laboratory.losses("grown"), laboratory.losses("whole"))


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


def test_a_full_disk_is_reported_and_the_run_can_go_on(laboratory: Laboratory, small_disk: Path):
    crowded = Laboratory(small_disk)
    filler = small_disk / "filler"
    room_for_one_checkpoint = 450_000
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - room_for_one_checkpoint))
    command = crowded.start("full")
    assert command.wait() == 1
    (saved,) = crowded.checkpoints("full")
    (error,) = [line for line in command.output.splitlines() if line.startswith("bbert pretrain:")]
    assert "the checkpoint was not written: No space left on device" in error
    assert "free some space" in error
    assert "Traceback" not in command.output
    filler.unlink()
    output = crowded.finish("full")
    assert f"going on from step {int(saved.name.removeprefix('step-'))}" in output
    assert crowded.losses("full") == laboratory.losses("whole")


def assert_close(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert [row["step"] for row in rows] == [row["step"] for row in expected]
    for row, other in zip(rows, expected, strict=True):
        assert row == pytest.approx(other, rel=1e-3)
