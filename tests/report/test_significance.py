"""The tests of significance against scipy, brute force and known cases."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bbert.report.significance import (
    f1_of_counts,
    holm,
    mcnemar,
    paired_bootstrap,
    paired_t,
    share_right,
)


def answers(seeds: int, sentences: int, right: float, rng: np.random.Generator) -> np.ndarray:
    counts = np.ones((seeds, sentences, 2))
    counts[..., 0] = rng.random((seeds, sentences)) < right
    return counts


def test_bootstrap_interval_is_that_of_the_normal_approximation():
    rng = np.random.default_rng(0)
    first, second = answers(1, 2000, 0.60, rng), answers(1, 2000, 0.63, rng)
    result = paired_bootstrap(first, second, share_right)
    per_sentence = second[0, :, 0] - first[0, :, 0]
    error = per_sentence.std() / np.sqrt(2000)
    assert result.difference == pytest.approx(per_sentence.mean())
    assert result.low == pytest.approx(per_sentence.mean() - 1.96 * error, abs=0.002)
    assert result.high == pytest.approx(per_sentence.mean() + 1.96 * error, abs=0.002)
    expected = 2 * stats.norm.sf(abs(per_sentence.mean()) / error)
    assert result.p == pytest.approx(expected, abs=0.015)


def test_bootstrap_equals_all_samples_of_a_small_test_set():
    """Every one of the 4⁴ samples of four sentences, weighed alike."""
    first = np.array([[[1, 1, 2], [0, 1, 1], [2, 2, 2], [0, 0, 1]]], float)
    second = np.array([[[1, 2, 2], [1, 1, 1], [1, 1, 2], [1, 1, 1]]], float)
    differences = [
        f1_of_counts(second[0, list(rows)].sum(axis=0))
        - f1_of_counts(first[0, list(rows)].sum(axis=0))
        for rows in itertools.product(range(4), repeat=4)
    ]
    below = np.mean([d <= 0 for d in differences])
    above = np.mean([d >= 0 for d in differences])
    result = paired_bootstrap(first, second, f1_of_counts, num_samples=40_000)
    assert result.p == pytest.approx(min(1, 2 * min(below, above)), abs=0.01)


def test_no_difference_is_never_significant_and_a_large_one_is():
    rng = np.random.default_rng(1)
    same = answers(3, 300, 0.7, rng)
    assert paired_bootstrap(same, same, share_right).p == 1.0
    better = paired_bootstrap(answers(3, 300, 0.4, rng), answers(3, 300, 0.9, rng), share_right)
    assert better.p == pytest.approx(2 / 10_001)
    assert better.low > 0


def test_p_is_uniform_where_there_is_no_difference():
    rng = np.random.default_rng(2)
    found = [
        paired_bootstrap(
            answers(1, 200, 0.5, rng), answers(1, 200, 0.5, rng), share_right, num_samples=500
        ).p
        for _ in range(300)
    ]
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09
    assert stats.kstest(found, "uniform").pvalue > 1e-3


def test_the_same_seed_gives_the_same_p():
    rng = np.random.default_rng(3)
    pair = answers(2, 100, 0.5, rng), answers(2, 100, 0.55, rng)
    assert paired_bootstrap(*pair, share_right, 4) == paired_bootstrap(*pair, share_right, 4)
    assert paired_bootstrap(*pair, share_right, 4) != paired_bootstrap(*pair, share_right, 5)


@settings(deadline=None)  # the first case imports scipy.stats
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_the_sign_test_of_the_answers_that_differ(pairs):
    first, second = np.array(pairs).T
    differing = [(a, b) for a, b in pairs if a != b]
    expected = 1.0
    if differing:
        expected = stats.binomtest(sum(a for a, _ in differing), len(differing)).pvalue
    assert mcnemar(first, second) == pytest.approx(expected)
    assert mcnemar(first, second) == pytest.approx(mcnemar(second, first))


def test_paired_t():
    first, second = [0.60, 0.62, 0.61], [0.64, 0.65, 0.66]
    assert paired_t(first, second) == pytest.approx(stats.ttest_rel(second, first).pvalue)
    assert paired_t([0.5], [0.6]) is None
    assert paired_t([0.5, 0.5], [0.5, 0.5]) == 1.0
    assert paired_t([0.5, 0.25], [0.75, 0.5]) == 0.0


def test_holm_on_a_known_case():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_lies_between_no_correction_and_bonferroni(p_values):
    for p, adjusted in zip(p_values, holm(p_values), strict=True):
        assert p <= adjusted <= min(1, p * len(p_values)) + 1e-12
