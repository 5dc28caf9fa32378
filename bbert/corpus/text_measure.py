"""What the interventions in a language's name really did, measured on its finished text.

The first sentences of the raw text are read once more and brought to their final form in the source
language. Against these, word by word and in plain Python, stand the sentences that were written.

    fake        a word is the natural one with the paper's rule applied to every character, or,
                where a share of the words stays, the natural one itself
    reversed    Kendall's tau between the order before and after, of the words that occur once in
                their sentence: -1 where all of it is turned around, 1 where none of it is

Of a share of words that stay, the share itself and that every type goes one way are measured on all
words of the text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bbert.corpus.plain_text import Piece
from bbert.corpus.sentences import final_text
from bbert.corpus.word_blocks import line_blocks
from bbert.corpus.word_counts import WordCounts
from bbert.fake import SHIFT, TERRITORY, fake, fake_to_plain, give_way
from bbert.languages import Language

SAMPLE_SENTENCES = 4000
_STANDARD_ERRORS = 6


def natural_sentences(
    pieces: Iterable[Piece], language: Language, presplit: bool
) -> Iterator[list[str]]:
    """The words of each sentence in the source language, before any intervention.

    Args:
        pieces: raw documents, those that the language got.
        language: with interventions.
        presplit: every line is one sentence already.
    """
    source = Language.parse(language.source)
    for piece in pieces:
        for line in final_text(piece.text, source, presplit).text.decode().split("\n"):
            if line:
                yield line.split(" ")


def written_sentences(text_file: Path) -> Iterator[list[str]]:
    """The words of each sentence of a final text."""
    for block in line_blocks(text_file):
        for line in block.decode().split("\n"):
            if line:
                yield line.split(" ")


def measure_names(
    natural: Iterable[list[str]], written: Iterable[list[str]], language: Language
) -> dict[str, dict[str, Any]]:
    """Compare sentences before and after the interventions in a language's name.

    Args:
        natural: words of sentences in the source language.
        written: words of the same sentences as they were written.
        language: what should have been done.

    Returns:
        for `fake`: `sentences` and `restored`, the share of them whose words are those before,
        shifted or, where some stay, as they were; for `reversed`: `sentences`, `same_words`, the
        share of them with the words that they had, and `kendall_tau`.
    """
    pairs = itertools.islice(
        itertools.zip_longest(natural, written, fillvalue=[]), SAMPLE_SENTENCES
    )
    restored, same, taus = [], [], []
    for before, after in pairs:
        in_order = after[::-1] if language.is_reversed else after
        restored.append(
            len(before) == len(after)
            and all(_is_from(*words, language) for words in zip(before, in_order, strict=True))
        )
        if language.is_reversed:
            back = [_unshifted(word, language) for word in after]
            if sorted(back) != sorted(before):  # a text that gave way did so in all its words
                before = [give_way(word) for word in before]
            same.append(sorted(back) == sorted(before))
            taus += _kendall_tau(before, back)
    number = len(restored)
    result: dict[str, dict[str, Any]] = {}
    if language.is_fake:
        result["fake"] = {"sentences": number, "restored": float(np.mean(restored or [1.0]))}
    if language.is_reversed:
        result["reversed"] = {
            "sentences": number,
            "same_words": float(np.mean(same or [1.0])),
            "kendall_tau": float(np.mean(taus)) if taus else None,
        }
    return result


def measure_shared_words(share: float, words: WordCounts) -> dict[str, Any]:
    """Which word types of a fake language stayed.

    Args:
        share: of the types that should have stayed.
        words: those of its text.

    Returns:
        `share`; `shared_word_types`, the share of the types that stayed, with its `standard_error`
        and `within_sampling_error`; `shared_words`, their share of the running words; `types`;
        `types_in_both_alphabets`, which occur both shifted and as they were.
    """
    # UTF-8 sorts as code points do: words of the fake alphabet stand together.
    begin = words.place(chr(TERRITORY[0]).encode())
    end = words.place(chr(TERRITORY[1] + 1).encode())
    plain = {word.decode() for word, _ in words.items(0, begin)}
    plain |= {word.decode() for word, _ in words.items(end)}
    in_both = sum(fake_to_plain(word.decode()) in plain for word, _ in words.items(begin, end))
    number = len(words)
    realised = len(plain) / number if number else 0.0
    shifted_words = int(words.counts_U[begin:end].sum())
    error = float(np.sqrt(share * (1 - share) / max(number, 1)))
    return {
        "share": share,
        "shared_word_types": realised,
        "shared_words": 1 - shifted_words / max(words.num_words, 1),
        "standard_error": error,
        "within_sampling_error": abs(realised - share) <= _STANDARD_ERRORS * error,
        "types": number,
        "types_in_both_alphabets": in_both,
    }


def _is_from(before: str, after: str, language: Language) -> bool:
    """Whether a word can have come from one of the source language."""
    if not language.is_fake:
        return after in (before, give_way(before))
    return after == _shifted(before) or (language.shared_words > 0 and after == give_way(before))


def _shifted(word: str) -> str:
    if max(map(ord, word)) < SHIFT:
        return "".join(chr(ord(character) + SHIFT) for character in word)  # the rule of the paper
    return fake(word)


def _unshifted(word: str, language: Language) -> str:
    """A word as it was written, one of a fake language as it stands in a plain text beside it."""
    first, last = TERRITORY
    is_shifted = language.is_fake and first <= ord(word[0]) <= last
    return fake_to_plain(word) if is_shifted else word


def _kendall_tau(before: list[str], after: list[str]) -> list[float]:
    """Tau of the words that occur once; [] where fewer than two do."""
    once = [word for word in before if before.count(word) == after.count(word) == 1]
    if len(once) < 2:
        return []
    places = np.array([after.index(word) for word in once])
    signs = np.sign(places[None, :] - places[:, None])
    return [float(signs[np.triu_indices(len(places), 1)].mean())]
