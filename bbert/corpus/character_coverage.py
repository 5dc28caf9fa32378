"""Which characters a vocabulary covers, and in which forms.

A character can begin a word (its *initial* form, the entry `x`) or continue one (`##x`). Longest
match gives [UNK] for a whole word as soon as one form is missing, so a covered character gets both:
any word of covered characters can be cut. The exception is a character that basic tokenisation
makes a word of its own (punctuation, ideographs): it never continues a word.

Rare characters cost more than they are worth in a small vocabulary. A character is left out only
where that, together with all rarer characters, leaves at most `TOLERATED_UNKNOWN` of the words of
every language unknown; where there is room (`FORMS_SHARE` of the vocabulary), rarer ones come in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bbert.basic_tokenization import NUM_CODE_POINTS, basic_tokenize_lines, encode
from bbert.languages import unfake

TOLERATED_UNKNOWN = 5e-4  # half of the 0.1 % of unknown words that a corpus may have
NEGLIGIBLE_UNKNOWN = 1e-5  # characters that fewer words need are never worth an entry
FORMS_SHARE = 0.1  # of the word-pieces


def covered_characters(counts: Mapping[str, Counter[str]], num_pieces: int) -> list[str]:
    """The characters to cover, in code point order.

    Args:
        counts: word counts of each language.
        num_pieces: how many word-pieces the vocabulary may have.
    """
    need = np.zeros(NUM_CODE_POINTS)
    for words in counts.values():
        need = np.maximum(need, _share_that_needs(words))
    order = np.argsort(-need, kind="stable")
    order = order[: np.count_nonzero(need > NEGLIGIBLE_UNKNOWN)]
    num_needed = int(np.count_nonzero(need > TOLERATED_UNKNOWN))
    characters = [chr(code) for code in order.tolist()]
    num_forms = np.cumsum([1 if alone else 2 for alone in stand_alone(characters)])
    affordable = int(np.searchsorted(num_forms, FORMS_SHARE * num_pieces, side="right"))
    return sorted(characters[: max(num_needed, affordable)])


def stand_alone(characters: Sequence[str]) -> list[bool]:
    """Whether basic tokenisation makes each character a word of its own (before any shift)."""
    lines = "".join(f"a{unfake(character)}a\n" for character in characters)
    return [line.count(" ") == 2 for line in basic_tokenize_lines(lines).split("\n")[:-1]]


def _share_that_needs(words: Counter[str]) -> npt.NDArray[np.float64]:
    """Per code point, the share of words that would be unknown at most without it and all rarer."""
    total = sum(words.values())
    if not total:
        return np.zeros(NUM_CODE_POINTS)
    codes, _, weights = word_characters(list(words), np.fromiter(words.values(), np.int64))
    occurrences = np.bincount(codes, weights, NUM_CODE_POINTS)
    rarest_first = np.argsort(occurrences, kind="stable")
    shares = np.zeros(NUM_CODE_POINTS)
    shares[rarest_first] = np.cumsum(occurrences[rarest_first]) / total
    shares[occurrences == 0] = 0
    return shares


def word_characters(
    words: Sequence[str], counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """For every character of `words`: code point, whether it begins a word, its word's count."""
    codes = encode("".join(words))
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    is_initial = np.zeros(len(codes), np.bool_)
    is_initial[np.cumsum(lengths) - lengths] = True
    return codes, is_initial, np.repeat(counts, lengths)
