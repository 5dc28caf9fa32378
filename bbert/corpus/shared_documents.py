"""Which documents two languages of a corpus share, measured on what each of them was given.

    shared_documents      of one source, by their place in it: none where documents are dealt out,
                          all where every language gets the same
    identical_documents   by their content: a source may hold the same text twice

Memory: 16 bytes a document.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bbert.corpus.plain_text import Piece

_DIGEST_BYTES = 8


@dataclass
class DocumentRecord:
    """The documents that a language is given, noted as they go by."""

    _numbers: array[int] = field(default_factory=lambda: array("q"))
    _digests: array[int] = field(default_factory=lambda: array("Q"))

    def numbered(self, is_kept: Callable[[int], bool]) -> Callable[[int], bool]:
        """`is_kept`, noting the numbers of the documents of which it holds."""

        def noted(document: int) -> bool:
            kept = is_kept(document)
            if kept and not (self._numbers and self._numbers[-1] == document):
                self._numbers.append(document)
            return kept

        return noted

    def digested(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces of whole documents, noting what is in them."""
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        for piece in pieces:
            if (
                piece.text
            ):  # the line end, since a document may be cut into pieces at any of its own
                digest.update(f"{piece.text}\n".encode("utf-8", "surrogatepass"))
            if piece.ends_document:
                self._digests.append(int.from_bytes(digest.digest()))
                digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
            yield piece

    def save(self, path: Path) -> None:
        """Write numbers and digests (`.npz`)."""
        # Whoever asks about one document more than there are has noted that one too.
        numbers = np.frombuffer(self._numbers, np.int64)[: len(self._digests)]
        np.savez(path, numbers=numbers, digests=np.unique(np.frombuffer(self._digests, np.uint64)))


def shared_documents(one: Path, other: Path, same_source: bool) -> dict[str, int]:
    """What two saved records have in common.

    Args:
        one, other: what `DocumentRecord.save` wrote.
        same_source: whether numbers mean the same documents in both.

    Returns:
        `identical_documents`, different texts counted once, and of the same source
        `shared_documents`.
    """
    with np.load(one) as first, np.load(other) as second:
        result = {}
        if same_source:
            result["shared_documents"] = len(np.intersect1d(first["numbers"], second["numbers"]))
        result["identical_documents"] = len(np.intersect1d(first["digests"], second["digests"]))
    return result
