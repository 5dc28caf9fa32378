"""Permutation: the measured table of the three variants, and what must never change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.corpus.order_measure import slow_order
from bbert.corpus.permute import (
    VARIANTS,
    Permutation,
    num_transpositions,
    permute,
    permuted_order,
)

# Fixed positions, kept bigrams and Kendall's tau of sentences of 25 word-pieces, as the released
# scripts and the text of the paper give them (mean of 2000).
TABLE = {
    ("released", 0.25): (0.61, 0.37, 0.51),
    ("released", 0.5): (0.38, 0.15, 0.28),
    ("released", 1.0): (0.16, 0.05, 0.09),
    ("positions", 0.25): (0.79, 0.63, 0.73),
    ("positions", 0.5): (0.54, 0.30, 0.45),
    ("positions", 1.0): (0.04, 0.04, 0.00),
    ("paper", 0.25): (0.04, 0.04, -0.01),
    ("paper", 0.5): (0.04, 0.04, 0.01),
    ("paper", 1.0): (0.04, 0.04, 0.00),
}


def keys(number: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1 << 64, size=number, dtype=np.uint64)


def orders(lengths, p: float, variant: str, seed: int = 0) -> list[np.ndarray]:
    """The order of each sentence, from 0."""
    lengths = np.asarray(lengths, np.int64)
    order = permuted_order(lengths, p, variant, keys(len(lengths), seed))
    starts = np.cumsum(lengths) - lengths
    return [order[s : s + n] - s for s, n in zip(starts, lengths, strict=True)]


def measures(found: np.ndarray) -> tuple[float, float, float]:
    places = np.arange(found.shape[1])
    signs = np.sign(found[:, None, :] - found[:, :, None])
    tau = signs[:, *np.triu_indices(found.shape[1], 1)].mean()
    return float((found == places).mean()), float((np.diff(found) == 1).mean()), float(tau)


@pytest.mark.parametrize(("variant", "p"), TABLE)
def test_the_measured_table(variant, p):
    found = np.array(orders(np.full(2000, 25), p, variant))
    assert measures(found) == pytest.approx(TABLE[variant, p], abs=0.017)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("length", [2, 3, 7, 40])
def test_as_the_definition_written_out(variant, length):
    """Against plain loops with another generator, at a share that is no boundary."""
    number, p = 3000, 0.3
    generator = np.random.default_rng(1)
    found = np.array(orders(np.full(number, length), p, variant))
    slow = np.array([slow_order(length, p, variant, generator) for _ in range(number)])
    assert measures(found) == pytest.approx(measures(slow), abs=0.06)


@given(
    st.lists(st.integers(0, 60), max_size=40),
    st.floats(0, 1),
    st.sampled_from(VARIANTS),
    st.integers(0, 5),
)
@settings(max_examples=200, deadline=None)
def test_every_sentence_keeps_its_pieces_and_its_place(lengths, p, variant, seed):
    for order, length in zip(orders(lengths, p, variant, seed), lengths, strict=True):
        assert sorted(order.tolist()) == list(range(length))
        if p == 0:
            assert order.tolist() == list(range(length))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.sampled_from(VARIANTS))
@settings(max_examples=100, deadline=None)
def test_a_sentence_does_not_depend_on_its_neighbours(lengths, variant):
    """Many sentences at once, or each alone: with array operations or without."""
    permutation = Permutation(0.7, variant, 3, "enfake")
    together = permutation.order(5, np.array(lengths, np.int64))
    alone, start = [], 0
    for number, length in enumerate(lengths):
        alone.append(permutation.order(5 + number, np.array([length])) + start)
        start += length
    assert together.tolist() == np.concatenate(alone).tolist()


def test_sentences_languages_and_seeds_get_orders_of_their_own():
    lengths = np.full(2, 30)
    first = Permutation(1.0, "released", 0, "enfake").order(0, lengths)
    assert (first[:30] != first[30:] - 30).any()
    assert (first != Permutation(1.0, "released", 1, "enfake").order(0, lengths)).any()
    assert (first != Permutation(1.0, "released", 0, "es").order(0, lengths)).any()


def test_long_sentences_are_shuffled_uniformly_under_the_paper_variant():
    (order,) = orders([100_000], 1.0, "paper")
    assert np.corrcoef(order, np.arange(100_000))[0, 1] == pytest.approx(0, abs=0.015)
    assert sorted(order.tolist()) == list(range(100_000))


def test_number_of_transpositions():
    lengths = np.array([0, 1, 2, 5, 25])
    assert num_transpositions(lengths, 0.25, "released").tolist() == [0, 0, 0, 1, 6]
    assert num_transpositions(lengths, 0.25, "paper").tolist() == [0, 0, 0, 2, 75]


def test_one_sentence():
    ids = np.array([5, 6, 7, 8, 9, 10], np.uint16)
    rng = np.random.default_rng(0)
    found = permute(ids, 1.0, "released", rng)
    assert found.dtype == np.uint16
    assert sorted(found) == ids.tolist()
    again = permute(ids, 1.0, "released", np.random.default_rng(0))
    assert found.tolist() == again.tolist()
    assert (permute(ids, 1.0, "released", rng) != found).any()
    assert permute(ids, 0.0, "paper", rng).tolist() == ids.tolist()
    assert not len(permute(np.zeros(0, np.int64), 1.0, "positions", rng))


def test_wrong_arguments_are_refused():
    rng = np.random.default_rng(0)
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="not within 0 and 1"):
            permute(np.arange(4), p, "released", rng)
    with pytest.raises(ValueError, match="none of released, positions, paper"):
        permute(np.arange(4), 0.5, "shuffle", rng)  # type: ignore[arg-type]
