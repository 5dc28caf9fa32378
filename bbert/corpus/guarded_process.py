"""A program run line by line that cannot outlive us and cannot hang for ever.

wikiextractor works with processes of its own. When one of them dies of an exception, the others
wait for its answer without end; when the main one is killed, its workers wait without end too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

SECONDS_WITHOUT_LINE = 600.0
_SECONDS_AFTER_TRACEBACK = 5.0
_SECONDS_BETWEEN_LOOKS = 0.5

# The shell becomes the program. What it leaves behind in the group waits for the pipe that only we
# hold open: when that closes, by our will or by our death, the whole group is killed.
_SCRIPT = (
    'exec 3<&0 </dev/null; (read _ <&3; kill -s KILL -- -$$) >/dev/null 2>&1 & exec 3<&-; exec "$@"'
)


class GuardedProcess:
    """A running program: iterate over it for its lines; then `message` has its last complaint."""

    def __init__(self, process: subprocess.Popen[bytes], errors: int) -> None:
        self._process, self._errors = process, errors
        self._last_line = time.monotonic()
        self._ended = threading.Event()
        self.ended_by_us = False
        threading.Thread(target=self._watch, daemon=True).start()

    def __iter__(self) -> Iterator[bytes]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._last_line = time.monotonic()
            yield line
        self._ended.set()

    @property
    def message(self) -> str:
        """The last line that the program wrote to standard error."""
        lines = self._complaints().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else "no message"

    def close(self) -> None:
        self._ended.set()

    def _complaints(self) -> bytes:
        size = os.fstat(self._errors).st_size
        return os.pread(self._errors, 1 << 16, max(0, size - (1 << 16)))

    def _watch(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_LOOKS):
            silence = time.monotonic() - self._last_line
            stuck = silence > SECONDS_WITHOUT_LINE or (
                silence > _SECONDS_AFTER_TRACEBACK and b"Traceback" in self._complaints()
            )
            if stuck:
                self.ended_by_us = True
                os.killpg(self._process.pid, signal.SIGKILL)
                return


@contextmanager
def guarded_process(command: Sequence[str]) -> Iterator[GuardedProcess]:
    """Run a command whose lines are read; it ends with the block, or with this process."""
    held, given = os.pipe()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "sh", *command],
            stdin=held,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        os.close(held)
        guarded = GuardedProcess(process, errors.fileno())
        try:
            yield guarded
        finally:
            guarded.close()
            os.close(given)
            assert process.stdout is not None
            process.stdout.close()
            process.wait()
