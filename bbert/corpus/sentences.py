"""From raw documents to the final text of a language: one sentence a line, words space-joined.

The steps: characters that carry no text go (and are counted), paragraphs are split into sentences
(`sentence_splitting.py`), `Language.apply` tokenises and, for a fake language, moves the
characters. What comes after it, block by block, is a list of functions from text to text that keep
its lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bbert.basic_tokenization import (
    NUM_CODE_POINTS,
    count_removed,
    encode,
    remove_control_characters,
)
from bbert.corpus.sentence_splitting import split_sentences
from bbert.languages import Language

TextStep = Callable[[str], str]

_ASCII, _NOT_ASCII = bytes(range(128)), bytes(range(128, 256))
_FIRST_BYTES = 4096  # nearly every character of the ASCII range that occurs is among so many


class FinalText(NamedTuple):
    """Final text of some documents, and what is in it.

    `text` is UTF-8, a blank line between documents, ended by a line break unless empty;
    `characters` the sorted code points that occur, white space aside.
    """

    text: bytes
    documents: int
    empty_documents: int
    sentences: int
    words: int
    removed_characters: int
    characters: npt.NDArray[np.int64]


def final_text(
    documents: str, language: Language, presplit: bool, steps: Sequence[TextStep] = ()
) -> FinalText:
    """Bring documents to their final form.

    Args:
        documents: raw text, one paragraph a line, a blank line between documents.
        presplit: every line is one sentence already.
        steps: applied in order to the tokenised text; each keeps the number of lines and words.
    """
    removed = count_removed(documents)
    texts, num_sentences, num_empty = [], 0, 0
    for document in documents.split("\n\n"):
        if removed:
            document = remove_control_characters(document)
        paragraphs = document.split("\n")
        if presplit:
            sentences = [line for line in paragraphs if line.strip()]
        else:
            sentences = [s for line in paragraphs for s in split_sentences(language.source, line)]
        if sentences:
            texts.append("\n".join(sentences))
            num_sentences += len(sentences)
        else:
            num_empty += 1
    text = language.apply("\n\n".join(texts))
    for step in steps:
        text = step(text)
    text += "\n" if text else ""
    final = text.encode()
    return FinalText(
        final,
        documents=len(texts),
        empty_documents=num_empty,
        sentences=num_sentences,
        words=int(np.count_nonzero(np.frombuffer(final, np.uint8) == 0x20)) + num_sentences,
        removed_characters=removed,
        characters=_characters(final),
    )


def _characters(final: bytes) -> npt.NDArray[np.int64]:
    """The code points of a text in UTF-8, white space aside: first the ASCII, then the others."""
    found = set(final[:_FIRST_BYTES])
    found.update(final.translate(None, bytes(found) + _NOT_ASCII))
    ascii_codes = sorted(found - {0x20, 0x0A} - set(_NOT_ASCII))
    occurs = np.zeros(NUM_CODE_POINTS, np.bool_)
    occurs[encode(final.translate(None, _ASCII).decode())] = True
    occurs[ascii_codes] = True
    return np.flatnonzero(occurs)
