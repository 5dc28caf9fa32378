"""What permutation did: measured for many sentences at once as for each by its definition."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.corpus.order_measure import MEASURES, _compare, _measures, _Shuffled


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
    found_SM, drawn_SRM = _measures(sentences, 2)
    np.testing.assert_array_equal(found_SM, np.array(expected)[:, 0])
    np.testing.assert_array_equal(drawn_SRM, np.array(expected)[:, 1:])


def test_nothing_to_compare():
    found_SM, drawn_SRM = _measures({}, 2)
    assert found_SM.shape == (0, len(MEASURES))
    assert drawn_SRM.shape == (0, 2, len(MEASURES))
