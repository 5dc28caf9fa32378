"""Which words are translations of each other: exactly, between a language and its fake, or by a
dictionary; and where they stand in the sentences.

Contextual vectors of one language come from the even sentences, those of the other from the odd
ones, so that what two occurrences share is the word and not the sentence around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bbert.errors import InputError
from bbert.languages import Language
from bbert.probe.parallel import ParallelText, text_lines

FEWEST_WORDS = 4
_MIN_OCCURRENCES = 2  # in the half of the sentences that a vector comes from


@dataclass(frozen=True)
class WordPairs:
    """Words of two languages, and for each the numbers of its translations among the others'."""

    languages: tuple[str, str]
    words: tuple[list[str], list[str]]
    gold: tuple[list[list[int]], list[list[int]]]
    exact: bool

    def without(self, lost: tuple[Sequence[int], Sequence[int]]) -> WordPairs:
        """The pairs without some words, and without those that have no translation left.

        Raises:
            InputError: too few are left.
        """
        kept = [set(range(len(side))) - set(gone) for side, gone in zip(
            self.words, lost, strict=True)]  # fmt: skip
        links = [(here, there) for here, right in enumerate(self.gold[0]) for there in right
                 if here in kept[0] and there in kept[1]]  # fmt: skip
        numbers = [sorted({link[side] for link in links}) for side in (0, 1)]
        if min(map(len, numbers)) < FEWEST_WORDS:
            raise InputError(
                f"{'-'.join(self.languages)}: too few words with a translation are within the "
                "model's length; raise --max-length"
            )
        places = [{number: place for place, number in enumerate(side)} for side in numbers]
        gold: tuple[list[list[int]], list[list[int]]] = (
            [[] for _ in numbers[0]], [[] for _ in numbers[1]]
        )  # fmt: skip
        for here, there in links:
            gold[0][places[0][here]].append(places[1][there])
            gold[1][places[1][there]].append(places[0][here])
        words = [[self.words[side][n] for n in numbers[side]] for side in (0, 1)]
        return WordPairs(self.languages, (words[0], words[1]), gold, self.exact)

    @property
    def num_identical(self) -> int:
        """Words that are written as one of their translations."""
        first, second = self.words
        return sum(any(second[to] == word for to in right)
                   for word, right in zip(first, self.gold[0], strict=True))  # fmt: skip


def applied_words(
    sentences: Sequence[str], language: Language, of_model: Sequence[Language]
) -> list[list[str]]:
    """The words of sentences after basic tokenisation and the language's interventions, as a model
    of these languages knows them."""
    text = language.apply_beside("\n".join(s.replace("\n", " ") for s in sentences), of_model)
    return [line.split(" ") for line in text.split("\n")]


def exact_pairs(
    text: ParallelText, words: Mapping[str, list[list[str]]], pair: tuple[str, str], most: int
) -> WordPairs:
    """Words that stand at the same place of a sentence and of its fake or reversed form."""
    orders = [-1 if Language.parse(name).is_reversed else 1 for name in pair]
    partner: dict[str, str] = {}
    for here, there in zip(words[pair[0]], words[pair[1]], strict=True):
        assert len(here) == len(there)
        partner.update(zip(here[:: orders[0]], there[:: orders[1]], strict=True))
    assert text.is_exact(*pair)
    return _frequent(list(partner.items()), words, pair, most, exact=True)


def dictionary_pairs(
    path: Path,
    words: Mapping[str, list[list[str]]],
    pair: tuple[str, str],
    most: int,
    of_model: Sequence[Language],
) -> WordPairs:
    """Entries of a dictionary both sides of which occur in the sentences.

    Raises:
        InputError: a line that is no pair of words, with file and line; too few that occur.
    """
    entries = read_dictionary(path)
    spoken = [Language.parse(name) for name in pair]
    sides = [
        language.apply_beside("\n".join(word for word in column), of_model).split("\n")
        for language, column in zip(spoken, zip(*entries, strict=True), strict=True)
    ]
    return _frequent(list(dict.fromkeys(zip(*sides, strict=True))), words, pair, most, exact=False)


def read_dictionary(path: Path) -> list[tuple[str, str]]:
    """The pairs of a dictionary; raises InputError with file and line."""
    entries = []
    for number, line in enumerate(text_lines(path), start=1):
        if not line.strip():
            continue
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) < 2 or not columns[0] or not columns[1]:
            raise InputError(f"{path}:{number}: expected a word, a tab and its translation")
        entries.append((columns[0], columns[1]))
    if not entries:
        raise InputError(f"{path}: no entry in this dictionary")
    return entries


def _frequent(
    entries: Sequence[tuple[str, str]],
    words: Mapping[str, list[list[str]]],
    pair: tuple[str, str],
    most: int,
    exact: bool,
) -> WordPairs:
    """The entries whose words occur often enough in both halves, the most frequent first."""
    counts = [_half_counts(words[name]) for name in pair]
    usable = [
        (here, there)
        for here, there in entries
        if _rarest(counts[0], here) >= _MIN_OCCURRENCES
        and _rarest(counts[1], there) >= _MIN_OCCURRENCES
    ]
    usable.sort(key=lambda e: (-counts[0][0][e[0]] - counts[0][1][e[0]], e))
    first = list(dict.fromkeys(here for here, _ in usable))[:most]
    kept = set(first)
    usable = [(here, there) for here, there in usable if here in kept]
    second = list(dict.fromkeys(there for _, there in usable))
    if min(len(first), len(second)) < FEWEST_WORDS:
        raise InputError(
            f"{pair[0]}-{pair[1]}: only {len(first)} words with a translation occur "
            f"{_MIN_OCCURRENCES} times in either half of the parallel text; give more text"
        )
    numbers = [{word: n for n, word in enumerate(side)} for side in (first, second)]
    gold: tuple[list[list[int]], list[list[int]]] = ([[] for _ in first], [[] for _ in second])
    for here, there in usable:
        gold[0][numbers[0][here]].append(numbers[1][there])
        gold[1][numbers[1][there]].append(numbers[0][here])
    return WordPairs(pair, (first, second), gold, exact)


def _half_counts(sentences: Sequence[Sequence[str]]) -> tuple[Counter[str], Counter[str]]:
    halves: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for number, sentence in enumerate(sentences):
        halves[number % 2].update(sentence)
    return halves


def _rarest(halves: tuple[Counter[str], Counter[str]], word: str) -> int:
    return min(half[word] for half in halves)
