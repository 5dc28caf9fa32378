"""A file that is only added to and outlives a full disk: what does not fit waits in memory."""

from __future__ import annotations

import os
from pathlib import Path


class WaitingFile:
    """Bytes go to the disk at once; those that it has no room for go before the next ones."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = path.open("ab", buffering=0)
        self._waiting = b""  # a buffered stream would lose what a full disk does not take

    def add(self, content: bytes) -> None:
        """Append `content`.

        Raises:
            OSError: some of it has to wait.
        """
        self._waiting += content
        self.flush()

    def flush(self) -> None:
        """Write what waits; raises OSError where it still has to."""
        try:
            while self._waiting:
                self._waiting = self._waiting[self._stream.write(self._waiting) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def sync(self) -> None:
        """Make it survive a power cut; raises OSError where something waits."""
        self.flush()
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Write what waits, if there is room now; raises OSError where something is lost."""
        try:
            self.flush()
        finally:
            self._stream.close()
