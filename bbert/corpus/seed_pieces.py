"""Candidates for word-pieces: the frequent substrings of words, with their frequencies.

SentencePiece can find its own, but not in text of this kind: it takes the nodes of a suffix tree,
and where every word is followed by the same boundary (as it is after basic tokenisation) a whole
word that begins no longer word is not a node. With 8,000 pieces learned on English Wikipedia
paragraphs, 50 of the 200 most frequent words are missing then ("that", "this", "("), held-out words
are cut into 1.51 pieces on average and longest match finds no cut for 7.3 % of them; with the
candidates from here it is none, 1.31 and 0.14 % (`benchmarks/vocabulary.py`).

Choices: as in a suffix tree, a substring that is always followed by the same character within its
words is left out for the longer one. There are as many candidates as the caller asks for, a few for
each piece, and not SentencePiece's million: among a million are all words that occur twice, whole
words are always the likeliest cut, and the parts that the rest of the language is made of starve
(1.59 pieces a word where the same text is merely given twice).

Shape suffix: `N` symbols of all words, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAX_PIECE_SYMBOLS = 16  # SentencePiece's default

Seed = tuple[int, int, int]


def seed_pieces(
    symbols_N: npt.NDArray[np.int64],
    remaining_N: npt.NDArray[np.int64],
    counts_N: npt.NDArray[np.int64],
    max_seeds: int,
) -> list[Seed]:
    """Substrings of two and more symbols that occur at least twice, by frequency times length.

    Args:
        symbols_N: symbols from 0 on.
        remaining_N: number of symbols from this one to the end of its word, itself included.
        counts_N: how often its word occurs.

    Returns:
        (first position, length, frequency) of each, the highest frequency times length first.
    """
    num_symbols = int(symbols_N.max(initial=0)) + 1
    found: list[_Substrings] = []
    # Substrings of each length are numbered: a substring is its prefix's number and one symbol.
    positions = np.flatnonzero(remaining_N >= 2)
    prefixes = symbols_N[positions]
    shorter: _Substrings | None = None
    for length in range(2, MAX_PIECE_SYMBOLS + 1):
        keys = prefixes * num_symbols + symbols_N[positions + length - 1]
        _, first, numbers = np.unique(keys, return_index=True, return_inverse=True)
        frequencies = np.bincount(numbers, counts_N[positions], len(first)).astype(np.int64)
        if shorter is not None:
            found.append(shorter.that_branch(prefixes[first], frequencies))
        shorter = _Substrings(positions[first], length, frequencies)
        frequent = (frequencies >= 2)[numbers] & (remaining_N[positions] > length)
        positions, prefixes = positions[frequent], numbers[frequent]
    assert shorter is not None
    nothing = np.zeros(0, np.int64)
    found.append(shorter.that_branch(nothing, nothing))
    return _best(found, max_seeds)


class _Substrings(NamedTuple):
    """Distinct substrings of one length: where each first occurs, and how often it occurs."""

    starts: npt.NDArray[np.int64]
    length: int
    frequencies: npt.NDArray[np.int64]

    def that_branch(
        self, prefixes: npt.NDArray[np.int64], extended_frequencies: npt.NDArray[np.int64]
    ) -> _Substrings:
        """Those that occur twice and that no single next symbol follows every time.

        Args:
            prefixes: for every substring longer by one, the number of its prefix among these.
            extended_frequencies: how often the longer one occurs.
        """
        most = np.zeros(len(self.frequencies), np.int64)
        np.maximum.at(most, prefixes, extended_frequencies)
        kept = (self.frequencies >= 2) & (most < self.frequencies)
        return _Substrings(self.starts[kept], self.length, self.frequencies[kept])


def _best(found: Sequence[_Substrings], max_seeds: int) -> list[Seed]:
    starts = np.concatenate([some.starts for some in found])
    lengths = np.concatenate([np.full(len(some.starts), some.length) for some in found])
    frequencies = np.concatenate([some.frequencies for some in found])
    order = np.lexsort((starts, lengths, -frequencies * lengths))[:max_seeds]
    columns = (column[order].tolist() for column in (starts, lengths, frequencies))
    return list(zip(*columns, strict=True))
