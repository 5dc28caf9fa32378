"""What permutation did: measured for many sentences at once as for each by its definition."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.corpus.order_measure import (
    MEASURES,
    OrderSample,
    _compare,
    _measures,
    _Shuffled,
    measure_order,
)
from bbert.corpus.permute import Permutation


def slow_measures(before: list[int], after: list[int]) -> list[float]:
    """Tau, fixed and kept bigrams of one sentence, as their definitions say."""
    once = [piece for piece in before if before.count(piece) == 1]
    new = [after.index(piece) for piece in once]
    pairs = [(i, j) for i in range(len(once)) for j in range(i + 1, len(once))]
    kept = [
        after.index(piece) + 1 == after.index(following)
        for piece, following in pairwise(before)
        if piece in once and following in once
    ]
    tau = [1 if new[i] < new[j] else -1 for i, j in pairs]
    fixed = [before.index(piece) == place for piece, place in zip(once, new, strict=True)]
    return [np.mean(values) if values else np.nan for values in (tau, fixed, kept)]


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(1, 12),
    sentences=st.integers(1, 8),
    types=st.integers(1, 30),
    seed=st.integers(0, 1000),
)
def test_all_sentences_at_once_are_each_by_itself(length, sentences, types, seed):
    generator = np.random.default_rng(seed)
    before = generator.integers(types, size=(sentences, length), dtype=np.uint32)
    after = generator.permuted(before, axis=1)
    expected = [slow_measures(*pair) for pair in zip(before.tolist(), after.tolist(), strict=True)]
    np.testing.assert_array_equal(_compare(before, after), np.array(expected))


@pytest.mark.parametrize("at_once", [1, 10_000])
def test_results_stand_in_the_order_of_the_sample(monkeypatch, at_once: int):
    monkeypatch.setattr("bbert.corpus.order_measure._COMPARED_AT_ONCE", at_once)
    generator = np.random.default_rng(0)
    sentences: dict[int, list[_Shuffled]] = {}
    expected = []
    for place in range(20):
        before = generator.integers(9, size=2 + place % 3, dtype=np.uint32)
        after = [generator.permutation(before) for _ in range(3)]
        sentences.setdefault(len(before), []).append(_Shuffled(place, before, after))
        expected.append([slow_measures(before.tolist(), one.tolist()) for one in after])
    measured = _measures(sentences)
    np.testing.assert_array_equal(measured.places_S, np.arange(20))
    np.testing.assert_array_equal(measured.found_SM, np.array(expected)[:, 0])
    drawn_SRM = np.array(expected)[:, 1:]
    np.testing.assert_allclose(measured.expected_SM, drawn_SRM.mean(axis=1))
    np.testing.assert_allclose(measured.variance_SM, drawn_SRM.var(axis=1, ddof=1))


def test_one_shuffle_has_no_spread():
    before = np.arange(4, dtype=np.uint32)
    measured = _measures({4: [_Shuffled(0, before, [before[::-1], before])]})
    np.testing.assert_array_equal(measured.found_SM, [[-1, 0, 0]])
    np.testing.assert_array_equal(measured.expected_SM, [[1, 1, 1]])
    np.testing.assert_array_equal(measured.variance_SM, [[0, 0, 0]])


def test_nothing_to_compare():
    for part in _measures({})[1:]:
        assert part.shape == (0, len(MEASURES))


def measured_order(folder: Path, lengths: list[int], permutation: Permutation, done) -> dict:
    """What is measured where `done` was, a permutation or "nothing"."""
    lengths_S = np.array(lengths)
    ids_P = np.random.default_rng(0).integers(1000, size=lengths_S.sum(), dtype=np.uint32)
    sample = OrderSample(permutation.seed)
    sample.add(0, ids_P, lengths_S)
    sample.save(folder / "sample.npz")
    after_P = ids_P if done == "nothing" else ids_P[done.order(0, lengths_S)]
    store: Any = np.split(after_P, np.cumsum(lengths_S)[:-1])
    return measure_order(folder / "sample.npz", store, permutation)


@pytest.mark.parametrize(
    ("p", "variant", "lengths"),
    [
        (0.06, "released", [3] * 3990 + [18, 18, 18, 19, 20]),  # the last five are swapped in once
        (0.02, "released", [3] * 3990 + [55]),
        (0.02, "paper", [4] * 3990 + [11, 11]),
        (0.001, "positions", list(range(4, 24)) * 200),
    ],
)
def test_few_sentences_that_change_are_not_taken_for_a_fault(
    tmp_path: Path, p: float, variant: Any, lengths: list[int]
):
    """What two shuffles of each say of the spread is chance itself: it may be none."""
    for seed in range(8):
        permutation = Permutation(p, variant, seed, "en")
        measured = measured_order(tmp_path, lengths, permutation, permutation)
        assert measured["within_sampling_error"], (seed, measured)
        assert all(measured[f"standard_error_{name}"] > 0 for name in MEASURES)


@pytest.mark.parametrize("done", ["nothing", Permutation(0.25, "released", 0, "en")])
def test_what_was_not_done_to_few_sentences_is_found(tmp_path: Path, done):
    lengths = [3] * 3900 + [18, 19, 20] * 20
    permutation = Permutation(0.06, "released", 0, "en")
    assert measured_order(tmp_path, lengths, permutation, permutation)["within_sampling_error"]
    assert not measured_order(tmp_path, lengths, permutation, done)["within_sampling_error"]


def test_where_nothing_can_change_nothing_may(tmp_path: Path):
    lengths = [3] * 300 + [12]
    permutation = Permutation(0.02, "released", 0, "en")
    measured = measured_order(tmp_path, lengths, permutation, "nothing")
    assert measured["within_sampling_error"]
    assert measured["standard_error_kendall_tau"] == 0
    one_swap = Permutation(0.1, "released", 0, "en")
    assert not measured_order(tmp_path, lengths, permutation, one_swap)["within_sampling_error"]


def test_within_sampling_error_are_six_standard_errors_at_most(tmp_path: Path):
    permutation = Permutation(0.5, "positions", 0, "en")
    farthest = []
    for p in (0.5, 0.505, 0.51, 0.52, 0.53):
        done = Permutation(p, "positions", 0, "en")
        measured = measured_order(tmp_path, [20] * 1500, permutation, done)
        errors = [
            abs(measured[name] - measured[f"expected_{name}"]) / measured[f"standard_error_{name}"]
            for name in MEASURES
        ]
        farthest.append(max(errors))
        assert measured["within_sampling_error"] == (max(errors) <= 6)
    assert min(farthest) < 4
    assert any(6 < error < 20 for error in farthest)
