"""Whether a token store says what the text says, measured on sentences from every block of it.

The tokens of a sentence are put together to words again and compared with the words of its line. An
unknown word ([UNK]) is compared with none. Where word-pieces were put in another order, the
characters of the sentence are compared, whatever their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bbert.corpus.token_store import TokenStore
from bbert.corpus.unigram_pieces import CONTINUATION
from bbert.corpus.vocabulary import UNKNOWN_ID
from bbert.corpus.word_blocks import line_blocks, num_sentences

SAMPLE_SENTENCES = 2000
_LOOKED_AT = 1 << 18  # bytes at the beginning of a block


def measure_store(
    store: TokenStore, text_file: Path, tokens: Sequence[str], is_permuted: bool
) -> dict[str, Any]:
    """Compare a token store with the text that it was made from.

    Args:
        store: of one language.
        text_file: its final text.
        tokens: the vocabulary in id order.
        is_permuted: whether word-pieces were put in another order.

    Returns:
        `compared_sentences`, from all of the text, and `same_as_text`, the share of them
        whose tokens make up the words of the text.
    """
    every = max(1, len(store) // SAMPLE_SENTENCES)
    number = num_compared = num_same = 0
    is_same = _same_characters if is_permuted else _same_words
    for block in line_blocks(text_file):
        for place, words in _some_lines(block, -number % every, every):
            if number + place < len(store):  # what is missing is counted elsewhere
                num_same += is_same(store, number + place, words, tokens)
                num_compared += 1
        number += num_sentences(block)
        store.release()
    return {
        "compared_sentences": num_compared,
        "same_as_text": num_same / num_compared if num_compared else 1.0,
    }


def _some_lines(block: bytes, first: int, every: int) -> Iterator[tuple[int, list[str]]]:
    """Every so many lines of a block that are not blank, from a first one on: number and words.

    Long blocks are looked at in their beginning only, and there more closely.
    """
    end = block.find(b"\n", _LOOKED_AT) + 1 or len(block)
    closer = max(1, every * end // len(block))
    lines = [line for line in block[:end].split(b"\n") if line.strip(b" ")]
    for place in range(first % closer, len(lines), closer):
        yield place, lines[place].decode().split(" ")


def _same_words(store: TokenStore, sentence: int, words: list[str], tokens: Sequence[str]) -> bool:
    found: list[list[int]] = []
    for i, starts in zip(*_pieces(store, sentence), strict=True):
        if starts:
            found.append([i])
        elif found:
            found[-1].append(i)
        else:
            return False
    return len(found) == len(words) and all(
        UNKNOWN_ID in pieces or _text(pieces, tokens) == word
        for pieces, word in zip(found, words, strict=True)
    )


def _same_characters(
    store: TokenStore, sentence: int, words: list[str], tokens: Sequence[str]
) -> bool:
    ids, starts = _pieces(store, sentence)
    if UNKNOWN_ID in ids:
        return sum(starts) == len(words)
    found: Counter[str] = Counter()
    for i, starts_word in zip(ids, starts, strict=True):
        found.update(tokens[i] if starts_word else tokens[i].removeprefix(CONTINUATION))
    return found == Counter("".join(words))


def _pieces(store: TokenStore, sentence: int) -> tuple[list[int], list[int]]:
    """Ids of a sentence, and which of them begin a word."""
    begin, end = (int(store.sentence_offsets[sentence + i]) for i in (0, 1))
    return store.ids[begin:end].tolist(), store.word_starts[begin:end].tolist()


def _text(word: Sequence[int], tokens: Sequence[str]) -> str:
    """A word out of its word-pieces."""
    first, *rest = (tokens[i] for i in word)
    return first + "".join(piece.removeprefix(CONTINUATION) for piece in rest)
