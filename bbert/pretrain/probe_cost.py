"""What the multilinguality curves cost, and a word where it is more than they are worth."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)

MAX_SHARE = 0.02
"""Of the run's time that the curves are meant to take at most."""
_SECONDS_TO_JUDGE = 30.0  # of training


class ProbeCost:
    """Seconds spent on the curves; warns once where their share is too large.

    Attributes:
        seconds: so far, by earlier processes of the run too.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._warned = False

    def add(self, seconds: float, step: int, training_seconds: float, every: int) -> None:
        """Count one more point.

        Args:
            seconds: that it took.
            step: at which it was measured; 0 is the untrained model.
            training_seconds: spent on steps so far.
            every: steps between two points (`--probe-every`).
        """
        self.seconds += seconds
        if self._warned or not step or training_seconds < _SECONDS_TO_JUDGE:
            return
        of_a_point = self.seconds / (step // every + 1)
        of_a_step = training_seconds / step
        share = of_a_point / (of_a_point + every * of_a_step)
        if share <= MAX_SHARE:
            return
        self._warned = True
        fewer = of_a_point * (1 - MAX_SHARE) / (MAX_SHARE * of_a_step)
        logger.warning(
            "the multilinguality curves take %.1f %% of the time; with --probe-every %s they would "
            "take %.0f %% at most (a run that is stopped goes on with it)",
            100 * share, _round_up(fewer), 100 * MAX_SHARE,
        )  # fmt: skip


def _round_up(steps: float) -> int:
    """To one significant digit: 2,310 → 3,000."""
    power = 10 ** (len(str(int(steps))) - 1)
    return -int(-steps // power) * power
