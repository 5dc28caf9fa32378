"""What `permute` really did, measured on the finished token store.

While a text is encoded a sample of its sentences is kept as they were. Afterwards the same ones are
read back from the store and compared. What should have come out is found by an independent route:
the same sentences, shuffled by plain loops with another generator: those that can change at all, at
least twice each and as often as it takes to know the spread. Both are measured alike, on the
word-pieces that occur once in their sentence, whose old and new places are known.

    kendall_tau       order of all pairs: 1 as before, 0 at random (mean over sentences)
    fixed_positions   share of word-pieces that stand where they stood
    kept_bigrams      share of neighbours that still follow each other

Shape suffixes: `P` word-pieces, `S` sentences, `R` shuffles of each, `M` measures, `N` word-pieces
of one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bbert.corpus.permute import Permutation, num_transpositions
from bbert.corpus.token_store import TokenStore
from bbert.counter_random import draw, stream_key

MEASURES = ("kendall_tau", "fixed_positions", "kept_bigrams")
SAMPLE_SENTENCES = 4000
_ONE_SWAP = ((8.0, 2.0), (2.0, 1.0), (4.0, 1.0))
"""What one swap changes each measure by at the most: so much over the length, but never more than
the second number. Of two places d apart, 2d - 1 of L(L - 1)/2 pairs turn round; two pieces leave
their places, and four pairs of neighbours part."""
LONGEST = 256
"""Longer sentences are not measured: comparing all pairs takes the square of the length."""
_STANDARD_ERRORS = 6
_EXPECTATION = 0x4E_03  # purpose of the generator's seed
_SIMULATED = 4000
"""Shuffles for the expectation of all sentences together, at the least."""
_MOST_SWAPS = 20_000_000
"""Of all of them together: about ten seconds. Where it takes more, fewer sentences are measured."""

_COMPARED_AT_ONCE = 1 << 21
"""Pairs of places; what is made of them takes 25 to 32 MB."""

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
        every measure with `expected_<measure>` and the `standard_error_<measure>` that chance gives
        their difference; `sentences` measured; `same_word_pieces`: whether every sentence of the
        sample has the pieces that it had; `within_sampling_error`. Where few sentences change, or
        none did while the expectation was drawn, their spread is not known from it: one swap more
        or less always counts as chance, but where none can be.
    """
    with np.load(sample) as saved:
        numbers_S, lengths_S, ids_P = saved["numbers"], saved["lengths"], saved["ids"]
    bounds = np.concatenate([[0], np.cumsum(lengths_S)])
    swaps_S = np.zeros(len(lengths_S), np.int64)
    if permutation.variant == "positions":
        changes_S = np.full(len(lengths_S), permutation.p > 0)
    else:
        swaps_S = num_transpositions(lengths_S, permutation.p, permutation.variant)
        changes_S = swaps_S > 0
    repeats = max(2, -(-_SIMULATED // max(np.count_nonzero(changes_S), 1)))
    measured = int(np.searchsorted(np.cumsum(swaps_S * repeats), _MOST_SWAPS, side="right"))
    measured = max(measured, min(len(lengths_S), 1))
    generator = np.random.default_rng([permutation.seed, _EXPECTATION])
    same = True
    compared: dict[int, list[_Shuffled]] = {}  # by length
    for place, number in enumerate(numbers_S.tolist()):
        before_N, after_N = ids_P[bounds[place] : bounds[place + 1]], store[number]
        if not np.array_equal(np.sort(before_N), np.sort(after_N)):
            same = False
        elif place < measured:
            orders = [
                slow_order(len(before_N), permutation.p, permutation.variant, generator)
                for _ in range(repeats if changes_S[place] else 1)
            ]
            shuffled = _Shuffled(place, before_N, [after_N, *(before_N[order] for order in orders)])
            compared.setdefault(len(before_N), []).append(shuffled)
    places_S, found_SM, expected_SM, variance_SM = _measures(compared)
    result: dict[str, Any] = {"sentences": len(found_SM), "same_word_pieces": same}
    within = same
    for column, name in enumerate(MEASURES):
        known_S = ~np.isnan(found_SM[:, column])  # what can be measured lies in the sentence alone
        number = int(np.count_nonzero(known_S))
        if not number:
            result |= {name: None, f"expected_{name}": None, f"standard_error_{name}": 0.0}
            continue
        realised_mean = float(found_SM[known_S, column].mean())
        expected = float(expected_SM[known_S, column].mean())
        variance = float(variance_SM[known_S, column].sum()) * (1 + 1 / repeats)  # of both means
        places_K = places_S[known_S]
        variance += _square_of_one_swap(lengths_S[places_K[changes_S[places_K]]], column)
        error = float(np.sqrt(variance)) / number
        result |= {
            name: realised_mean, f"expected_{name}": expected, f"standard_error_{name}": error,
        }  # fmt: skip
        within &= abs(realised_mean - expected) <= _STANDARD_ERRORS * error + 1e-12
    result["within_sampling_error"] = bool(within)
    return result


def slow_order(length: int, p: float, variant: str, generator: np.random.Generator) -> list[int]:
    """The order of one sentence, as one would write it down from the definition."""
    order = list(range(length))
    if variant == "positions":
        chosen = np.flatnonzero(generator.random(length) < p)
        for place, source in zip(chosen, generator.permutation(chosen).tolist(), strict=True):
            order[place] = source
        return order
    pairs = length - 1 if variant == "released" else length * (length - 1) // 2
    swaps = int(pairs * p)
    if swaps:
        first = generator.integers(length, size=swaps)
        second = (first + generator.integers(1, length, size=swaps)) % length
        for i, j in zip(first.tolist(), second.tolist(), strict=True):
            order[i], order[j] = order[j], order[i]
    return order


def _square_of_one_swap(lengths_K: npt.NDArray[np.int64], column: int) -> float:
    """The mean square of what one swap can change a measure of these sentences by; 0 of none."""
    over_length, most = _ONE_SWAP[column]
    effects_K = np.minimum(over_length / lengths_K, most)
    return float(np.mean(effects_K**2)) if len(effects_K) else 0.0


class _Shuffled(NamedTuple):
    place: int  # in the sample
    before_N: Ids
    after: list[Ids]  # the store's, then the expectation's; as many for all of a length


class _Measured(NamedTuple):
    """Sentences in the order of the sample: measures of the store, and of what was expected."""

    places_S: npt.NDArray[np.int64]  # in the sample
    found_SM: npt.NDArray[np.float64]
    expected_SM: npt.NDArray[np.float64]  # mean of the shuffles
    variance_SM: npt.NDArray[np.float64]  # over the shuffles; 0 where there is one


def _measures(compared: Mapping[int, Sequence[_Shuffled]]) -> _Measured:
    """What was measured of sentences, which are given by length."""
    places: list[int] = []
    measured = [np.zeros((0, 3, len(MEASURES)))]
    for length, sentences in compared.items():
        orders = len(sentences[0].after)
        at_once = max(1, _COMPARED_AT_ONCE // (orders * length**2))
        for start in range(0, len(sentences), at_once):
            some = sentences[start : start + at_once]
            before_SN = np.repeat([s.before_N for s in some], orders, axis=0)
            after_SN = np.concatenate([s.after for s in some])
            places += [s.place for s in some]
            all_SRM = _compare(before_SN, after_SN).reshape(len(some), orders, -1)
            drawn_SRM = all_SRM[:, 1:]
            mean_SM = drawn_SRM.mean(axis=1)
            variance_SM = drawn_SRM.var(axis=1, ddof=1) if orders > 2 else np.zeros_like(mean_SM)
            measured.append(np.stack([all_SRM[:, 0], mean_SM, variance_SM], axis=1))
    in_order = np.argsort(np.array(places, np.int64))
    found_SM, expected_SM, variance_SM = np.concatenate(measured)[in_order].transpose(1, 0, 2)
    return _Measured(np.array(places, np.int64)[in_order], found_SM, expected_SM, variance_SM)


def _compare(before_SN: npt.NDArray[Any], after_SN: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Tau, fixed and kept bigrams (S, M) of sentences of one length; NaN where there is nothing."""
    old_SN, new_SN = np.argsort(before_SN, axis=1), np.argsort(after_SN, axis=1)
    sorted_SN = np.take_along_axis(before_SN, old_SN, axis=1)
    differs_SN = np.ones((len(before_SN), before_SN.shape[1] + 1), bool)
    differs_SN[:, 1:-1] = sorted_SN[:, 1:] != sorted_SN[:, :-1]
    # The same pieces sorted: one that occurs once is at the same rank before and after.
    place_SN, known_SN = np.empty_like(new_SN), np.empty(new_SN.shape, bool)
    np.put_along_axis(place_SN, old_SN, new_SN, axis=1)
    np.put_along_axis(known_SN, old_SN, differs_SN[:, 1:] & differs_SN[:, :-1], axis=1)

    earlier, later = np.triu_indices(before_SN.shape[1], 1)
    pairs_SP = known_SN[:, earlier] & known_SN[:, later]
    signs_SP = np.sign(place_SN[:, later] - place_SN[:, earlier])
    stays_SN = place_SN == np.arange(before_SN.shape[1])
    both_SN = known_SN[:, 1:] & known_SN[:, :-1]
    follows_SN = place_SN[:, 1:] == place_SN[:, :-1] + 1
    chosen = ((signs_SP, pairs_SP), (stays_SN, known_SN), (follows_SN, both_SN))
    sums_MS = np.array([(values * wanted).sum(axis=1) for values, wanted in chosen], np.float64)
    counts_MS = np.array([wanted.sum(axis=1) for _, wanted in chosen])
    with np.errstate(invalid="ignore"):
        return (sums_MS / counts_MS).T
