"""The final text of one language of a corpus, from the documents that it is given."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bbert.corpus.compressed import EXPANSION, compression, reading_progress
from bbert.corpus.deal import kept_pieces
from bbert.corpus.given_documents import GivenDocuments
from bbert.corpus.plain_text import MAX_LINE_CHARACTERS, read_pieces
from bbert.corpus.shared_documents import DocumentRecord
from bbert.corpus.text import write_text
from bbert.corpus.where_text_went import no_text
from bbert.corpus.workers import Workers
from bbert.fake import give_way
from bbert.languages import Language

logger = logging.getLogger(__name__)

_LONG_FOR_ONE_DOCUMENT = 1e6  # bytes


def write_language_text(
    path: Path,
    language: Language,
    given: GivenDocuments,
    gives_way: bool,
    workers: Workers,
) -> dict[str, Any]:
    """Write the final text of a language, its characters and the record of its documents.

    Args:
        path: the text file.
        language: with the interventions in its name.
        given: which documents it gets.
        gives_way: whether it has to leave the fake alphabet to a fake language.
        workers: where the work is done, if there is enough of it.

    Returns:
        The counts of the steps `select` and `text`.

    Raises:
        InputError: nothing is left of the text; the message says where it went.
    """
    source = given.source(language)
    files = given.text_files(source)
    path.parent.mkdir(exist_ok=True)
    select: Counter[str] = Counter(read=0, dealt=0, kept=0)
    reading: Counter[str] = Counter()
    is_dealt, is_kept = given.choices(language)
    text_bytes = sum(path.stat().st_size * EXPANSION[compression(path)] for path in files)
    documents = DocumentRecord()
    with reading_progress(f"{language.name}: sentences and words", files) as advance:
        pieces = kept_pieces(
            read_pieces(files, reading, advance), is_dealt, documents.numbered(is_kept), select
        )
        counts = write_text(
            path,
            documents.digested(pieces),
            language,
            given.is_presplit(language),
            [give_way] if gives_way else [],
            workers.if_worth(text_bytes),
        )
        if not counts.documents:
            sharing = len(given.sharing(language))
            raise no_text(
                source.files[0], language.name, sharing, select, reading, counts.numbers()
            )
    if reading["long_line_cuts"]:
        logger.warning(
            "%s: lines of more than %s characters were cut, in %s places", source.files[0],
            f"{MAX_LINE_CHARACTERS:,}", f"{reading['long_line_cuts']:,}",
        )  # fmt: skip
    if select["read"] == 1 and text_bytes > _LONG_FOR_ONE_DOCUMENT:
        logger.warning(
            "%s is one single document: put blank lines between documents, or no two "
            "segments will ever come from different ones", source.files[0],
        )  # fmt: skip
    np.save(given.files.characters(language), np.flatnonzero(counts.characters))
    documents.save(given.files.documents(language))
    select["other_files"] = len(source.texts) if source.dumps else 0
    return {"select": {**select, **reading}, "text": counts.numbers()}
