"""Mean and spread of what was measured once for every seed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping


class OverSeeds:
    """Something with one value for every seed, in `values`."""

    values: Mapping[int, float] | Mapping[int | None, float]

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.values.values()) if self.values else None

    @property
    def std(self) -> float | None:
        """Sample standard deviation over seeds; None below two."""
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else None
