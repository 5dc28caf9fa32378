"""Centred kernel alignment (CKA): how alike two sets of vectors of the same sentences are.

Variants, which differ by far more than the effects that are looked for:

    debiased   linear, with the unbiased HSIC of Song et al. (2012): 0 for unrelated vectors at any
               number of sentences (default; Nguyen et al. 2021)
    paper      linear and neither centred nor debiased, as eq. 1 of Muller et al. (2021) is printed
    released   centred RBF kernels, bandwidth the median of the squared distances, as their code has

The biased two grow with the ratio of dimensions to sentences: pure noise of 768 dimensions has .43
to .98. Linear kernels are never n × n here: sums over sentences are taken in feature space, so that
memory is that of the vectors. The RBF kernel needs n × n, or minibatches, whose HSICs are averaged
before the ratio is taken (Nguyen et al. 2021).

Legend of suffixes: N sentences, D and F dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from bbert.errors import InputError

Variant: TypeAlias = Literal["debiased", "paper", "released"]
VARIANTS: tuple[str, ...] = get_args(Variant)
Floats: TypeAlias = NDArray[np.float64]

MOST_GRAM_SENTENCES = 2_000
"""Sentences whose n × n matrices are made; beyond it linear kernels are summed in feature space."""

_FEWEST_OF_A_BATCH = 4
FEWEST_SENTENCES = {"debiased": 4, "paper": 2, "released": 3}
NO_SIMILARITY = 1e-12  # of vectors of mean squared length 1
_NO_SPREAD = 1e-10  # of the vectors' own size: below it they are all the same


class Hsics(NamedTuple):
    """The dependence of the two sets, and of each with itself."""

    xy: float
    xx: float
    yy: float

    def ratio(self) -> float:
        """CKA; raises InputError where it is not defined."""
        if not min(self.xx, self.yy) > NO_SIMILARITY:
            raise InputError(
                "CKA is not defined: the self-similarity of one set is 0 (too few sentences, or "
                "hardly any of them differ); give more sentences"
            )
        return self.xy / float(np.sqrt(self.xx * self.yy))


def cka(
    x_ND: NDArray[np.floating],
    y_NF: NDArray[np.floating],
    variant: Variant = "debiased",
    minibatch: int | None = None,
    seed: int = 0,
) -> float:
    """CKA of two sets of vectors, row by row of the same sentences.

    Args:
        x_ND: vectors.
        y_NF: vectors, as many; they may have other dimensions.
        variant: see the module.
        minibatch: average the HSICs of batches of about this many sentences; None for all at once.
        seed: of the order in which sentences fall into minibatches.

    Returns:
        1 for vectors that are alike up to rotation and scale; unrelated ones are at 0 under
        `debiased` only.

    Raises:
        InputError: other numbers of rows, too few of them, vectors that are not finite or all the
            same, an RBF kernel of too many sentences without minibatches.
    """
    x_ND, y_NF = checked(x_ND, variant, "first"), checked(y_NF, variant, "second")
    if len(x_ND) != len(y_NF):
        raise InputError(f"{len(x_ND):,} vectors and {len(y_NF):,}: give pairs")
    if minibatch is None:
        return hsics(x_ND, y_NF, variant).ratio()
    parts = [hsics(x_ND[rows], y_NF[rows], variant)
             for rows in minibatches(len(x_ND), minibatch, seed)]  # fmt: skip
    return Hsics(*np.mean(parts, axis=0)).ratio()


def checked(vectors_ND: NDArray[np.floating], variant: str, which: str) -> Floats:
    """The vectors in float64, centred unless the variant forbids it, of mean squared length 1.

    Raises:
        InputError: see `cka`.
    """
    if variant not in VARIANTS:
        raise InputError(f"--variant {variant!r} is unknown; there is {', '.join(VARIANTS)}")
    if vectors_ND.ndim != 2:
        raise InputError(f"the {which} vectors have shape {vectors_ND.shape}; give (N, D)")
    fewest = FEWEST_SENTENCES[variant]
    if len(vectors_ND) < fewest:
        raise InputError(
            f"{variant} CKA needs {fewest} pairs of sentences at least, not {len(vectors_ND)}"
        )
    vectors_ND = vectors_ND.astype(np.float64)
    bad = int((~np.isfinite(vectors_ND)).any(axis=1).sum())
    if bad:
        raise InputError(
            f"{bad:,} of the {which} {len(vectors_ND):,} vectors hold NaN or infinity: "
            "the model's weights or activations are damaged"
        )
    if not vectors_ND.any():
        raise InputError(f"all {which} vectors are zero")
    size = float(np.abs(vectors_ND).max())
    centred_ND = vectors_ND - vectors_ND.mean(axis=0)
    if np.abs(centred_ND).max() <= _NO_SPREAD * size:
        raise InputError(f"all {which} vectors are the same")
    kept_ND = vectors_ND if variant == "paper" else centred_ND
    return kept_ND / np.sqrt((kept_ND**2).sum(axis=1).mean())  # so that "hardly any" has a size


def hsics(x_ND: Floats, y_NF: Floats, variant: str) -> Hsics:
    """The three HSICs of vectors that `checked` has seen, without n × n where they are linear."""
    if variant == "released":
        if len(x_ND) > MOST_GRAM_SENTENCES:
            raise InputError(
                f"--variant released needs {len(x_ND):,} × {len(x_ND):,} numbers; "
                f"give --minibatch 500, or --max-sentences {MOST_GRAM_SENTENCES}"
            )
        k_NN, l_NN = (gram(v, variant) for v in (x_ND, y_NF))
        return Hsics(*(float(centred_hsic(a, b)) for a, b in _pairs(k_NN, l_NN)))
    one = uncentred_hsic if variant == "paper" else debiased_hsic
    return Hsics(*(one(a, b) for a, b in _pairs(x_ND, y_NF)))


def uncentred_hsic(x_ND: Floats, y_NF: Floats) -> float:
    """The squared Frobenius norm of XᵀY, over n² so that minibatches are alike."""
    return float(((x_ND.T @ y_NF) ** 2).sum()) / len(x_ND) ** 2


def debiased_hsic(x_ND: Floats, y_NF: Floats) -> float:
    """The unbiased HSIC of linear kernels (Song et al. 2012, eq. 4), in feature space.

    With K and L the kernels without their diagonals, tr(KL), 1ᵀK1 · 1ᵀL1 and 1ᵀKL1 follow from XᵀY,
    the vectors' sums and their squared lengths. N >= 4.
    """
    n = len(x_ND)
    x_squares_N, y_squares_N = (x_ND**2).sum(axis=1), (y_NF**2).sum(axis=1)
    trace = ((x_ND.T @ y_NF) ** 2).sum() - x_squares_N @ y_squares_N
    k_sums_N = x_ND @ x_ND.sum(axis=0) - x_squares_N
    l_sums_N = y_NF @ y_NF.sum(axis=0) - y_squares_N
    products = k_sums_N.sum() * l_sums_N.sum() / ((n - 1) * (n - 2))
    chains = 2 * (k_sums_N @ l_sums_N) / (n - 2)
    return float(trace + products - chains) / (n * (n - 3))


def gram(vectors_ND: Floats, variant: str) -> Floats:
    """The kernel of a variant between all sentences; without its diagonal where debiased."""
    products_NN = vectors_ND @ vectors_ND.T
    if variant == "paper":
        return products_NN
    if variant == "debiased":
        np.fill_diagonal(products_NN, 0)
        return products_NN
    squares_N = np.diag(products_NN)
    distances_NN = np.maximum(squares_N[:, None] + squares_N - 2 * products_NN, 0)
    np.fill_diagonal(distances_NN, 0)
    middle = float(np.median(distances_NN))
    if middle == 0:
        raise InputError("half of the vectors are the same: the RBF kernel has no bandwidth")
    return np.exp(distances_NN / (-2 * middle))


def centred_hsic(k_NN: Floats, l_NN: Floats) -> float:
    """The biased HSIC tr(KHLH) / n² with centring matrix H."""
    centred_NN = k_NN - k_NN.mean(axis=0) - k_NN.mean(axis=1)[:, None] + k_NN.mean()
    return float((centred_NN * l_NN).sum()) / len(k_NN) ** 2


def minibatches(num_sentences: int, size: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Rows of batches of nearly equal size, in an order drawn from `seed`.

    None has fewer than 4, which the unbiased HSIC needs, if there are that many sentences at all:
    batches are larger than `size` where they would not come out even (6 sentences are one of 6).
    """
    if size < _FEWEST_OF_A_BATCH:
        raise InputError(f"--minibatch {size}: give at least {_FEWEST_OF_A_BATCH} sentences")
    order = np.random.default_rng(seed).permutation(num_sentences)
    number = min(round(num_sentences / size), num_sentences // _FEWEST_OF_A_BATCH)
    yield from np.array_split(order, max(1, number))


def _pairs(x: Floats, y: Floats) -> tuple[tuple[Floats, Floats], ...]:
    return (x, y), (x, x), (y, y)
