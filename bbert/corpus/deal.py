"""Which documents of a source go to which language: dealing and subsampling, both by seed.

When one source serves several languages (`en` and `enfake`), `disjoint` deals its documents out in
turn, so that nothing in the corpus is parallel; `same` gives every language all of them, as in
K et al. 2020. `--max-bytes` then keeps a random part of a language's documents, always whole ones.
Memory: nine bytes a document while subsampling, nothing otherwise.
"""

from __future__ import annotations

import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bbert.corpus.plain_text import Piece
from bbert.errors import InputError

_PURPOSE_DEAL, _PURPOSE_SUBSAMPLE = 0x4E_01, 0x4E_02
_ROUNDS = 4096  # dealt in one go


def dealer(num_shares: int, seed: int, key: str) -> Callable[[int], int]:
    """A function that says for the number of a document which share it is dealt to.

    In every round each share gets one document, in an order drawn from `seed` and `key`.
    """
    if num_shares == 1:
        return lambda document: 0

    @lru_cache(maxsize=2)
    def block(number: int) -> list[int]:
        rng = np.random.default_rng([seed, _PURPOSE_DEAL, zlib.crc32(key.encode()), number])
        rounds = np.tile(np.arange(num_shares), (_ROUNDS, 1))
        return rng.permuted(rounds, axis=1).ravel().tolist()

    size = _ROUNDS * num_shares
    return lambda document: block(document // size)[document % size]


def document_sizes(pieces: Iterable[Piece]) -> npt.NDArray[np.int64]:
    """Bytes of every document in UTF-8, line ends included."""
    sizes, size = array("q"), 0
    for text, ends_document in pieces:
        if text:  # what ends a long document may be empty
            size += len(text.encode()) + 1
        if ends_document:
            sizes.append(size)
            size = 0
    return np.frombuffer(sizes, np.int64) if sizes else np.zeros(0, np.int64)


def subsample(
    sizes: npt.NDArray[np.int64],
    candidates: npt.NDArray[np.bool_],
    max_bytes: int,
    seed: int,
    key: str,
) -> npt.NDArray[np.bool_]:
    """Which of the candidate documents to keep: in random order, while they fit in `max_bytes`.

    Raises:
        InputError: not a single document fits.
    """
    rng = np.random.default_rng([seed, _PURPOSE_SUBSAMPLE, zlib.crc32(key.encode())])
    order = rng.permutation(len(sizes))
    order = order[candidates[order]]
    chosen = np.zeros(len(sizes), np.bool_)
    fitting = int(np.searchsorted(np.cumsum(sizes[order]), max_bytes, side="right"))
    chosen[order[:fitting]] = True
    left = max_bytes - int(sizes[order[:fitting]].sum())
    for document in order[fitting:]:  # smaller ones that still fit
        if sizes[document] <= left:
            chosen[document] = True
            left -= int(sizes[document])
    if len(order) and not chosen.any():
        smallest = int(sizes[order].min())
        raise InputError(
            f"--max-bytes {max_bytes:,}: no document of {key!r} is that small "
            f"(the smallest has {smallest:,} bytes); give more"
        )
    return chosen


def kept_pieces(
    pieces: Iterable[Piece],
    is_dealt: Callable[[int], bool],
    is_kept: Callable[[int], bool],
    counts: Counter[str],
) -> Iterator[Piece]:
    """The pieces of the documents that are dealt to a language and kept.

    Args:
        is_dealt, is_kept: say it for the number of a document.
        counts: receives the documents that were `read`, `dealt` and `kept`.
    """
    document = 0
    dealt = is_dealt(document)
    kept = dealt and is_kept(document)
    for piece in pieces:
        if kept:
            yield piece
        if piece.ends_document:
            counts["read"] += 1
            counts["dealt"] += dealt
            counts["kept"] += kept
            document += 1
            dealt = is_dealt(document)
            kept = dealt and is_kept(document)
