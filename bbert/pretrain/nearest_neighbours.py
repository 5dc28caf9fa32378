"""Translation by nearest neighbour: whether vectors of two languages mean the same.

Vectors of one language are moved by the mean difference between the languages, then each looks for
its nearest neighbour (Euclidean) among those of the other (Pires et al. 2019). The offset is
estimated on one half of the pairs and used on the other (`heldout`), never on the pair that it was
estimated from, so that chance is what it says; candidates are always all pairs.

Legend of suffixes: N pairs, E vector size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def translation_accuracy(from_NE: NDArray[np.floating], to_NE: NDArray[np.floating]) -> float:
    """Share of the N >= 2 vectors whose nearest neighbour is the one of the same number.

    Args:
        from_NE: vectors of the language that is translated from.
        to_NE: vectors of the other language, in the same order.
    """
    assert from_NE.shape == to_NE.shape
    number_N = np.arange(len(from_NE))
    assert len(number_N) > 1
    from_NE, to_NE = from_NE.astype(np.float64), to_NE.astype(np.float64)
    center_E = to_NE.mean(axis=0)  # distances stay, but lose nothing to a large common part
    candidates_NE = to_NE - center_E
    right = 0
    for half in (0, 1):
        here_N = number_N % 2 == half
        offset_E = (to_NE[~here_N] - from_NE[~here_N]).mean(axis=0)
        moved_NE = from_NE[here_N] + (offset_E - center_E)
        squares_N = (candidates_NE**2).sum(axis=1)
        nearest_N = (squares_N - 2 * moved_NE @ candidates_NE.T).argmin(axis=1)
        right += int((nearest_N == number_N[here_N]).sum())
    return right / len(number_N)
