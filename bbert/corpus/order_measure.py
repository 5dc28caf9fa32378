"""What `permute` really did, measured on the finished token store.

While a text is encoded a sample of its sentences is kept as they were. Afterwards the same ones are
read back from the store and compared. What should have come out is found by an independent route:
the same sentences, shuffled by plain loops with another generator. Both are measured alike, on the
word-pieces that occur once in their sentence, whose old and new places are known.

    kendall_tau       order of all pairs: 1 as before, 0 at random (mean over sentences)
    fixed_positions   share of word-pieces that stand where they stood
    kept_bigrams      share of neighbours that still follow each other

Shape suffixes: `P` word-pieces, `S` sentences, `N` word-pieces of one sentence.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bbert.corpus.permute import Permutation
from bbert.corpus.token_store import TokenStore
from bbert.counter_random import draw, stream_key

MEASURES = ("kendall_tau", "fixed_positions", "kept_bigrams")
SAMPLE_SENTENCES = 4000
LONGEST = 256
"""Longer sentences are not measured: comparing all pairs takes the square of the length."""
_STANDARD_ERRORS = 6

Ids = npt.NDArray[np.uint32]


class _Sentence(NamedTuple):
    rank: int
    number: int
    ids_N: Ids


@dataclass
class OrderSample:
    """Sentences as they were before they were permuted: those with the smallest hashes."""

    seed: int
    size: int = SAMPLE_SENTENCES
    _kept: list[_Sentence] = field(default_factory=list)
    _largest: int = (1 << 64) - 1

    def add(
        self, first_sentence: int, ids_P: npt.NDArray[Any], lengths_S: npt.NDArray[np.int64]
    ) -> None:
        """Look at consecutive sentences, the first of which has that number."""
        numbers_S = np.arange(first_sentence, first_sentence + len(lengths_S))
        ranks_S = draw(stream_key(self.seed, "order sample"), numbers_S)
        wanted_S = (ranks_S <= self._largest) & (lengths_S > 1) & (lengths_S <= LONGEST)
        starts_S = np.cumsum(lengths_S) - lengths_S
        for s in np.flatnonzero(wanted_S):
            ids_N = ids_P[starts_S[s] : starts_S[s] + lengths_S[s]].astype(np.uint32)
            self._kept.append(_Sentence(int(ranks_S[s]), int(numbers_S[s]), ids_N))
        if len(self._kept) > 2 * self.size:
            self._prune()

    def save(self, path: Path) -> None:
        """Write numbers and ids (`.npz`)."""
        self._prune()
        numbers = np.array([sentence.number for sentence in self._kept], np.int64)
        lengths = np.array([len(sentence.ids_N) for sentence in self._kept], np.int64)
        ids = np.concatenate([np.zeros(0, np.uint32), *(s.ids_N for s in self._kept)])
        np.savez(path, numbers=numbers, lengths=lengths, ids=ids)

    def _prune(self) -> None:
        self._kept.sort(key=lambda sentence: sentence.rank)
        del self._kept[self.size :]
        if len(self._kept) == self.size:
            self._largest = self._kept[-1].rank


def measure_order(sample: Path, store: TokenStore, permutation: Permutation) -> dict[str, Any]:
    """Compare the sample with the store.

    Args:
        sample: what `OrderSample.save` wrote.
        store: the finished token store.
        permutation: what should have been done.

    Returns:
        every measure with `expected_<measure>` and `standard_error_<measure>` of their difference;
        `sentences` measured; `same_word_pieces`: whether every sentence has the pieces it had;
        `within_sampling_error`.
    """
    saved = np.load(sample)
    bounds = np.concatenate([[0], np.cumsum(saved["lengths"])])
    generator = random.Random(permutation.seed + 1)
    realised, expected = [], []
    same = True
    for place, number in enumerate(saved["numbers"].tolist()):
        before_N = saved["ids"][bounds[place] : bounds[place + 1]]
        after_N = store[number]
        if not np.array_equal(np.sort(before_N), np.sort(after_N)):
            same = False
            continue
        order = slow_order(len(before_N), permutation.p, permutation.variant, generator)
        realised.append(_compare(before_N, after_N))
        expected.append(_compare(before_N, before_N[order]))
    result: dict[str, Any] = {"sentences": len(realised), "same_word_pieces": same}
    within = same
    for column, name in enumerate(MEASURES):
        pairs = [
            (one[column], other[column])
            for one, other in zip(realised, expected, strict=True)
            if one[column] is not None
        ]
        found_S, wanted_S = np.array(pairs, np.float64).reshape(-1, 2).T
        difference_S = found_S - wanted_S
        number = max(len(difference_S), 1)
        error = float(difference_S.std(ddof=1) / np.sqrt(number)) if number > 1 else 0.0
        result[name] = float(found_S.mean()) if len(found_S) else None
        result[f"expected_{name}"] = float(wanted_S.mean()) if len(found_S) else None
        result[f"standard_error_{name}"] = error
        if len(difference_S):
            within &= abs(float(difference_S.mean())) <= _STANDARD_ERRORS * error + 1e-12
    result["within_sampling_error"] = bool(within)
    return result


def slow_order(length: int, p: float, variant: str, generator: random.Random) -> list[int]:
    """The order of one sentence, as one would write it down from the definition."""
    order = list(range(length))
    if variant == "positions":
        chosen = [place for place in order if generator.random() < p]
        shuffled = generator.sample(chosen, len(chosen))
        for place, source in zip(chosen, shuffled, strict=True):
            order[place] = source
        return order
    pairs = length - 1 if variant == "released" else length * (length - 1) // 2
    for _ in range(int(pairs * p)):
        i, j = generator.sample(range(length), 2)
        order[i], order[j] = order[j], order[i]
    return order


def _compare(
    before_N: npt.NDArray[Any], after_N: npt.NDArray[Any]
) -> tuple[float | None, float | None, float | None]:
    """Tau, fixed and kept bigrams of one sentence; None where nothing in it can be measured."""
    values, first, counts = np.unique(before_N, return_index=True, return_counts=True)
    once = counts == 1
    if not once.any():
        return None, None, None
    places = dict(zip(values[once].tolist(), first[once].tolist(), strict=True))
    new_place = np.full(len(before_N), -1)
    for place, value in enumerate(after_N.tolist()):
        if value in places:
            new_place[places[value]] = place
    known = np.flatnonzero(new_place >= 0)
    new = new_place[known]
    fixed = float((new == known).mean())
    tau = None
    if len(new) > 1:
        signs = np.sign(new[None, :] - new[:, None])
        tau = float(signs[np.triu_indices(len(new), 1)].mean())
    both = np.flatnonzero((new_place[:-1] >= 0) & (new_place[1:] >= 0))
    kept = float((new_place[both + 1] == new_place[both] + 1).mean()) if len(both) else None
    return tau, fixed, kept
