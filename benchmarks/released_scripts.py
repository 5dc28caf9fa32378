"""What K et al. 2020 did to a corpus, line by line in plain Python: the peer of `corpus.py`.

Written from the description of their scripts, and from BERT's: a basic tokeniser that looks at
every character, the shift of every character by 200,000, greedy longest-match word-pieces found by
shortening a substring, interventions as loops over the words of a line, and pretraining instances
(two segments of up to 128 word-pieces, whole words masked) drawn anew `DUPE_FACTOR` times.
"""

from __future__ import annotations

import random
import unicodedata
import zlib
from collections import Counter
from collections.abc import Container, Sequence

SHIFT = 200_000
DUPE_FACTOR = 5
MAX_WORD_CHARACTERS = 100
SEQUENCE_LENGTH, MAX_PREDICTIONS, MASKED_SHARE = 128, 20, 0.15


def basic_tokens(line: str) -> list[str]:
    """The words of a line."""
    cleaned = []
    for character in line:
        code = ord(character)
        if code in (0, 0xFFFD) or _is_control(character):
            continue
        if _is_ideograph(code):
            cleaned.append(f" {character} ")
        else:
            cleaned.append(" " if character.isspace() else character)
    tokens: list[str] = []
    for word in unicodedata.normalize("NFC", "".join(cleaned)).split():
        part: list[str] = []
        for character in word:
            if _is_punctuation(character):
                if part:
                    tokens.append("".join(part))
                tokens.append(character)
                part = []
            else:
                part.append(character)
        if part:
            tokens.append("".join(part))
    return tokens


def fake(line: str) -> str:
    """The words of a line with every character moved up."""
    return " ".join("".join(chr(ord(c) + SHIFT) for c in word) for word in line.split())


def fake_but_shared(line: str, percent: int = 30) -> str:
    """As `fake`, but a share of the word types stays."""
    return " ".join(
        word if zlib.crc32(word.encode()) % 100 < percent else fake(word) for word in line.split()
    )


def unigram(lines: Sequence[str], seed: int = 0) -> list[str]:
    """Every word of the lines drawn from their own counts."""
    counts = Counter(word for line in lines for word in line.split())
    words, total, bounds = list(counts), 0, []
    for number in counts.values():
        total += number
        bounds.append(total)
    draw = random.Random(seed).choices
    return [" ".join(draw(words, cum_weights=bounds, k=len(line.split()))) for line in lines]


def word_pieces(word: str, vocabulary: Container[str]) -> list[str]:
    """The longest piece that the word begins with, then the longest of the rest, and so on."""
    if len(word) > MAX_WORD_CHARACTERS:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        end = len(word)
        while start < end:
            piece = ("##" if start else "") + word[start:end]
            if piece in vocabulary:
                break
            end -= 1
        else:
            return ["[UNK]"]
        pieces.append(piece)
        start = end
    return pieces


def instances(
    documents: Sequence[Sequence[Sequence[str]]], words: Sequence[str], rng: random.Random
) -> int:
    """One pass of pretraining instances over some documents; returns how many there are."""
    number = 0
    for document in documents:
        chunk: list[Sequence[str]] = []
        length = 0
        for place, sentence in enumerate(document):
            chunk.append(sentence)
            length += len(sentence)
            if place < len(document) - 1 and length < SEQUENCE_LENGTH - 3:
                continue
            split = rng.randint(1, len(chunk) - 1) if len(chunk) > 1 else 1
            first = [piece for part in chunk[:split] for piece in part]
            second = [piece for part in chunk[split:] for piece in part]
            if len(chunk) == 1 or rng.random() < 0.5:
                other = documents[rng.randint(0, len(documents) - 1)]
                begin = rng.randint(0, len(other) - 1)
                second = [piece for part in other[begin : begin + 4] for piece in part]
            while len(first) + len(second) > SEQUENCE_LENGTH - 3:
                longer = first if len(first) > len(second) else second
                del longer[0 if rng.random() < 0.5 else -1]
            _mask(["[CLS]", *first, "[SEP]", *second, "[SEP]"], words, rng)
            number += 1
            chunk, length = [], 0
    return number


def _mask(tokens: list[str], words: Sequence[str], rng: random.Random) -> dict[int, str]:
    whole_words: list[list[int]] = []
    for place, token in enumerate(tokens):
        if token in ("[CLS]", "[SEP]"):
            continue
        if whole_words and token.startswith("##"):
            whole_words[-1].append(place)
        else:
            whole_words.append([place])
    rng.shuffle(whole_words)
    wanted = min(MAX_PREDICTIONS, max(1, round(len(tokens) * MASKED_SHARE)))
    labels: dict[int, str] = {}
    for places in whole_words:
        if len(labels) + len(places) > wanted:
            continue
        for place in places:
            labels[place] = tokens[place]
            if rng.random() < 0.8:
                tokens[place] = "[MASK]"
            elif rng.random() < 0.5:
                tokens[place] = words[rng.randint(0, len(words) - 1)]
    return labels


def corpus(raw: str, vocabulary: dict[str, int], passes: int) -> int:
    """Raw text to word-piece ids, then `passes` passes of instances; returns how many pieces."""
    rng, words = random.Random(0), list(vocabulary)
    documents: list[list[list[str]]] = []
    number = 0
    for block in raw.split("\n\n"):
        document = []
        for line in block.split("\n"):
            pieces = [p for word in basic_tokens(line) for p in word_pieces(word, vocabulary)]
            ids = [vocabulary[piece] for piece in pieces]
            number += len(ids)
            if pieces:
                document.append(pieces)
        if document:
            documents.append(document)
    for _ in range(passes):
        instances(documents, words, rng)
    return number


def _is_control(character: str) -> bool:
    return character not in "\t\n\r" and unicodedata.category(character) in ("Cc", "Cf")


def _is_ideograph(code: int) -> bool:
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )


def _is_punctuation(character: str) -> bool:
    code = ord(character)
    if 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126:
        return True
    return unicodedata.category(character).startswith("P")
