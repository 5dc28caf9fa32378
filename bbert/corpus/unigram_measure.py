"""What `unigram` really did, measured on the finished text.

    lengths_preserved   as many documents, sentences in each and words in each sentence as before
    kl_divergence       of the words that were written from those that were counted, in nats

A sample of n words diverges from what it was drawn from by chance. How much is a sum over the
distinct words: X·ln(X/c), where a word that was counted c times is written X times, X binomial with
mean c. The mean of that sum is exact. For frequent words it comes to half a unit a type, which is
the textbook's (types − 1) / 2n; but most types of a text are rare, and one that was counted once
adds 0.57.

Shape suffix: `U` distinct words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bbert.corpus.word_counts import WordCounts

_EXACT_COUNTS = 512  # above, the expansion of the moments is exact to 1e-6
_STANDARD_ERRORS = 6


def measure_unigram(source: WordCounts, written: WordCounts) -> dict[str, Any]:
    """What the draws did.

    Args:
        source: the words of the text before.
        written: those of the text that was written.

    Returns:
        `lengths_preserved`, `kl_divergence` with `expected_kl_divergence` and `standard_error` of a
        sample of that size, `textbook_kl_divergence` = (types − 1) / 2n, `within_sampling_error`,
        `words`, `types`, `source_types`.
    """
    expected, error = expected_divergence(source.counts_U)
    divergence = kl_divergence(source, written)
    return {
        "lengths_preserved": written.lengths == source.lengths,
        "kl_divergence": divergence,
        "expected_kl_divergence": expected,
        "standard_error": error,
        "textbook_kl_divergence": max(len(source) - 1, 0) / max(2 * source.num_words, 1),
        "within_sampling_error": abs(divergence - expected) <= _STANDARD_ERRORS * error + 1e-12,
        "words": written.num_words,
        "types": len(written),
        "source_types": len(source),
    }


def kl_divergence(source: WordCounts, written: WordCounts) -> float:
    """Of the words of `written` from the distribution of `source`, in nats; infinite where a word
    is written that was never counted."""
    known = iter(source.items())
    word, count = b"", 0
    found_U, counted_U = [], []
    for other, found in written.items():  # both are in the order of their bytes
        while word < other:
            word, count = next(known, (other + b"\0", 0))
        if word != other:
            return float("inf")
        found_U.append(found)
        counted_U.append(count)
    ratio_U = np.array(found_U, np.float64) / np.array(counted_U, np.float64)
    ratio_U *= source.num_words / max(written.num_words, 1)
    return float((np.array(found_U) * np.log(ratio_U)).sum() / max(written.num_words, 1))


def expected_divergence(counts_U: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Mean and standard deviation of the divergence of a sample as large as its source.

    The mean is exact, up to 1e-6 for the frequent words, whose terms are expanded. The standard
    deviation takes the words as independent (Poisson), which is exact in the limit of many.

    Args:
        counts_U: how often each word occurs in the source.

    Returns:
        both in nats.
    """
    num_words = int(counts_U.sum())
    if not num_words:
        return 0.0, 0.0
    values, numbers = np.unique(counts_U, return_counts=True)
    mean = variance = 0.0
    for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
        of_one = _moments(value, num_words)
        mean += number * of_one[0]
        variance += number * of_one[1]
    return mean / num_words, float(np.sqrt(variance)) / num_words


def _moments(count: int, num_words: int) -> tuple[float, float]:
    """Mean of x·ln(x/c) − x + c for binomial x, variance of the same for Poisson x; mean c."""
    rest = 1 - count / num_words
    if count > _EXACT_COUNTS:
        third_and_fourth = (rest**2 / 4 - rest * (2 * rest - 1) / 6) / count
        return rest / 2 + third_and_fourth, 0.5 + 1 / (3 * count)
    from scipy.stats import binom, poisson

    x = np.arange(count + int(12 * np.sqrt(count)) + 40)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(x > 0, x * np.log(x / count), 0.0) - x + count
    mean = float((binom.pmf(x, num_words, count / num_words) * value).sum())
    probability = poisson.pmf(x, count)
    center = float((probability * value).sum())
    return mean, float((probability * (value - center) ** 2).sum())
