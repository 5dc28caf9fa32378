"""Seed pieces against counting by brute force."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.corpus.seed_pieces import MAX_PIECE_SYMBOLS, seed_pieces

corpora = st.dictionaries(
    st.text("abc", min_size=1, max_size=20), st.integers(1, 4), min_size=1, max_size=12
)


def arrays(words: dict[str, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    symbols = np.array([ord(c) - ord("a") for word in words for c in word])
    remaining = np.array([len(word) - i for word in words for i in range(len(word))])
    counts = np.array([n for word, n in words.items() for _ in word])
    return symbols, remaining, counts


def by_brute_force(words: dict[str, int]) -> dict[str, int]:
    substrings: Counter[str] = Counter()
    for word, count in words.items():
        for i in range(len(word)):
            for j in range(i + 2, len(word) + 1):
                substrings[word[i:j]] += count
    return {
        s: n
        for s, n in substrings.items()
        if n >= 2
        and len(s) <= MAX_PIECE_SYMBOLS
        and (len(s) == MAX_PIECE_SYMBOLS or all(substrings[s + c] < n for c in "abc"))
    }


@settings(deadline=None)
@given(corpora)
def test_they_are_the_repeated_substrings_that_branch(words: dict[str, int]) -> None:
    text = "".join(words)
    found = seed_pieces(*arrays(words), max_seeds=10**6)
    assert {text[start : start + length]: n for start, length, n in found} == by_brute_force(words)
    scores = [length * n for _, length, n in found]
    assert scores == sorted(scores, reverse=True)
    assert seed_pieces(*arrays(words), max_seeds=3) == found[:3]
