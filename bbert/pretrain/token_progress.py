"""Progress of a training on the screen, in tokens, so that its rate is tokens per second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bbert.progress import progress

_SECONDS_BETWEEN_PROGRESS = 0.2


@contextmanager
def token_progress(tokens_per_step: int, steps: int, start: int) -> Iterator[Callable[[int], None]]:
    """Show it while entered, from step `start` on; yields `show(step)`."""
    shown, due = start, 0.0
    total = steps * tokens_per_step
    with progress("pretraining", total, "tokens", start * tokens_per_step) as advance:

        def show(step: int) -> None:
            nonlocal shown, due
            now = time.monotonic()
            if now >= due or step == steps:  # a step may be too short to draw it
                advance((step - shown) * tokens_per_step)
                shown, due = step, now + _SECONDS_BETWEEN_PROGRESS

        yield show
