"""How many processor threads torch takes, and how they wait for each other.

Measured on two cores, 3 layers × 64, 1,024 tokens a step (tokens/s, idle machine / beside two busy
processes): two threads with OpenMP's default waiting 51,000 / 1,300; two threads that sleep soon
50,000 / 6,000; one thread 33,000 / 22,000. A small model therefore gets one thread, whose speed
can be relied on and whose sums do not depend on the number of cores; a larger one gets all.
OMP_NUM_THREADS and GOMP_SPINCOUNT win over both.
"""

from __future__ import annotations

import os

from bbert.usable_processors import usable_processors

SMALL_HIDDEN_SIZE = 64
_SPINS_BEFORE_SLEEP = 10_000


def let_waiting_threads_sleep() -> None:
    """Shorten how long OpenMP threads spin; works before torch is imported only.

    By default they spin for milliseconds. Where another process needs the cores, the one thread
    that all wait for is then kept from working.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", str(_SPINS_BEFORE_SLEEP))


def set_threads(hidden_size: int) -> None:
    """Give torch one thread for a small model, all processors for a larger one."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        small = hidden_size <= SMALL_HIDDEN_SIZE
        torch.set_num_threads(1 if small else usable_processors())
