"""`bbert …` in a process of its own, forked in a moment from a server that has imported torch.

Starting Python with torch and DeepSpeed takes seconds; tests that kill and restart real processes
would spend all their time on it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("DS_ACCELERATOR", "cpu")  # the server imports DeepSpeed: give --device cpu
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["torch._dynamo", "deepspeed", "torch.utils.tensorboard", "bbert.pretrain.assemble", "tyro"]
)


class Command:
    """A running `bbert` command."""

    def __init__(
        self, log: Path, *arguments: str, prepare: Callable[[], object] | None = None
    ) -> None:
        """Start it; its output goes to `log`.

        Args:
            prepare: called in the process before the command; a function of a module.
        """
        self._log = log
        self.process = _context.Process(target=_main, args=(str(log), list(arguments), prepare))
        self.process.start()

    def wait(self, seconds: float = 120) -> int:
        """Its exit code; minus a signal's number where one killed it."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"still running: {self.output}"
        return self.process.exitcode

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def wait_until(self, happened: Callable[[], bool], seconds: float = 60) -> None:
        """Watch for something that it does."""
        end = time.monotonic() + seconds
        while not happened():
            assert self.process.is_alive(), f"ended too early: {self.output}"
            assert time.monotonic() < end, f"did not happen: {self.output}"
            time.sleep(0.002)

    @property
    def output(self) -> str:
        """What it has written to standard output and standard error."""
        return self._log.read_text() if self._log.exists() else ""


def _main(log: str, arguments: list[str], prepare: Callable[[], object] | None) -> None:
    from bbert.cli import main

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    sys.stdout.flush()
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    if prepare is not None:
        prepare()
    sys.exit(main(arguments))
