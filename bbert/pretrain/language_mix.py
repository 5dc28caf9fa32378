"""Which language a row is in: shares of the languages, spread evenly over the rows.

The corpus fixes the shares (`bbert.corpus.language_shares`). Rows are not drawn at random but dealt
out, so that every batch holds each language's share to within a row, 2**24 rows hold them exactly,
and a row's number alone says how many rows of its language came before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bbert.corpus.language_shares import UNIT_BITS


class LanguageMix:
    """Deals rows out to languages in fixed shares; exact up to 2**39 rows."""

    def __init__(self, units: Sequence[int] | NDArray[np.int64]) -> None:
        """Of every 2**24 rows, each language gets its number of `units` (none is 0)."""
        self._units = [int(unit) for unit in units]
        assert sum(self._units) == 1 << UNIT_BITS
        assert min(self._units) > 0
        self.shares = np.array(self._units) / (1 << UNIT_BITS)

    def deal(self, row_N: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Language of each row, and how many earlier rows that language has had."""
        language_N = np.full(row_N.shape, len(self._units) - 1)
        left_N = row_N.copy()  # the row's number among those of this and later languages
        counter_N = np.zeros_like(row_N)
        open_N = np.ones(row_N.shape, dtype=bool)
        units_left = 1 << UNIT_BITS
        for language, units in enumerate(self._units[:-1]):
            before_N = left_N * units // units_left
            taken_N = open_N & ((left_N + 1) * units // units_left > before_N)
            language_N[taken_N] = language
            counter_N[taken_N] = before_N[taken_N]
            open_N &= ~taken_N
            left_N -= before_N
            units_left -= units
        counter_N[open_N] = left_N[open_N]
        return language_N, counter_N
