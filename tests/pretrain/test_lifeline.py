"""Processes learn who of them has died, and do not wait for the dead."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

# Three processes of a group, without torch: the broadcast goes through a file.
PROCESS = """
import json, os, sys, time
from pathlib import Path
from bbert.pretrain import lifeline
from bbert.pretrain.process_group import ProcessGroup
from bbert.progress import set_up_logging

set_up_logging()
lifeline.SECONDS_TO_END = 1.0
folder, rank, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])


class Group(ProcessGroup):
    def broadcast(self, value=None):
        file = folder / "said"
        if self.leads:
            (folder / "saying").write_text(json.dumps(value))
            (folder / "saying").rename(file)
            time.sleep(float(os.environ.get("LEADER_IS_LATE", "0")))
        while not file.exists():
            time.sleep(0.01)
        return json.loads(file.read_text())


line = lifeline.Lifeline(Group(rank, size, rank), "127.0.0.1")
(folder / f"ready-{rank}").touch()
"""
WAIT = "time.sleep(60)\n"  # as in a collective operation that nothing wakes


def start(folder: Path, *bodies: str) -> list[subprocess.Popen[str]]:
    processes = []
    for rank, body in enumerate(bodies):
        script = PROCESS + textwrap.dedent(body)
        command = [sys.executable, "-c", script, str(folder), str(rank), str(len(bodies))]
        processes.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    deadline = time.monotonic() + 30
    while len(list(folder.glob("ready-*"))) < len(bodies):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return processes


def ends(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors


@pytest.mark.parametrize("dead", [0, 2])
def test_who_waits_for_a_dead_one_is_ended_and_says_whom_it_has_lost(dead: int, tmp_path: Path):
    processes = start(tmp_path, WAIT, WAIT, WAIT)
    os.kill(processes[dead].pid, 9)
    began = time.monotonic()
    for rank, process in enumerate(processes):
        code, errors = ends(process)
        if rank != dead:
            assert code == 1, errors
            assert f"process {dead} on " in errors
            assert "has died; the same command goes on" in errors
    assert time.monotonic() - began < 10


def test_a_failure_is_passed_on(tmp_path: Path):
    body = "time.sleep(1)\nline.end('out of memory')\n"
    told = "print(line.lost(10), file=sys.stderr)\nline.end()\n"
    processes = start(tmp_path, told, body, told)
    for process in processes[::2]:
        code, errors = ends(process)
        assert code == 0
        assert "process 1 on " in errors
        assert "failed: out of memory" in errors
    assert ends(processes[1])[0] == 0


@pytest.mark.parametrize("seconds_late", ["0", "1"])
def test_an_end_in_good_order_alarms_nobody(seconds_late: str, tmp_path: Path, monkeypatch):
    """Nor does one that comes before the leading process has listened at all."""
    monkeypatch.setenv("LEADER_IS_LATE", seconds_late)
    early = "line.end()\n"
    late = "print(line.lost(2), file=sys.stderr)\nline.end()\n"
    processes = start(tmp_path, late, early, late)
    assert [ends(process) for process in processes] == [(0, "None\n"), (0, ""), (0, "None\n")]
