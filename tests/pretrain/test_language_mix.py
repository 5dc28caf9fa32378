"""Rows are dealt out to languages in smoothed shares, evenly, and every counter is complete."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.pretrain.language_mix import LanguageMix

sizes = st.lists(st.integers(1, 10**9), min_size=1, max_size=5)


@settings(max_examples=100, deadline=None)
@given(tokens=sizes, smoothing=st.sampled_from([0.0, 0.7, 1.0]), first=st.integers(0, 10**9))
def test_every_stretch_of_rows_holds_each_share_to_within_rounding(tokens, smoothing, first):
    mix = LanguageMix(tokens, smoothing)
    language, _ = mix.deal(np.arange(first, first + 500))
    counts = np.bincount(language, minlength=len(tokens))
    assert np.abs(counts - 500 * mix.shares).max() < len(tokens) + 1


@settings(max_examples=50, deadline=None)
@given(tokens=sizes)
def test_a_languages_rows_are_counted_one_by_one(tokens):
    language, counter = LanguageMix(tokens, 0.7).deal(np.arange(400))
    for number in range(len(tokens)):
        mine = counter[language == number]
        assert mine.tolist() == list(range(len(mine)))


def test_shares_follow_the_smoothing_exponent():
    shares = LanguageMix([100, 1600], 0.7).shares
    assert shares[1] / shares[0] == pytest.approx(16**0.7)
    assert LanguageMix([100, 1600], 0.0).shares.tolist() == [0.5, 0.5]
    assert LanguageMix([100, 300], 1.0).shares.tolist() == [0.25, 0.75]


def test_a_row_is_dealt_the_same_alone_and_among_others():
    mix = LanguageMix([3, 5, 7], 0.7)
    language, counter = mix.deal(np.arange(1000, 1100))
    alone = mix.deal(np.array([1042]))
    assert (language[42], counter[42]) == (alone[0][0], alone[1][0])


def test_arithmetic_is_exact_at_the_end_of_the_largest_run():
    last = 500_000 * 2_048  # K et al. 2020, table 10
    language, counter = LanguageMix([1, 1], 0.7).deal(np.arange(last - 4, last))
    assert sorted(counter[language == 0].tolist()) == [last // 2 - 2, last // 2 - 1]
