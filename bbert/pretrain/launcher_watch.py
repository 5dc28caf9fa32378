"""Notices that whoever started the processes of a run is gone.

A worker whose parent dies is handed to another process. `deepspeed` starts its workers through a
process of its own in between, which outlives it: there it is that one's parent which counts.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_BETWEEN = "deepspeed.launcher.launch"
_COMMANDS = ("deepspeed", "ds", "deepspeed.launcher.runner")


class LauncherWatch:
    """Remembers who started this process; does nothing for one that was started by hand."""

    def __init__(self, in_group: bool, parent: int | None = None) -> None:
        """Take note of the parent.

        Args:
            in_group: a launcher or supervisor has started this process and others.
            parent: whose child this process was at its start; None for that of this moment.
        """
        self._parent = os.getppid() if parent is None else parent
        self._in_group = in_group
        self._launcher = _deepspeed_above(self._parent)

    def gone(self) -> bool:
        """Whether the launcher has ended while its processes go on."""
        if self._in_group and os.getppid() != self._parent:
            return True
        return self._launcher is not None and _parent_of(self._parent) != self._launcher


def _deepspeed_above(pid: int) -> int | None:
    """The `deepspeed` command that has started process `pid`, if that is its process in between."""
    import psutil

    with suppress(psutil.Error):
        between = psutil.Process(pid)
        if _BETWEEN in between.cmdline():
            launcher = between.parent()
            words = launcher.cmdline()[:3] if launcher else []
            if launcher and any(Path(word).name in _COMMANDS for word in words):
                return launcher.pid
    return None


def _parent_of(pid: int) -> int | None:
    import psutil

    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return None
