"""Random numbers that are a pure function of what they are for: (seed, purpose, row, position).

A loader built on them has no state: any process can draw any row of any step and finds the same
numbers, whatever was drawn before and however the rows are shared out. The generator is the
finaliser of SplitMix64 (Steele, Lea, Flood 2014) over a counter; a permutation is a small Feistel
network (Black, Rogaway 2002), so that an epoch is shuffled without a list of its rows.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
_WORD = (1 << 64) - 1
_FEISTEL_ROUNDS = 6


def stream_key(seed: int, purpose: str, *numbers: int) -> np.uint64:
    """The key of one stream of random numbers: for a purpose and any numbers that name it."""
    key = np.array([zlib.crc32(purpose.encode())], dtype=np.uint64)
    for number in (seed, *numbers):
        key = draw(key, np.array([number & _WORD], dtype=np.uint64))
    return key[0]


def draw(
    key: NDArray[np.uint64] | np.uint64, counter: NDArray[np.integer] | int
) -> NDArray[np.uint64]:
    """Uniform 64-bit numbers for `counter` under `key`, which broadcast against each other."""
    steps = np.atleast_1d(counter).astype(np.uint64) * np.uint64(_GOLDEN)
    return _mix(np.atleast_1d(key) + steps)


def uniform(key: NDArray[np.uint64] | np.uint64, counter: NDArray[np.integer] | int) -> NDArray:
    """Uniform floats in [0, 1) for `counter` under `key`."""
    return (draw(key, counter) >> np.uint64(11)) * 2.0**-53


def below(
    key: NDArray[np.uint64] | np.uint64,
    counter: NDArray[np.integer] | int,
    bound: NDArray[np.integer] | int,
) -> NDArray[np.int64]:
    """Uniform integers in [0, bound) for `counter` under `key`; `bound` below 2**53."""
    return (uniform(key, counter) * bound).astype(np.int64)


def permute(
    index: NDArray[np.int64], size: int, key: NDArray[np.uint64] | np.uint64
) -> NDArray[np.int64]:
    """Where a random permutation of `range(size)` puts each `index`.

    Args:
        index: numbers in [0, size).
        size: how many things are shuffled.
        key: names the permutation: one, or one per index.
    """
    rows = math.isqrt(size - 1) + 1
    columns = -(-size // rows)
    image = _feistel(index, rows, columns, key)
    while (outside := image >= size).any():  # a few of the cells of the rectangle
        keys = np.broadcast_to(key, image.shape)
        image[outside] = _feistel(image[outside], rows, columns, keys[outside])
    return image


def _feistel(
    index: NDArray[np.int64], rows: int, columns: int, key: NDArray[np.uint64] | np.uint64
) -> NDArray[np.int64]:
    """A bijection of [0, rows · columns)."""
    row, column = np.divmod(index, columns)
    for turn in range(0, _FEISTEL_ROUNDS, 2):
        row = (row + below(key, column + (turn << 40), rows)) % rows
        column = (column + below(key, row + (turn + 1 << 40), columns)) % columns
    return row * columns + column


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser; overwrites `state`."""
    state ^= state >> _SHIFTS[0]
    state *= _FIRST
    state ^= state >> _SHIFTS[1]
    state *= _SECOND
    state ^= state >> _SHIFTS[2]
    return state
