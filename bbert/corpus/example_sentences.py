"""Sentences of a corpus before and after its interventions, side by side.

What a sentence was is read from the raw text once more; what it became is read from what was
written: the final text, and the token store. So an example shows what a model will really be
pretrained on. Examples come from the first documents of a language, so that the rest of a large
corpus need not be read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bbert.basic_tokenization import remove_control_characters
from bbert.corpus.plain_text import Piece
from bbert.corpus.sentence_splitting import split_sentences
from bbert.corpus.token_store import TokenStore
from bbert.corpus.vocabulary import Vocabulary
from bbert.corpus.word_blocks import line_blocks
from bbert.fake import fake_to_plain
from bbert.languages import Language

NUM_EXAMPLES = 10
_WORDS = range(5, 31)
"""Preferred lengths: long enough to show something, short enough to be read."""
_DOCUMENTS, _CHARACTERS = 200, 2_000_000
"""Examples are looked for within so much of the beginning."""
_SHOWN_CHARACTERS = 400


class SourceSentence(NamedTuple):
    """A sentence as it was, and its place: number of the document and of the sentence in it."""

    document: int
    sentence: int
    text: str


def source_sentences(
    pieces: Iterable[Piece], language: Language, presplit: bool
) -> list[SourceSentence]:
    """Sentences of the raw text, spread over its first documents.

    Args:
        pieces: the documents that a language got.
        language: for the rules of sentence splitting.
        presplit: every line is one sentence already.
    """
    found = list(_first_sentences(pieces, language, presplit))
    readable = [s for s in found if len(s.text.split()) in _WORDS]
    candidates = readable if len(readable) >= NUM_EXAMPLES else found
    step = max(1, len(candidates) // NUM_EXAMPLES)
    return candidates[::step][:NUM_EXAMPLES]


def examples(
    corpus: Path,
    language: Language,
    text_file: Path,
    vocabulary: Vocabulary,
    chosen: Iterable[SourceSentence],
) -> list[dict[str, Any]]:
    """What became of some sentences.

    Returns:
        for each of them `document` and `sentence` (numbers from 0 on), `source`, `final`,
        `word_pieces`, and for a fake language `word_pieces_unshifted`, which can be read.
    """
    store = TokenStore.open(corpus, language.name)
    wanted = {
        int(store.document_offsets[s.document]) + s.sentence: s
        for s in chosen
        if s.document < store.num_documents
    }
    last = max(wanted, default=-1)
    result = []
    lines = (line for block in line_blocks(text_file) for line in block.split(b"\n") if line)
    for number, line in enumerate(itertools.islice(lines, last + 1)):
        if number not in wanted:
            continue
        source = wanted[number]
        if len(language.apply(source.text).split()) != len(line.split()):
            continue  # another sentence: no intervention changes the number of words
        pieces = [vocabulary.tokens[i] for i in store[number].tolist()]
        result.append(
            {
                "document": source.document,
                "sentence": source.sentence,
                "source": _shown(source.text),
                "final": _shown(line.decode()),
                "word_pieces": pieces,
            }
        )
        if language.is_fake:
            result[-1]["word_pieces_unshifted"] = [fake_to_plain(piece) for piece in pieces]
    return result


def _first_sentences(
    pieces: Iterable[Piece], language: Language, presplit: bool
) -> Iterator[SourceSentence]:
    document = sentence = read = 0
    for text, ends_document in pieces:
        read += len(text)
        for line in remove_control_characters(text).split("\n"):  # one of them alone is no sentence
            for part in [line] if presplit else split_sentences(language.source, line):
                if part.strip():
                    yield SourceSentence(document, sentence, part.strip())
                    sentence += 1
        if ends_document:
            document += sentence > 0  # a document without a sentence is none in the final text
            sentence = 0
        if document >= _DOCUMENTS or read >= _CHARACTERS:
            return


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
