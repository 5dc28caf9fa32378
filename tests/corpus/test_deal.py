"""Documents are dealt so that each goes to one language, and subsampled whole."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.corpus.deal import dealer, document_sizes, kept_pieces, subsample
from bbert.corpus.plain_text import Piece
from bbert.errors import InputError


@given(st.integers(1, 5), st.integers(0, 2**32), st.integers(0, 300))
@settings(max_examples=50, deadline=None)
def test_every_round_deals_one_document_to_each(num_shares: int, seed: int, num_rounds: int):
    share_of = dealer(num_shares, seed, "en")
    for number in range(num_rounds):
        first = number * num_shares
        shares = [share_of(first + i) for i in range(num_shares)]
        assert sorted(shares) == list(range(num_shares))


def test_dealing_depends_on_seed_and_source_alone():
    def deal(seed: int, key: str) -> list[int]:
        return list(map(dealer(2, seed, key), range(20_000)))

    assert deal(0, "en") == deal(0, "en")
    assert deal(0, "en") != deal(1, "en")
    assert deal(0, "en") != deal(0, "es")


sizes = st.lists(st.integers(1, 1000), min_size=1, max_size=60)


@given(sizes, st.integers(1, 30_000), st.integers(0, 100), st.data())
@settings(max_examples=200, deadline=None)
def test_a_subsample_fits_and_cannot_be_added_to(sizes, max_bytes, seed, data):
    sizes = np.array(sizes)
    candidates = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes)))
    )
    if candidates.any() and sizes[candidates].min() > max_bytes:
        with pytest.raises(InputError, match="--max-bytes"):
            subsample(sizes, candidates, max_bytes, seed, "en")
        return
    chosen = subsample(sizes, candidates, max_bytes, seed, "en")
    assert not (chosen & ~candidates).any()
    left = max_bytes - sizes[chosen].sum()
    assert left >= 0
    assert (sizes[candidates & ~chosen] > left).all()
    assert (chosen == subsample(sizes, candidates, max_bytes, seed, "en")).all()


def test_another_seed_keeps_other_documents():
    sizes, everything = np.full(1000, 10), np.ones(1000, bool)
    one, other = (subsample(sizes, everything, 1000, seed, "en") for seed in (0, 1))
    assert one.sum() == other.sum() == 100
    assert (one != other).any()


def test_pieces_of_one_document_stay_together():
    pieces = [
        Piece("a", True),
        Piece("b", False),
        Piece("b", False),
        Piece("", True),
        Piece("c", True),
    ]
    counts: Counter[str] = Counter()
    kept = kept_pieces(pieces, lambda number: number != 0, lambda number: number == 1, counts)
    assert list(kept) == pieces[1:4]
    assert counts == {"read": 3, "dealt": 2, "kept": 1}
    assert document_sizes(pieces).tolist() == [2, 4, 2]  # the empty end adds nothing
