"""Which sentences and which words of a parallel text the multilinguality curves are measured on.

The first sentences that fit into a row in every language, none of them twice; and of their words
the most frequent ones that both halves of the sentences have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bbert.languages import Language
from bbert.pretrain.parallel_text import ParallelText

MAX_SENTENCES = 400
MAX_WORD_TYPES = 300
_MIN_WORD_TYPES = 10
_MIN_OCCURRENCES = 2  # of a word type in each half
_MIN_WORD_PIECES = 2  # of a sentence


def chosen_sentences(text: ParallelText, cut: Mapping[str, Sequence], max_pieces: int) -> list[int]:
    """Numbers of sentences that fit in every language and occur once in every language.

    Args:
        cut: language → the sentences as `tokenizers.Encoding`.
        max_pieces: word-pieces that a row has room for.
    """
    chosen: list[int] = []
    seen = {name: set() for name in cut}
    for number in range(len(next(iter(cut.values())))):
        lengths = [len(encodings[number].ids) for encodings in cut.values()]
        again = any(text.sentences[name][number] in seen[name] for name in cut)
        if again or min(lengths) < _MIN_WORD_PIECES or max(lengths) > max_pieces:
            continue
        for name in cut:
            seen[name].add(text.sentences[name][number])
        chosen.append(number)
        if len(chosen) == MAX_SENTENCES:
            break
    return chosen


def chosen_words(text: ParallelText, chosen: Sequence[int]) -> dict[str, int]:
    """The most frequent words of the first language that both halves have, and their numbers."""
    halves = Counter(), Counter()
    name = text.pairs[0][0]
    for place, number in enumerate(chosen):
        halves[place % 2].update(words_of(text, name, number))
    both = [w for w in halves[0] if min(halves[0][w], halves[1][w]) >= _MIN_OCCURRENCES]
    both.sort(key=lambda word: (-halves[0][word] - halves[1][word], word))
    both = both[:MAX_WORD_TYPES]
    return (
        {word: number for number, word in enumerate(both)} if len(both) >= _MIN_WORD_TYPES else {}
    )


def words_of(text: ParallelText, name: str, number: int) -> list[str]:
    """Words of a sentence, in the order of the natural language."""
    words = text.sentences[name][number].split(" ")
    return words[::-1] if is_reversed(name) else words


def is_reversed(name: str) -> bool:
    """Whether a language's words stand in reversed order."""
    return Language.parse(name).is_reversed
