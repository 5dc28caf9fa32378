"""A full disk costs checkpoints, never the run: the same command goes on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from laboratory import Laboratory


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
