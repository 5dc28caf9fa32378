"""Shares of several languages: smoothed, exact, and what the vocabulary's sample makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbert.corpus.language_shares import mix, row_units, sample_sizes, smoothed_shares

languages = st.lists(
    st.tuples(st.integers(1, 10**8), st.integers(1, 10**3)), min_size=1, max_size=8
)
exponents = st.floats(0, 1)


def test_shares_follow_the_exponent() -> None:
    shares = smoothed_shares([100, 1600], 0.7)
    assert shares[1] / shares[0] == pytest.approx(16**0.7)
    assert smoothed_shares([100, 1600], 0).tolist() == [0.5, 0.5]
    assert smoothed_shares([100, 300], 1).tolist() == [0.25, 0.75]


@given(languages, exponents)
def test_rows_make_up_a_whole_and_sentences_come_in_the_expected_shares(sizes, smoothing) -> None:
    sentences = [count for count, _ in sizes]
    pieces = [count * length for count, length in sizes]
    units = row_units(sentences, pieces, smoothing)
    assert units.sum() == 1 << 24
    assert units.min() >= 1
    told = mix([f"l{i}" for i in range(len(sizes))], sentences, pieces, smoothing)["languages"]
    assert [entry["rows"] * 2**24 for entry in told.values()] == units.tolist()
    for entry in told.values():
        # One row in 2**24 more or less, of sentences up to 1000 times as long as the others.
        assert entry["realised"] == pytest.approx(entry["expected"], abs=1e3 * len(sizes) / 2**24)
        assert entry["passes"] == pytest.approx(entry["realised"] / entry["natural"])
    for key in ("natural", "expected", "realised", "rows"):
        assert sum(entry[key] for entry in told.values()) == pytest.approx(1)


@given(st.integers(1, 10**8), st.integers(1, 500), exponents)
def test_equal_languages_get_equal_rows(sentences, length, smoothing) -> None:
    both = row_units([sentences] * 2, [sentences * length] * 2, smoothing)
    assert both.tolist() == [1 << 23] * 2


def test_longer_sentences_get_more_rows() -> None:
    """Rows are cut from word-pieces, shares are of sentences."""
    assert row_units([100, 100], [1000, 3000], 0.7).tolist() == [1 << 22, 3 << 22]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10**6), min_size=1),
    exponents,
    st.integers(1, 10**7),
)
def test_a_sample_has_the_shares_and_leaves_nothing_out_where_there_is_room(
    sizes, smoothing, at_most
) -> None:
    wanted = sample_sizes(sizes, smoothing, at_most)
    total = sum(wanted.values())
    assert total <= at_most + len(sizes)
    present = {name: size for name, size in sizes.items() if size}
    assert all(wanted[name] == 0 for name in sizes.keys() - present.keys())
    if not present:
        return
    shares = smoothed_shares(list(present.values()), smoothing)
    for name, share in zip(present, shares, strict=True):
        assert wanted[name] == pytest.approx(total * share, abs=1 + len(sizes) * share)
    if total < at_most - len(sizes):
        assert all(wanted[name] >= size for name, size in present.items())


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 10**6), min_size=1))
def test_natural_shares_give_every_sentence_once(sizes) -> None:
    assert sample_sizes(sizes, 1, 10**9) == sizes


def test_no_language_is_forgotten() -> None:
    units = row_units([10**9, 1], [10**11, 1], 1)
    assert units.tolist() == [(1 << 24) - 1, 1]
    assert np.all(row_units([10**9, 1, 1, 1], [10**11, 1, 1, 1], 1) >= 1)
