"""What a CKA is worth: its bootstrap interval, and the floor of pairs that are not translations.

The interval comes from sentences drawn again with replacement. A sentence that is drawn twice is
never compared with itself (weights, see `debiased_hsics`); the biased variants are still higher on
fewer different sentences, so the spread of the samples is laid around the estimate, not around
their own mean. Beyond `MOST_GRAM_SENTENCES`, and with minibatches, whole minibatches are drawn.

The floor is the same measure after the sentences of one language were shuffled.

Legend of suffixes: N sentences, S samples, D and F dimensions, P parts (minibatches).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbert.errors import InputError
from bbert.probe.cka import (
    MOST_GRAM_SENTENCES,
    NO_SIMILARITY,
    Floats,
    Hsics,
    checked,
    debiased_hsic,
    gram,
    hsics,
    minibatches,
    uncentred_hsic,
)

MINIBATCH = 500
"""Sentences of a minibatch that an interval over many sentences is drawn from."""

_FEWEST_PARTS = 4
_LEVEL = (0.025, 0.975)


class Measured(NamedTuple):
    """A CKA, its 95 % interval (None where there is none), and shuffled pairs: mean, highest."""

    value: float
    low: float | None
    high: float | None
    floor: float
    floor_high: float


def measured_cka(
    x_ND: NDArray[np.floating],
    y_NF: NDArray[np.floating],
    variant: str,
    *,
    minibatch: int | None = None,
    num_samples: int = 200,
    num_shuffles: int = 20,
    seed: int = 0,
) -> Measured:
    """CKA of paired vectors with interval and floor.

    Args:
        x_ND: vectors.
        y_NF: vectors of the same sentences.
        variant: see `cka`.
        minibatch: as in `cka`.
        num_samples: of the bootstrap.
        num_shuffles: of the floor.
        seed: of samples, shuffles and minibatches.

    Raises:
        InputError: as `cka`.
    """
    x_ND, y_NF = checked(x_ND, variant, "first"), checked(y_NF, variant, "second")
    if len(x_ND) != len(y_NF):
        raise InputError(f"{len(x_ND):,} vectors and {len(y_NF):,}: give pairs")
    rng = np.random.default_rng([seed, len(x_ND)])
    shuffles = [rng.permutation(len(x_ND)) for _ in range(num_shuffles)]
    if minibatch is None and len(x_ND) <= MOST_GRAM_SENTENCES:
        return _with_grams(x_ND, y_NF, variant, num_samples, shuffles, rng)
    parts = list(minibatches(len(x_ND), minibatch or MINIBATCH, seed))
    of_parts_P3 = np.array([hsics(x_ND[rows], y_NF[rows], variant) for rows in parts])
    if minibatch is None:
        whole = hsics(x_ND, y_NF, variant)
        floors = _shuffled(x_ND, y_NF, variant, shuffles)
    else:
        whole = Hsics(*of_parts_P3.mean(axis=0))
        floors = [_mean_xy(x_ND, y_NF[order], variant, parts) for order in shuffles]
    value = whole.ratio()
    low = high = None
    if len(parts) >= _FEWEST_PARTS:
        drawn = rng.integers(len(parts), size=(num_samples, len(parts)))
        low, high = _around(value, _ratios(of_parts_P3[drawn].mean(axis=1).T))
    floors_S = np.array(floors) / np.sqrt(whole.xx * whole.yy)
    return Measured(value, low, high, float(floors_S.mean()), float(floors_S.max()))


def _shuffled(
    x_ND: Floats, y_NF: Floats, variant: str, shuffles: list[NDArray[np.int64]]
) -> list[float]:
    """The HSIC of linear kernels after the rows of the second set were put in other orders.

    What does not depend on how rows are paired is computed once, see `cka.debiased_hsic`.
    """
    n = len(x_ND)
    traces = [float(((x_ND.T @ y_NF[order]) ** 2).sum()) for order in shuffles]
    if variant == "paper":
        return [trace / n**2 for trace in traces]
    assert variant == "debiased"
    squares = [(v**2).sum(axis=1) for v in (x_ND, y_NF)]
    sums = [v @ v.sum(axis=0) - s for v, s in zip((x_ND, y_NF), squares, strict=True)]
    products = sums[0].sum() * sums[1].sum() / ((n - 1) * (n - 2))
    found = []
    for trace, order in zip(traces, shuffles, strict=True):
        chains = 2 * (sums[0] @ sums[1][order]) / (n - 2)
        found.append((trace - squares[0] @ squares[1][order] + products - chains) / (n * (n - 3)))
    return found


def _whole_xy(x_ND: Floats, y_NF: Floats, variant: str) -> float:
    if variant == "released":
        return hsics(x_ND, y_NF, variant).xy
    return (uncentred_hsic if variant == "paper" else debiased_hsic)(x_ND, y_NF)


def _mean_xy(x_ND: Floats, y_NF: Floats, variant: str, parts: list[NDArray[np.int64]]) -> float:
    return float(np.mean([_whole_xy(x_ND[rows], y_NF[rows], variant) for rows in parts]))


def _with_grams(
    x_ND: Floats,
    y_NF: Floats,
    variant: str,
    num_samples: int,
    shuffles: list[NDArray[np.int64]],
    rng: np.random.Generator,
) -> Measured:
    n = len(x_ND)
    k_NN, l_NN = gram(x_ND, variant), gram(y_NF, variant)
    samples_NS = rng.multinomial(n, np.full(n, 1 / n), size=num_samples).T.astype(np.float64)
    weights_NS = np.concatenate([np.ones((n, 1)), samples_NS], axis=1)
    one = {"debiased": debiased_hsics, "paper": uncentred_hsics, "released": centred_hsics}[variant]
    xy_S, xx_S, yy_S = (one(a, b, weights_NS) for a, b in
                        ((k_NN, l_NN), (k_NN, k_NN), (l_NN, l_NN)))  # fmt: skip
    value = Hsics(xy_S[0], xx_S[0], yy_S[0]).ratio()
    low, high = _around(value, _ratios(np.stack([xy_S, xx_S, yy_S])[:, 1:]))
    everyone_N1 = weights_NS[:, :1]
    floors_S = np.array(
        [one(k_NN, l_NN[np.ix_(order, order)], everyone_N1)[0] for order in shuffles]
    ) / np.sqrt(xx_S[0] * yy_S[0])
    return Measured(float(value), low, high, float(floors_S.mean()), float(floors_S.max()))


def debiased_hsics(k_NN: Floats, l_NN: Floats, weights_NS: Floats) -> Floats:
    """The unbiased HSIC of every sample of sentences, from kernels without diagonals.

    It is the sum of three means over different sentences i, j, q, r: of k_ij l_ij, of k_ij l_qr and
    of −2 k_ij l_iq. A sentence's weight says how often it was drawn; terms in which a sentence
    would meet itself are taken out of the sums, and out of what they are divided by. All weights 1
    give `cka.debiased_hsic`.
    """
    w = weights_NS
    both_NN = k_NN * l_NN
    k_NS, l_NS, squared = k_NN @ w, l_NN @ w, w**2
    both_of_squares_NS = both_NN @ squared
    direct = (w * (both_NN @ w)).sum(axis=0)
    twice = (squared * both_of_squares_NS).sum(axis=0)
    apart = (w * k_NS).sum(axis=0) * (w * l_NS).sum(axis=0)
    apart += 2 * twice - 4 * (squared * k_NS * l_NS).sum(axis=0)
    chained = (w * (k_NS * l_NS - both_of_squares_NS)).sum(axis=0)
    s1, s2, s3, s4 = ((w**power).sum(axis=0) for power in (1, 2, 3, 4))
    pairs = s1**2 - s2
    triples = s1**3 - 3 * s1 * s2 + 2 * s3
    quadruples = s1**4 - 6 * s1**2 * s2 + 3 * s2**2 + 8 * s1 * s3 - 6 * s4
    return direct / pairs + apart / quadruples - 2 * chained / triples


def uncentred_hsics(k_NN: Floats, l_NN: Floats, weights_NS: Floats) -> Floats:
    """The mean of k_ij l_ij of every sample."""
    shares_NS = weights_NS / weights_NS.sum(axis=0)
    return (shares_NS * ((k_NN * l_NN) @ shares_NS)).sum(axis=0)


def centred_hsics(k_NN: Floats, l_NN: Floats, weights_NS: Floats) -> Floats:
    """The biased HSIC of every sample; the bandwidth stays that of all sentences."""
    shares_NS = weights_NS / weights_NS.sum(axis=0)
    k_NS, l_NS = k_NN @ shares_NS, l_NN @ shares_NS
    direct = (shares_NS * ((k_NN * l_NN) @ shares_NS)).sum(axis=0)
    apart = (shares_NS * k_NS).sum(axis=0) * (shares_NS * l_NS).sum(axis=0)
    return direct + apart - 2 * (shares_NS * k_NS * l_NS).sum(axis=0)


def _ratios(hsics_3S: Floats) -> Floats:
    """CKA of every sample; NaN where a self-similarity is 0."""
    xy, xx, yy = hsics_3S
    usable = np.minimum(xx, yy) > NO_SIMILARITY
    norm = np.sqrt(np.where(usable, xx * yy, 1))
    return np.where(usable, xy / norm, np.nan)


def _around(value: float, samples_S: Floats) -> tuple[float | None, float | None]:
    """The interval of the samples, moved so that their mean is the estimate."""
    samples_S = samples_S[np.isfinite(samples_S)]
    if len(samples_S) < 2:
        return None, None
    low, high = np.quantile(samples_S - samples_S.mean(), _LEVEL) + value
    return float(low), float(high)
