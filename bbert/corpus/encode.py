"""Final text → token store.

Words follow Zipf: a text has few distinct ones. Each is cut once and looked up from then on, and
the ids of a block of text are gathered by array operations, so that a block costs little more than
finding its words.

Shape suffixes: `W` words, `P` word-pieces, `S` sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bbert.corpus.order_measure import OrderSample
from bbert.corpus.permute import Permutation
from bbert.corpus.segmentation import Segmentation, Segmenter
from bbert.corpus.token_store import TokenStoreWriter
from bbert.corpus.unigram_pieces import CONTINUATION
from bbert.corpus.vocabulary import UNKNOWN_ID, Vocabulary
from bbert.corpus.word_blocks import word_blocks
from bbert.fake import plain_to_fake
from bbert.progress import progress

COUNTS = ("documents", "sentences", "words", "word_pieces", "unknown")
MAX_KNOWN_WORDS = 1_000_000  # about 250 MB; then the table starts afresh


def encode_text(
    text_file: Path,
    vocabulary: Vocabulary,
    segmentation: Segmentation,
    directory: Path,
    permutation: Permutation | None = None,
    order_sample: OrderSample | None = None,
) -> dict[str, int]:
    """Cut a text into word-pieces and write its token store.

    Args:
        text_file: final text, `.txt` or `.txt.zst`.
        vocabulary: the entries in id order.
        segmentation: how words are cut.
        directory: of the store, `tokens/<language>`.
        permutation: how the word-pieces of every sentence are put in another order; None: not.
        order_sample: is shown every sentence as it is before that.

    Returns:
        How many `documents`, `sentences`, `words`, `word_pieces` and `unknown` ([UNK]) there are.
    """
    known_words = _KnownWords(Segmenter(vocabulary, segmentation))
    counts: dict[str, int] = dict.fromkeys(COUNTS, 0)
    megabytes = text_file.stat().st_size / 1e6
    with (
        progress(f"word-pieces of {directory.name}", megabytes, "MB") as advance,
        TokenStoreWriter(directory, len(vocabulary), permutation is not None) as store,
    ):
        for block in word_blocks(text_file, on_read=advance):
            if not len(block.words_W):
                continue
            cut = known_words.gather(known_words.rows(block.types)[block.words_W])
            first_words = np.cumsum(block.sentence_lengths_S) - block.sentence_lengths_S
            lengths_S = np.add.reduceat(cut.lengths_W, first_words)
            columns = (cut.ids_P, cut.word_starts_P)
            word_ids_P = None
            if order_sample is not None:
                order_sample.add(counts["sentences"], cut.ids_P, lengths_S)
            if permutation is not None:
                order_P = permutation.order(counts["sentences"], lengths_S)
                columns = (cut.ids_P[order_P], cut.word_starts_P[order_P])
                word_ids_P = np.repeat(np.arange(len(cut.lengths_W)), cut.lengths_W)[order_P]
                word_ids_P = (word_ids_P + counts["words"]).astype(np.uint32)
            store.append(*columns, lengths_S, block.starts_document_S, word_ids_P)
            counts["documents"] += int(np.count_nonzero(block.starts_document_S))
            counts["sentences"] += len(lengths_S)
            counts["words"] += len(block.words_W)
            counts["word_pieces"] += len(cut.ids_P)
            counts["unknown"] += int(np.count_nonzero(cut.ids_P == UNKNOWN_ID))
    return counts


def same_segmentation_rate(
    text_file: Path, vocabulary: Vocabulary, segmentation: Segmentation
) -> float:
    """Share of the lines of a plain text that are cut at the same places as their fake version.

    Args:
        text_file: final text of a natural language (not shifted), `.txt` or `.txt.zst`.
        vocabulary: with pieces for both.
        segmentation: how words are cut.
    """
    segmenter = Segmenter(vocabulary, segmentation)
    lengths = [len(token.removeprefix(CONTINUATION)) for token in vocabulary.tokens]
    lengths[UNKNOWN_ID] = 0
    is_same: dict[bytes, bool] = {}
    num_same = num_lines = 0
    for block in word_blocks(text_file):
        if len(is_same) > MAX_KNOWN_WORDS:
            is_same.clear()
        new = [word for word in block.types if word and word not in is_same]
        words = [word.decode() for word in new]
        shifted_words = plain_to_fake("\n".join(words)).split("\n")
        plain, shifted = segmenter.cut(words), segmenter.cut(shifted_words)
        for word, one, other in zip(new, plain, shifted, strict=False):
            is_same[word] = [lengths[i] for i in one] == [lengths[i] for i in other]
        if not len(block.words_W):
            continue
        same = np.array([is_same.get(word, True) for word in block.types])
        first_words = np.cumsum(block.sentence_lengths_S) - block.sentence_lengths_S
        same_S = np.logical_and.reduceat(same[block.words_W], first_words)
        num_same += int(np.count_nonzero(same_S))
        num_lines += len(same_S)
    return num_same / num_lines if num_lines else 1.0


class _Cut(NamedTuple):
    """Words cut into pieces: pieces of each word, ids, and where words begin among them."""

    lengths_W: npt.NDArray[np.int64]
    ids_P: npt.NDArray[np.uint32]
    word_starts_P: npt.NDArray[np.uint8]


class _KnownWords:
    """The words cut so far: a row number for each, and for each row its pieces."""

    def __init__(self, segmenter: Segmenter, max_words: int = MAX_KNOWN_WORDS) -> None:
        self._segmenter = segmenter
        self._max_words = max_words
        self._forget()

    def rows(self, words: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """The rows of `words` (UTF-8); new ones are cut. Rows last until the next call."""
        if len(self._row_of) > self._max_words:
            self._forget()
        row_of = self._row_of
        new = [word for word in words if word not in row_of]
        if new:
            pieces = self._segmenter.cut(word.decode() for word in new)
            row_of.update(zip(new, range(len(row_of), len(row_of) + len(new)), strict=True))
            lengths = np.fromiter(map(len, pieces), np.int64, len(new))
            starts = len(self._pool) + np.cumsum(lengths) - lengths
            flat = np.fromiter((i for word in pieces for i in word), np.uint32, int(lengths.sum()))
            self._lengths = np.concatenate((self._lengths, lengths))
            self._starts = np.concatenate((self._starts, starts))
            self._pool = np.concatenate((self._pool, flat))
        return np.fromiter(map(row_of.__getitem__, words), np.int64, len(words))

    def gather(self, rows_W: npt.NDArray[np.int64]) -> _Cut:
        """The pieces of consecutive words."""
        lengths_W = self._lengths[rows_W]
        ends_W = np.cumsum(lengths_W)
        first_P = ends_W - lengths_W
        places = np.repeat(self._starts[rows_W] - first_P, lengths_W)
        places += np.arange(len(places))
        word_starts = np.zeros(len(places), np.uint8)
        word_starts[first_P] = 1
        return _Cut(lengths_W, self._pool[places], word_starts)

    def _forget(self) -> None:
        self._row_of: dict[bytes, int] = {}
        self._lengths = self._starts = np.zeros(0, np.int64)
        self._pool = np.zeros(0, np.uint32)
