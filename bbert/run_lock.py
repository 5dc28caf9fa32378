"""One process at a time writes a run: a second one is refused, and told which has it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bbert.errors import InputError


@contextmanager
def locked(work: Path, label: str) -> Iterator[None]:
    """Hold the lock of the run `label`, which a file in `work` stands for.

    Raises:
        InputError: another process holds it.
    """
    from filelock import FileLock, Timeout

    folder = work / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / f"{label}.owner"
    lock = FileLock(folder / f"{label}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        pid = owner.read_text().strip() if owner.is_file() else "unknown"
        raise InputError(
            f"{label}: process {pid} is writing this run; wait for it or use another --name"
        ) from None
    try:
        owner.write_text(str(os.getpid()))
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()
