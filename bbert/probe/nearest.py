"""Nearest-neighbour translation: does a vector lie nearest to that of its translation?

As `bbert.pretrain.nearest_neighbours`, which measures a model under training, with every choice
that the literature has made:

    offset     heldout  the mean difference of one half of the pairs moves the other half (default)
               same     of the pairs themselves, as Pires et al. (2019) do: better than chance even
                        for noise, since each pair's own difference is in it
               none     nothing is moved
    distance   l2, cosine, or csls: cosine less the mean of the k nearest on either side, so that a
               vector near to all is nobody's neighbour (Conneau et al. 2018)

Neighbours are looked for block by block: memory is that of the vectors.

Legend of suffixes: N vectors translated from, M candidates, E dimensions, B rows of a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from bbert.errors import InputError

Distance: TypeAlias = Literal["l2", "cosine", "csls"]
Offset: TypeAlias = Literal["heldout", "same", "none"]
DISTANCES: tuple[str, ...] = get_args(Distance)
OFFSETS: tuple[str, ...] = get_args(Offset)
Floats: TypeAlias = NDArray[np.float64]

CSLS_NEIGHBOURS = 10
_BLOCK_ROWS = 1024


def translated(
    from_NE: NDArray[np.floating],
    to_ME: NDArray[np.floating],
    distance: str = "l2",
    offset: str = "heldout",
    gold: Sequence[Sequence[int]] | None = None,
) -> NDArray[np.bool_]:
    """Which vectors have a translation of theirs as nearest neighbour, (N,).

    Args:
        from_NE: vectors to translate; N >= 2.
        to_ME: candidates.
        distance: see the module.
        offset: see the module.
        gold: the candidates that are right for every vector; without it the one of its own number.

    Raises:
        InputError: vectors that are not finite; zero vectors where directions are compared.
    """
    assert len(from_NE) >= 2
    assert from_NE.shape[1] == to_ME.shape[1]
    from_NE, to_ME = from_NE.astype(np.float64), to_ME.astype(np.float64)
    for vectors in (from_NE, to_ME):
        if not np.isfinite(vectors).all():
            raise InputError("vectors hold NaN or infinity: the model is damaged")
    if gold is None:
        assert len(from_NE) == len(to_ME)
        gold = [(row,) for row in range(len(from_NE))]
    moved_NE = _moved(from_NE, to_ME, offset, gold)
    nearest_N = nearest(moved_NE, to_ME, distance)
    return np.array([number in right for number, right in zip(nearest_N, gold, strict=True)])


def nearest(from_NE: Floats, to_ME: Floats, distance: str) -> NDArray[np.int64]:
    """The number of every vector's nearest candidate; the first of those equally near."""
    if distance == "l2":
        center_E = to_ME.mean(axis=0)  # distances stay, but lose nothing to a large common part
        from_NE, to_ME = from_NE - center_E, to_ME - center_E
        half_squares_M = (to_ME**2).sum(axis=1) / 2
        blocks = (block @ to_ME.T - half_squares_M for block in _blocks(from_NE))
    else:
        from_NE, to_ME = _directions(from_NE), _directions(to_ME)
        hubness_M = np.zeros(len(to_ME))
        if distance == "csls":  # a vector's own mean moves all its candidates alike
            hubness_M = _mean_of_nearest(to_ME, from_NE) / 2
        blocks = (block @ to_ME.T - hubness_M for block in _blocks(from_NE))
    return np.concatenate([scores_BM.argmax(axis=1) for scores_BM in blocks])


def _moved(from_NE: Floats, to_ME: Floats, offset: str, gold: Sequence[Sequence[int]]) -> Floats:
    if offset == "none":
        return from_NE
    differences_NE = np.array([to_ME[list(right)].mean(axis=0) for right in gold]) - from_NE
    if offset == "same":
        return from_NE + differences_NE.mean(axis=0)
    moved_NE = from_NE.copy()
    half_N = np.arange(len(from_NE)) % 2
    for half in (0, 1):
        moved_NE[half_N == half] += differences_NE[half_N != half].mean(axis=0)
    return moved_NE


def _directions(vectors_NE: Floats) -> Floats:
    lengths_N = np.linalg.norm(vectors_NE, axis=1)
    if not (lengths_N > 0).all():
        zeros = int((lengths_N == 0).sum())
        raise InputError(f"{zeros:,} of {len(vectors_NE):,} vectors are zero: no direction")
    return vectors_NE / lengths_N[:, None]


def _mean_of_nearest(here_NE: Floats, there_ME: Floats) -> Floats:
    """Mean cosine of every unit vector with its nearest ones on the other side."""
    k = min(CSLS_NEIGHBOURS, len(there_ME))
    means = []
    for block in _blocks(here_NE):
        cosines_BM = block @ there_ME.T
        means.append(np.partition(cosines_BM, -k, axis=1)[:, -k:].mean(axis=1))
    return np.concatenate(means)


def _blocks(vectors_NE: Floats) -> Iterator[Floats]:
    for start in range(0, len(vectors_NE), _BLOCK_ROWS):
        yield vectors_NE[start : start + _BLOCK_ROWS]
