"""Which language a row is in: shares of the languages, spread evenly over the rows.

The share of a language grows with its tokens to the power of the smoothing exponent (0.7 in mBERT
and K et al. 2020), which gives small languages more rows than their size. Rows are not drawn at
random but dealt out, so that every batch holds each language's share to within a row, and a row's
number alone says how many rows of its language came before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_UNIT_BITS = 24  # shares are multiples of 2**-24, so that the arithmetic is exact up to 2**39 rows


class LanguageMix:
    """Deals rows out to languages in fixed shares."""

    def __init__(self, tokens: Sequence[int], smoothing: float) -> None:
        """Shares from the number of tokens of each language (all positive)."""
        weights = np.asarray(tokens, dtype=float) ** smoothing
        self.shares = weights / weights.sum()
        rest = self.shares[::-1].cumsum()[::-1]
        unit = 1 << _UNIT_BITS
        self._parts = [
            round(share / left * unit) for share, left in zip(self.shares, rest, strict=True)
        ]

    def deal(self, row_N: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Language of each row, and how many earlier rows that language has had."""
        language_N = np.full(row_N.shape, len(self._parts) - 1)
        left_N = row_N.copy()  # the row's number among those of this and later languages
        counter_N = np.zeros_like(row_N)
        open_N = np.ones(row_N.shape, dtype=bool)
        for language, part in enumerate(self._parts[:-1]):
            before_N = left_N * part >> _UNIT_BITS
            taken_N = open_N & (((left_N + 1) * part >> _UNIT_BITS) > before_N)
            language_N[taken_N] = language
            counter_N[taken_N] = before_N[taken_N]
            open_N &= ~taken_N
            left_N -= before_N
        counter_N[open_N] = left_N[open_N]
        return language_N, counter_N
