"""A process notices that its launcher is gone, also where `deepspeed` puts another between."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

WORKER = """
import sys, time
from bbert.pretrain.launcher_watch import LauncherWatch
watch = LauncherWatch(in_group=sys.argv[1] == "group")
print("gone" if watch.gone() else "there", flush=True)
for _ in range(200):
    time.sleep(0.05)
    if watch.gone():
        print("gone", flush=True)
        break
else:
    print("there", flush=True)
"""
BETWEEN = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[2:]])"
LAUNCHER = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1], "deepspeed.launcher.launch", *sys.argv[2:]])
"""


def start(folder: Path, name: str, group: str) -> subprocess.Popen[str]:
    """A launcher of that name, its process in between, and a worker."""
    (folder / "worker.py").write_text(WORKER)
    (folder / name).write_text(LAUNCHER)
    command = [sys.executable, str(folder / name), BETWEEN, str(folder / "worker.py"), group]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2]
    )


@pytest.mark.parametrize("group", ["group", "alone"])
def test_the_end_of_deepspeed_is_seen(group: str, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    launcher = start(tmp_path, "deepspeed", group)
    assert launcher.stdout is not None
    assert launcher.stdout.readline() == "there\n"
    launcher.kill()
    began = time.monotonic()
    assert launcher.communicate(timeout=30)[0] == "gone\n"
    assert time.monotonic() - began < 5


def test_a_shell_may_end_before_its_command(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    (tmp_path / "worker.py").write_text(WORKER.replace("range(200)", "range(10)"))
    launcher = subprocess.Popen(
        [sys.executable, "-c", BETWEEN, "sh", str(tmp_path / "worker.py"), "alone"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert launcher.stdout is not None
    assert launcher.stdout.readline() == "there\n"
    launcher.kill()
    assert launcher.communicate(timeout=30)[0] == "there\n"
