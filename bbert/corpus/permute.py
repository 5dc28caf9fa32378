"""`permute`: the word-pieces of a sentence in another order (K et al. 2020, section 3.2.2).

Three readings of "permute a share p" of a sentence of L word-pieces:

    released    int((L − 1) · p) transpositions one after another, the first place uniform, the
                second uniform among the others: what the authors' code does. Graded in p.
    positions   every position is chosen with probability p, and the chosen ones are shuffled among
                themselves. Graded in p; exactly uniform at 1.
    paper       int(p · L(L − 1)/2) transpositions, the number the text names. Already a uniform
                shuffle at p = 0.25, so that it cannot give the graded table 2 of the paper.

Transpositions are drawn with replacement. Where `paper` asks for more than 2 · L · ln L, the
sentence is shuffled uniformly instead: random transpositions mix in ½ · L · ln L, and after four
times that the distance to a uniform shuffle is about 1/L³ (Diaconis, Shahshahani 1981).

A sentence's order depends on its key and its length only, never on its neighbours, so that blocks
and worker processes do not matter. What is returned is an order: ids, words and whatever else
belongs to a word-piece travel together.

Shape suffixes: `S` sentences, `P` word-pieces of all sentences together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bbert.corpus.corpus_interventions import VARIANTS, PermuteVariant
from bbert.counter_random import below, draw, stream_key, uniform

_FIRST_PLACE, _SECOND_PLACE, _CHOSEN, _SHUFFLE = range(4)
"""Purposes of the random numbers of one sentence."""
_FEW_SENTENCES = 48
"""With fewer to swap in, plain Python is faster than array operations."""
_DRAWN_TOGETHER = 1 << 15
"""Places: their arrays stay in a core's cache."""
_MIXED = 2.0
"""Times L ln L transpositions."""

Order = npt.NDArray[np.int64]


def permute(
    ids: npt.ArrayLike, p: float, variant: PermuteVariant, rng: np.random.Generator
) -> npt.NDArray[Any]:
    """One sentence in another order.

    Args:
        ids: word-pieces (P,), any dtype.
        p: how much, from 0 (nothing changes) to 1.
        variant: "released", "positions" or "paper", see the head of this file.
        rng: gives the sentence its key.

    Raises:
        ValueError: p is not within 0 and 1, or the variant is unknown.
    """
    ids_P = np.asarray(ids)
    key_S = rng.integers(1 << 64, size=1, dtype=np.uint64)
    return ids_P[permuted_order(np.array([len(ids_P)]), p, variant, key_S)]


def permuted_order(
    lengths_S: npt.NDArray[np.int64], p: float, variant: str, key_S: npt.NDArray[np.uint64]
) -> Order:
    """Orders of many sentences at once.

    Args:
        lengths_S: word-pieces of each sentence.
        p: how much, from 0 to 1.
        variant: see the head of this file.
        key_S: a key for each sentence.

    Returns:
        order_P (int64): `values_P[order_P]` has every sentence permuted within its place.

    Raises:
        ValueError: p is not within 0 and 1, or the variant is unknown.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p = {p} is not within 0 and 1")
    if variant not in VARIANTS:
        raise ValueError(f"variant {variant!r} is none of {', '.join(VARIANTS)}")
    starts_S = np.cumsum(lengths_S) - lengths_S
    if variant == "positions":
        return _shuffled_positions(lengths_S, starts_S, p, key_S)
    num_swaps_S = num_transpositions(lengths_S, p, variant)
    mixed_S = _is_mixed(lengths_S, num_swaps_S) if variant == "paper" else np.zeros(1, np.bool_)
    if not mixed_S.any():
        return _transposed(lengths_S, starts_S, num_swaps_S, key_S)
    order_P = _transposed(lengths_S, starts_S, np.where(mixed_S, 0, num_swaps_S), key_S)
    mixed_P = np.flatnonzero(np.repeat(mixed_S, lengths_S))
    lengths_S = lengths_S[mixed_S]
    starts_S = np.cumsum(lengths_S) - lengths_S
    order_P[mixed_P] = mixed_P[_shuffled_positions(lengths_S, starts_S, 1.0, key_S[mixed_S])]
    return order_P


@dataclass(frozen=True)
class Permutation:
    """The `permute` intervention of one language: each sentence has a key from its number."""

    p: float
    variant: PermuteVariant
    seed: int
    language: str

    def order(self, first_sentence: int, lengths_S: npt.NDArray[np.int64]) -> Order:
        """`permuted_order` of consecutive sentences, the first of which has that number."""
        number_S = np.arange(first_sentence, first_sentence + len(lengths_S))
        key_S = draw(stream_key(self.seed, f"permute {self.language}"), number_S)
        return permuted_order(lengths_S, self.p, self.variant, key_S)


def num_transpositions(
    lengths_S: npt.NDArray[np.int64], p: float, variant: str
) -> npt.NDArray[np.int64]:
    """Transpositions (int64) of sentences of these lengths under `released` or `paper`."""
    places = lengths_S - 1 if variant == "released" else lengths_S * (lengths_S - 1) // 2
    return np.floor(np.maximum(places, 0) * p).astype(np.int64)


def _is_mixed(
    lengths_S: npt.NDArray[np.int64], num_swaps_S: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    length_S = np.maximum(lengths_S, 2)
    return num_swaps_S > _MIXED * length_S * np.log(length_S)


def _shuffled_positions(
    lengths_S: npt.NDArray[np.int64],
    starts_S: npt.NDArray[np.int64],
    p: float,
    key_S: npt.NDArray[np.uint64],
) -> Order:
    order_P = np.arange(int(lengths_S.sum()))
    place_P = order_P - np.repeat(starts_S, lengths_S)
    sentence_P = np.repeat(np.arange(len(lengths_S), dtype=np.uint64), lengths_S)
    shuffle_P = np.repeat(draw(key_S, _SHUFFLE), lengths_S)
    if p < 1:
        chosen = np.flatnonzero(uniform(np.repeat(draw(key_S, _CHOSEN), lengths_S), place_P) < p)
        place_P, sentence_P, shuffle_P = place_P[chosen], sentence_P[chosen], shuffle_P[chosen]
    else:
        chosen = order_P
    # Sentences stay in their order, the chosen places of each come in a random one: one sort of
    # (sentence, random number), whose about 48 bits do not meet twice in a sentence. The stable
    # sort makes use of numbers that are in order but for those near each other.
    bits = max(1, math.ceil(math.log2(len(lengths_S) + 1)))
    ranked = sentence_P << np.uint64(64 - bits)
    ranked |= draw(shuffle_P, place_P) >> np.uint64(bits)
    order_P[chosen] = chosen[np.argsort(ranked, kind="stable")]
    return order_P


def _transposed(
    lengths_S: npt.NDArray[np.int64],
    starts_S: npt.NDArray[np.int64],
    num_swaps_S: npt.NDArray[np.int64],
    key_S: npt.NDArray[np.uint64],
) -> Order:
    """The first transposition of every sentence, then the second of those that have one, and so on:
    within a sentence they happen one after another, across sentences all at once."""
    order_P = np.arange(int(lengths_S.sum()))
    by_number = np.argsort(-num_swaps_S, kind="stable")  # those with most swaps first
    num_swaps_S, starts_S = num_swaps_S[by_number], starts_S[by_number]
    lengths_S, key_S = lengths_S[by_number], key_S[by_number]
    first_key_S, second_key_S = draw(key_S, _FIRST_PLACE), draw(key_S, _SECOND_PLACE)
    num_left = int(np.count_nonzero(num_swaps_S))
    turn = 0
    while num_left > _FEW_SENTENCES:
        # The places of several turns are drawn together: T turns by sentences that are left.
        turns_T = np.arange(turn, turn + max(1, _DRAWN_TOGETHER // num_left))
        now = slice(num_left)
        first_TS, second_TS = _places(
            first_key_S[now], second_key_S[now], turns_T[:, None], lengths_S[now]
        )
        first_TS += starts_S[now]
        second_TS += starts_S[now]
        left_T = np.searchsorted(-num_swaps_S, -turns_T, side="left")
        for first_S, second_S, left in zip(first_TS, second_TS, left_T.tolist(), strict=True):
            if left <= _FEW_SENTENCES:
                break
            first, second = first_S[:left], second_S[:left]
            moved = order_P.take(first)
            order_P[first] = order_P.take(second)
            order_P[second] = moved
            turn += 1
        num_left = int(np.searchsorted(-num_swaps_S, -turn, side="left"))
    for s in range(num_left):
        turns = np.arange(turn, int(num_swaps_S[s]))
        first, second = _places(first_key_S[s], second_key_S[s], turns, int(lengths_S[s]))
        here = slice(int(starts_S[s]), int(starts_S[s] + lengths_S[s]))
        sentence = order_P[here].tolist()
        for i, j in zip(first.tolist(), second.tolist(), strict=True):
            sentence[i], sentence[j] = sentence[j], sentence[i]
        order_P[here] = sentence
    return order_P


def _places(
    first_key: npt.NDArray[np.uint64] | np.uint64,
    second_key: npt.NDArray[np.uint64] | np.uint64,
    turn: npt.NDArray[np.int64] | int,
    length: npt.NDArray[np.int64] | int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Two different places: the second is uniform among the others."""
    first = below(first_key, turn, length)
    second = below(second_key, turn, length - 1)
    second += second >= first
    return first, second
