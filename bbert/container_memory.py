"""How much of a container's memory is left."""

from __future__ import annotations

import re
from pathlib import Path

CONTROL_GROUP = Path("/sys/fs/cgroup")


def left_in_container() -> int | None:
    """Bytes that a container may still take, 0 or more; None where nothing limits it.

    Files that were read count as taken there, and give way: they are left too.
    """
    limit, taken = _text("memory.max").strip(), _text("memory.current").strip()
    if not limit.isdigit():  # "max"
        return None
    files = re.search(r"^inactive_file (\d+)$", _text("memory.stat"), re.M)
    held = (int(taken) if taken.isdigit() else 0) - (int(files[1]) if files else 0)
    return max(0, int(limit) - held)


def _text(name: str) -> str:
    try:
        return (CONTROL_GROUP / name).read_text()
    except OSError:
        return ""
