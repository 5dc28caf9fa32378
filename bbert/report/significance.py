"""Is the difference between two runs more than chance? Plain arrays in, p-values out.

Three questions, three tests, because they differ in what could have come out otherwise:

    paired bootstrap    other sentences in the test set; the metric is computed anew on every sample
    McNemar             the same, for right-or-wrong answers, exact, one pair of seeds at a time
    paired t            other seeds of fine-tuning

The first is the one whose asterisk a table shows. Holm's correction goes over a table's cells.

Shape suffixes: `S` seeds, `N` sentences, `K` counts of a sentence, `M` tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LEVEL = 0.05
NUM_SAMPLES = 10_000
_SAMPLES_AT_A_TIME = 250  # times N numbers are in memory

Floats = npt.NDArray[np.float64]
Metric = Callable[[Floats], Floats]
"""(..., K) sums of counts → (...) scores."""


class Bootstrap(NamedTuple):
    """A paired bootstrap: the observed difference, its 95 % interval, and the two-sided p."""

    difference: float
    low: float
    high: float
    p: float


def share_right(counts_K: Floats) -> Floats:
    """Accuracy of (right, all); 0 of nothing."""
    return _divide(counts_K[..., 0], counts_K[..., 1])


def f1_of_counts(counts_K: Floats) -> Floats:
    """F1 of (right, predicted, gold) spans; 0 where there is nothing to find."""
    return _divide(2 * counts_K[..., 0], counts_K[..., 1] + counts_K[..., 2])


def paired_bootstrap(
    first_SNK: Floats,
    second_SNK: Floats,
    metric: Metric,
    seed: int = 0,
    num_samples: int = NUM_SAMPLES,
) -> Bootstrap:
    """Resample the test sentences, the same for both runs and all seeds (Efron; Koehn 2004).

    Args:
        first_SNK: counts of every sentence under every seed of the first run.
        second_SNK: of the second run; sentence by sentence the same test set.
        metric: from sums of counts to the score; scores are averaged over seeds.
        seed: of the samples.
        num_samples: how many.

    Returns:
        difference (second − first), percentile interval, and p: twice the smaller share of samples
        on the other side of no difference, never below 2 / (num_samples + 1).
    """
    assert first_SNK.shape[1:] == second_SNK.shape[1:]
    num_sentences = first_SNK.shape[1]
    rng = np.random.default_rng(seed)

    def score(weights_BN: Floats, counts_SNK: Floats) -> Floats:
        return metric(np.einsum("bn,snk->bsk", weights_BN, counts_SNK, optimize=True)).mean(axis=1)

    def difference(weights_BN: Floats) -> Floats:
        return score(weights_BN, second_SNK) - score(weights_BN, first_SNK)

    observed = float(difference(np.ones((1, num_sentences)))[0])
    differences = []
    for start in range(0, num_samples, _SAMPLES_AT_A_TIME):
        size = min(_SAMPLES_AT_A_TIME, num_samples - start)
        drawn = rng.integers(num_sentences, size=(size, num_sentences))
        drawn += np.arange(size)[:, None] * num_sentences
        times = np.bincount(drawn.ravel(), minlength=size * num_sentences)
        differences.append(difference(times.reshape(size, num_sentences).astype(np.float64)))
    sampled = np.concatenate(differences)
    below = int(np.count_nonzero(sampled <= 0))
    above = int(np.count_nonzero(sampled >= 0))
    p = min(1.0, 2 * (min(below, above) + 1) / (num_samples + 1))
    low, high = np.quantile(sampled, [0.025, 0.975])
    return Bootstrap(observed, float(low), float(high), p)


def mcnemar(first_right_N: npt.NDArray[np.bool_], second_right_N: npt.NDArray[np.bool_]) -> float:
    """Two-sided exact p of McNemar's test: are the answers only one run has right split evenly?"""
    from scipy.stats import binomtest

    only_first = int(np.count_nonzero(first_right_N & ~second_right_N))
    only_second = int(np.count_nonzero(second_right_N & ~first_right_N))
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def paired_t(first_S: Sequence[float], second_S: Sequence[float]) -> float | None:
    """Two-sided p of the paired t test over seeds; None below two seeds.

    Differences that are all alike have no variance: p is 1 where they are 0, else 0.
    """
    differences = np.subtract(second_S, first_S)
    if len(differences) < 2:
        return None
    if np.ptp(differences) == 0:
        return 1.0 if differences[0] == 0 else 0.0
    from scipy.stats import ttest_rel

    return float(ttest_rel(second_S, first_S).pvalue)


def holm(p_values_M: Sequence[float]) -> list[float]:
    """p-values corrected for having been looked at together (Holm 1979)."""
    adjusted = np.ones(len(p_values_M))
    largest = 0.0
    for rank, place in enumerate(np.argsort(p_values_M, kind="stable")):
        largest = max(largest, (len(p_values_M) - rank) * p_values_M[place])
        adjusted[place] = min(1.0, largest)
    return adjusted.tolist()


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
