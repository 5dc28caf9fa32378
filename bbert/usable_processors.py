"""How many processors this process may use: its affinity, and the quota of a container."""

from __future__ import annotations

import math
import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds that the container may compute in each period, and the period; or "max"."""


def usable_processors() -> int:
    """Processors that can be kept busy, 1 or more; a part of one counts as one."""
    allowed, quota = allowed_processors(), container_quota()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def allowed_processors() -> int:
    """Processors that the system lets this process run on, a container's quota aside."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def container_quota() -> float | None:
    """How many processors' time a container may use; None where nothing limits it."""
    try:
        quota, _, period = CPU_MAX.read_text().partition(" ")
    except OSError:
        return None
    if quota.isdigit() and period.strip().isdigit():
        return int(quota) / int(period)
    return None
