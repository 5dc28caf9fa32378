"""Writing and reading a language's final text file, `text/<language>.txt.zst`.

Documents are read, dealt and subsampled in this process; sentence splitting, tokenisation and the
interventions run in worker processes where there is enough text, a batch of documents at a time.
The result is written in the order of the documents: it does not depend on the number of workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bbert.basic_tokenization import NUM_CODE_POINTS
from bbert.corpus.plain_text import Piece
from bbert.corpus.sentences import FinalText, TextStep, final_text
from bbert.corpus.workers import ALONE, Workers
from bbert.languages import Language

BATCH_CHARACTERS = 1 << 20
_COMPRESSION_LEVEL = 1  # 3 makes plain text 13 % smaller and fake text no smaller at all


class Batch(NamedTuple):
    """Whole documents, a blank line between them, or one part of a very long document."""

    documents: str
    is_part: bool
    ends_document: bool


@dataclass
class TextCounts:
    """What went into a text file and what came out."""

    documents: int = 0
    empty_documents: int = 0
    sentences: int = 0
    words: int = 0
    removed_characters: int = 0
    bytes: int = 0
    characters: npt.NDArray[np.bool_] = field(
        default_factory=lambda: np.zeros(NUM_CODE_POINTS, np.bool_)
    )

    def numbers(self) -> dict[str, int]:
        """The counts, without the set of characters."""
        return {
            "documents": self.documents,
            "empty_documents": self.empty_documents,
            "sentences": self.sentences,
            "words": self.words,
            "removed_characters": self.removed_characters,
            "bytes": self.bytes,
        }


def write_text(
    path: Path,
    pieces: Iterable[Piece],
    language: Language,
    presplit: bool,
    steps: Sequence[TextStep] = (),
    workers: Workers = ALONE,
) -> TextCounts:
    """Write the final text of a language.

    Args:
        path: the `.txt.zst` file.
        pieces: the raw documents.
        presplit: every line is one sentence already.
        steps: interventions on the tokenised text (they go to the workers: module-level functions).
        workers: where the work is done.
    """
    import zstandard

    make = partial(final_text, language=language, presplit=presplit, steps=tuple(steps))
    what = f"making the final text of {language.name}"
    counts = TextCounts()
    separator = b""
    part_has_text = False
    compressor = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL)
    with path.open("wb") as file, compressor.stream_writer(file, closefd=False) as stream:
        for batch, result in _results(_batches(pieces), make, workers, what):
            if result.text:
                stream.write(separator + result.text)
                counts.bytes += len(separator) + len(result.text)
                separator = b""
            counts.sentences += result.sentences
            counts.words += result.words
            counts.removed_characters += result.removed_characters
            counts.characters[result.characters] = True
            if batch.is_part:
                part_has_text |= bool(result.text)
                if batch.ends_document:
                    counts.documents += part_has_text
                    counts.empty_documents += not part_has_text
                    separator = b"\n" if counts.documents else b""
                    part_has_text = False
            else:
                counts.documents += result.documents
                counts.empty_documents += result.empty_documents
                separator = b"\n" if counts.documents else b""
    return counts


def _batches(pieces: Iterable[Piece]) -> Iterator[Batch]:
    documents: list[str] = []
    size = 0
    is_open = False
    for text, ends_document in pieces:
        if is_open or not ends_document:
            if documents:
                yield Batch("\n\n".join(documents), False, True)
                documents, size = [], 0
            yield Batch(text, True, ends_document)
            is_open = not ends_document
            continue
        documents.append(text)
        size += len(text) + 2
        if size >= BATCH_CHARACTERS:
            yield Batch("\n\n".join(documents), False, True)
            documents, size = [], 0
    if documents:
        yield Batch("\n\n".join(documents), False, True)


def _results(
    batches: Iterable[Batch], make: partial[FinalText], workers: Workers, what: str
) -> Iterator[tuple[Batch, FinalText]]:
    """Every batch, without its text, with its result, in order."""
    waiting: deque[Batch] = deque()

    def documents() -> Iterator[str]:
        for batch in batches:
            waiting.append(batch._replace(documents=""))
            yield batch.documents

    for result in workers.map(make, documents(), what):
        yield waiting.popleft(), result
