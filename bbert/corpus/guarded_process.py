"""A program run line by line that cannot outlive us and cannot hang for ever.

wikiextractor works with processes of its own. When one of them dies, of an exception or killed, the
others wait for its answer without end; when the main one is killed, its workers wait without end
too. And there are pages that it never finishes: templates that include each other, with other
arguments every time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

SECONDS_WITHOUT_LINE = 120.0
MAX_LINE_BYTES = 32_000_000
_SECONDS_AFTER_TRACEBACK = 5.0
_SECONDS_BETWEEN_LOOKS = 0.5

# The shell becomes the program. What it leaves behind in the group waits for the pipe that only we
# hold open: when that closes, by our will or by our death, the whole group is killed.
_SCRIPT = (
    'exec 3<&0 </dev/null; (read _ <&3; kill -s KILL -- -$$) >/dev/null 2>&1 & exec 3<&-; exec "$@"'
)


class GuardedProcess:
    """A running program: iterate over it for its lines; then `message` has its last complaint.

    `exceeded` says which limit it was ended for, "" for none.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], errors: int, seconds_to_start: float
    ) -> None:
        self._process, self._errors = process, errors
        self._last_line = time.monotonic() + seconds_to_start
        self._ended = threading.Event()
        self.exceeded = ""
        threading.Thread(target=self._watch, daemon=True).start()

    def __iter__(self) -> Iterator[bytes]:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline(MAX_LINE_BYTES):
            if len(line) == MAX_LINE_BYTES:
                self._end(f"more than {MAX_LINE_BYTES / 1e6:,.0f} MB of text")
                break
            if not line.endswith(b"\n"):  # it was killed in the midst of it
                break
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
            if silence > SECONDS_WITHOUT_LINE:
                self._end(f"not done after {SECONDS_WITHOUT_LINE:,.0f} s")
                return
            if silence > _SECONDS_AFTER_TRACEBACK and b"Traceback" in self._complaints():
                self._end()
                return

    def _end(self, exceeded: str = "") -> None:
        self.exceeded = exceeded
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


@contextmanager
def guarded_process(
    command: Sequence[str], seconds_to_start: float = 0.0
) -> Iterator[GuardedProcess]:
    """Run a command whose lines are read; it ends with the block, or with this process.

    Args:
        command: program and arguments.
        seconds_to_start: it may be silent for so much longer before its first line.
    """
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
        guarded = GuardedProcess(process, errors.fileno(), seconds_to_start)
        try:
            yield guarded
        finally:
            guarded.close()
            os.close(given)
            assert process.stdout is not None
            process.stdout.close()
            process.wait()
