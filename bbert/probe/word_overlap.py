"""Word-pieces that two sets of text have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bbert.finetune.encoder import PieceIds
from bbert.finetune.tasks.scores import entities
from bbert.finetune.tasks.task import Example, Sentence
from bbert.languages import Language


def jaccard(first: Iterable[int], second: Iterable[int]) -> float | None:
    """|A ∩ B| / |A ∪ B|; None where both are empty (Pires et al. 2019, section 3.1)."""
    one, other = set(first), set(second)
    union = one | other
    return len(one & other) / len(union) if union else None


def coverage(first: Mapping[int, int], second: Mapping[int, int]) -> float | None:
    """Share of the second's word-piece tokens whose type the first has; None where it has none."""
    total = sum(second.values())
    return sum(n for piece, n in second.items() if piece in first) / total if total else None


def entity_pieces(
    examples: Sequence[Example], language: Language, pieces: PieceIds
) -> Counter[int]:
    """Word-pieces in the entities of labelled sentences, with how often each occurs."""
    words: Counter[str] = Counter()
    for example in examples:
        assert isinstance(example, Sentence)
        for _, start, end in entities(example.labels):
            words.update(example.words[start:end])
    return _pieces(words, language, pieces, of_words=True)


def text_pieces(lines: Sequence[str], language: Language, pieces: PieceIds) -> Counter[int]:
    """Word-pieces of a text, with how often each occurs."""
    return _pieces(Counter(line for line in lines if line.strip()), language, pieces, False)


def _pieces(
    texts: Counter[str], language: Language, pieces: PieceIds, of_words: bool
) -> Counter[int]:
    counts: Counter[int] = Counter()
    for ids, times in zip(pieces.cut(list(texts), language, of_words), texts.values(), strict=True):
        for piece in ids.tolist():
            counts[piece] += times
    return counts
