"""CKA: equal to float64 loops over sentences, and its known values on constructed vectors."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import rbf_kernel

from bbert.errors import InputError
from bbert.probe.cka import VARIANTS, checked, cka, debiased_hsic, gram, hsics, minibatches
from bbert.probe.cka_spread import centred_hsics, debiased_hsics, measured_cka, uncentred_hsics


def vectors(rows: int, size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, size)) + 3.0


def rotation(size: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def unbiased_by_loops(k: np.ndarray, l: np.ndarray, weights: np.ndarray) -> float:  # noqa: E741
    """The three means over different sentences, term by term."""
    sums, norms = np.zeros(3), np.zeros(3)
    rows = range(len(k))
    for i, j in permutations(rows, 2):
        weight = weights[i] * weights[j]
        sums[0] += weight * k[i, j] * l[i, j]
        norms[0] += weight
    for i, j, q in permutations(rows, 3):
        weight = weights[[i, j, q]].prod()
        sums[1] += weight * k[i, j] * l[i, q]
        norms[1] += weight
    for i, j, q, r in permutations(rows, 4):
        weight = weights[[i, j, q, r]].prod()
        sums[2] += weight * k[i, j] * l[q, r]
        norms[2] += weight
    means = sums / norms
    return float(means[0] - 2 * means[1] + means[2])


def test_the_unbiased_hsic_is_the_mean_over_different_sentences():
    x, y = vectors(7, 3, 0), vectors(7, 5, 1)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    expected = unbiased_by_loops(x @ x.T, y @ y.T, np.ones(7))
    assert debiased_hsic(x, y) == pytest.approx(expected, rel=1e-10)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=6, max_size=7).filter(lambda w: sum(map(bool, w)) > 3),
       st.integers(0, 99))  # fmt: skip
def test_a_sentence_drawn_twice_never_meets_itself(weights: list[int], seed: int):
    n = len(weights)
    w = np.array(weights, float)
    k, l = (gram(vectors(n, 4, seed + i), "debiased") for i in (0, 1))  # noqa: E741
    expected = unbiased_by_loops(k, l, w)
    assert debiased_hsics(k, l, w[:, None])[0] == pytest.approx(expected, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(("of_samples", "variant"),
                         [(uncentred_hsics, "paper"), (centred_hsics, "released")])  # fmt: skip
def test_weights_of_the_biased_variants_are_repeated_sentences(of_samples, variant: str):
    x, y = vectors(8, 3, 0), vectors(8, 3, 1)
    rows = np.array([0, 0, 1, 2, 2, 2, 5, 7])
    k, l = gram(x, variant), gram(y, variant)  # noqa: E741
    weights = np.bincount(rows, minlength=8).astype(float)[:, None]
    repeated = of_samples(k[np.ix_(rows, rows)], l[np.ix_(rows, rows)], np.ones((8, 1)))
    assert of_samples(k, l, weights) == pytest.approx(repeated)


def test_paper_is_the_printed_formula():
    x, y = vectors(20, 6, 0), vectors(20, 4, 1)
    expected = np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    assert cka(x, y, variant="paper") == pytest.approx(expected)


def test_released_is_the_centred_rbf_kernel_with_the_median_bandwidth():
    x, y = vectors(30, 6, 0), vectors(30, 4, 1)
    centre = np.eye(30) - 1 / 30
    kernels = []
    for v in (x, y):
        distances = ((v[:, None] - v) ** 2).sum(axis=2)
        kernels.append(centre @ rbf_kernel(v, gamma=1 / (2 * np.median(distances))) @ centre)
    k, l = kernels  # noqa: E741
    expected = (k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())
    assert cka(x, y, variant="released") == pytest.approx(expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_identical_vectors_have_one(variant):
    x = vectors(40, 8, 0)
    assert cka(x, x, variant=variant) == pytest.approx(1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_rotation_and_scale_change_nothing(variant):
    x, y = vectors(40, 8, 0), vectors(40, 8, 1)
    moved = 5 * y @ rotation(8, 2)
    assert cka(x, moved, variant=variant) == pytest.approx(cka(x, y, variant=variant))
    assert cka(x, 5 * x @ rotation(8, 3), variant=variant) == pytest.approx(1)


@pytest.mark.parametrize("variant", ["debiased", "released"])
def test_a_common_offset_changes_nothing_where_vectors_are_centred(variant):
    x, y = vectors(40, 8, 0), vectors(40, 8, 1)
    assert cka(x, y + 100, variant=variant) == pytest.approx(cka(x, y, variant=variant), abs=1e-9)


def test_noise_is_zero_only_when_debiased():
    """The biased values are those of FACTS: .75 linear and .84 RBF at 250 sentences, 768 dims."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 250, 768))
    assert cka(x, y) == pytest.approx(0, abs=0.02)
    assert cka(x, y, variant="paper") == pytest.approx(0.75, abs=0.02)
    assert cka(x, y, variant="released") == pytest.approx(0.84, abs=0.02)


def test_shuffled_pairs_are_zero_and_the_floor_shows_it():
    x = vectors(300, 16, 0)
    shuffled = x[np.random.default_rng(1).permutation(300)]
    assert cka(x, shuffled) == pytest.approx(0, abs=0.03)
    found = measured_cka(x, x + 0.5 * vectors(300, 16, 2), "debiased")
    assert found.value > 0.5
    assert found.floor == pytest.approx(0, abs=0.02)
    assert found.floor_high < found.low < found.value < found.high


def test_the_measured_value_is_the_plain_one_with_and_without_gram_matrices(monkeypatch):
    import bbert.probe.cka_spread as module

    x, y = vectors(60, 5, 0), vectors(60, 5, 1) + vectors(60, 5, 0)
    for variant in VARIANTS:
        plain = cka(x, y, variant=variant)
        assert measured_cka(x, y, variant).value == pytest.approx(plain)
    small = {v: measured_cka(x, y, v) for v in ("debiased", "paper")}
    monkeypatch.setattr(module, "MOST_GRAM_SENTENCES", 10)
    monkeypatch.setattr(module, "MINIBATCH", 10)
    for variant, of_grams in small.items():
        large = measured_cka(x, y, variant)
        expected = (of_grams.value, of_grams.floor, of_grams.floor_high)
        assert (large.value, large.floor, large.floor_high) == pytest.approx(expected)
        assert large.low < large.value < large.high


def test_minibatches_average_to_the_whole():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 8))
    y = x + rng.normal(size=(4000, 8))
    assert cka(x, y, minibatch=100) == pytest.approx(cka(x, y), abs=0.01)
    assert cka(x, y, minibatch=4000) == pytest.approx(cka(x, y))
    assert cka(x, y, variant="released", minibatch=250) == pytest.approx(
        cka(x[:2000], y[:2000], variant="released"), abs=0.05
    )


@pytest.mark.parametrize("size", [4, 5, 7])
def test_no_minibatch_is_too_small_for_the_unbiased_estimator(size):
    for number in range(4, 40):
        batches = list(minibatches(number, size, seed=0))
        assert sorted(np.concatenate(batches)) == list(range(number))
        assert min(map(len, batches)) >= 4
        assert max(map(len, batches)) < 2 * size
    assert [len(rows) for rows in minibatches(3, size, seed=0)] == [3]  # enough for `released`
    for number in (6, 7, 11):
        x, y = vectors(number, 5, 0), vectors(number, 5, 1)
        assert np.isfinite(cka(x, y, minibatch=size))
        assert np.isfinite(measured_cka(x, y, "debiased", minibatch=size).floor)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """CKA of two sets that share half of their variance, against that of very many sentences."""
    rng = np.random.default_rng(0)

    def drawn(rows: int) -> tuple[np.ndarray, np.ndarray]:
        common = rng.normal(size=(rows, 4))
        return common + rng.normal(size=(rows, 4)), common + rng.normal(size=(rows, 4))

    truth = cka(*drawn(100_000))
    covered = 0
    for trial in range(60):
        found = measured_cka(*drawn(80), "debiased", num_shuffles=1, seed=trial)
        assert found.low is not None
        covered += found.low <= truth <= found.high
    assert covered >= 48  # 57 expected; a bootstrap of 80 sentences is a little narrow


def test_the_same_seed_gives_the_same_numbers():
    x, y = vectors(50, 5, 0), vectors(50, 5, 1)
    assert measured_cka(x, y, "debiased", seed=3) == measured_cka(x, y, "debiased", seed=3)
    assert measured_cka(x, y, "debiased", seed=3) != measured_cka(x, y, "debiased", seed=4)
    parts = [measured_cka(x, y, "debiased", minibatch=10, seed=seed) for seed in (3, 3, 4)]
    assert parts[0] == parts[1]
    assert parts[0].value != parts[2].value, "the seed decides which sentences are together"
    assert parts[0].value == pytest.approx(cka(x, y, minibatch=10, seed=3))


def test_the_hsics_of_minibatches_are_averaged_before_the_ratio_is_taken():
    x, y = vectors(24, 3, 0), vectors(24, 3, 0) + vectors(24, 3, 1)
    parts = [hsics(checked(x, "paper", "")[rows], checked(y, "paper", "")[rows], "paper")
             for rows in minibatches(24, 6, seed=5)]  # fmt: skip
    xy, xx, yy = np.mean(parts, axis=0)
    of_means, mean = xy / np.sqrt(xx * yy), np.mean([part.ratio() for part in parts])
    assert abs(of_means - mean) > 1e-4
    assert cka(x, y, "paper", minibatch=6, seed=5) == pytest.approx(of_means, rel=1e-12)


def test_the_interval_is_that_of_95_percent():
    """Half its width is 1.96 standard deviations of the samples, 1.64 at 90 %."""
    x, y = vectors(120, 4, 0), vectors(120, 4, 0) + vectors(120, 4, 1)
    found = measured_cka(x, y, "debiased", num_samples=3000, num_shuffles=1)
    assert found.low is not None
    assert found.high is not None
    k, l = (gram(checked(v, "debiased", ""), "debiased") for v in (x, y))  # noqa: E741
    drawn = np.random.default_rng(1).multinomial(120, np.full(120, 1 / 120), size=3000).T
    xy, xx, yy = (debiased_hsics(a, b, drawn.astype(float)) for a, b in ((k, l), (k, k), (l, l)))
    expected = 1.96 * (xy / np.sqrt(xx * yy)).std()
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (vectors(3, 4, 0), vectors(3, 4, 1), "needs 4 pairs of sentences at least, not 3"),
        (vectors(5, 4, 0), vectors(6, 4, 1), "give pairs"),
        (np.zeros((6, 4)), vectors(6, 4, 1), "first vectors are zero"),
        (vectors(6, 4, 0), np.ones((6, 4)) * 7.1, "second vectors are the same"),
        (np.where(np.eye(6, 4), np.nan, 1.0), vectors(6, 4, 1), "hold NaN"),
        (np.where(np.eye(6, 4), np.inf, 1.0), vectors(6, 4, 1), "or infinity"),
        (vectors(6, 4, 0)[0], vectors(6, 4, 1), "give (N, D)"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_the_reason(x, y, says: str):
    for measure in (cka, lambda a, b: measured_cka(a, b, "debiased")):
        with pytest.raises(InputError, match=says.replace("(", r"\(").replace(")", r"\)")):
            measure(x, y)


def test_other_refusals():
    x = vectors(2100, 2, 0)
    with pytest.raises(InputError, match="--minibatch 500"):
        cka(x, x, variant="released")
    with pytest.raises(InputError, match="there is debiased, paper, released"):
        cka(x, x, variant="biased")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 4"):
        cka(x, x, minibatch=3)
    rng = np.random.default_rng(0)
    noise = np.r_[np.zeros((3, 2)), rng.normal(size=(1, 2))]
    with pytest.raises(InputError, match="not defined"):
        cka(noise, noise)
