"""Final text → token store.

Words follow Zipf: a text has few distinct ones. Each is cut once and looked up from then on, and
the ids of a block of text are gathered by array operations, so that a block costs little more than
finding its words.

Shape suffixes: `W` words, `P` word-pieces, `S` sentences.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bbert.basic_tokenization import decode, encode
from bbert.corpus.character_cut import CharacterCutter, Sentences
from bbert.corpus.order_measure import OrderSample
from bbert.corpus.permute import Permutation
from bbert.corpus.segmentation import Segmentation, Segmenter
from bbert.corpus.token_store import TokenStoreWriter, id_dtype
from bbert.corpus.unigram_pieces import CONTINUATION
from bbert.corpus.vocabulary import UNKNOWN_ID, Vocabulary
from bbert.corpus.word_blocks import line_blocks, num_sentences, take_apart, word_blocks
from bbert.corpus.workers import ALONE, Workers
from bbert.fake import plain_to_fake, take_back
from bbert.progress import progress
from bbert.words_of_lines import fake_but_shared

COUNTS = ("documents", "sentences", "words", "word_pieces", "unknown")
MAX_KNOWN_WORDS = 250_000  # about 60 MB in each worker; then the table starts afresh
_MAX_KNOWN_PIECES = 16_000_000  # 64 MB: where there are words of thousands of characters


def encode_text(
    text_file: Path,
    vocabulary: Vocabulary,
    segmentation: Segmentation,
    directory: Path,
    permutation: Permutation | None = None,
    order_sample: OrderSample | None = None,
    workers: Workers = ALONE,
) -> dict[str, int]:
    """Cut a text into word-pieces and write its token store.

    Args:
        text_file: final text, `.txt` or `.txt.zst`.
        vocabulary: the entries in id order.
        segmentation: how words are cut.
        directory: of the store, `tokens/<language>`.
        permutation: how the word-pieces of every sentence are put in another order; None: not.
        order_sample: is shown every sentence as it is before that.
        workers: where the words are found and cut; the store does not depend on them.

    Returns:
        How many `documents`, `sentences`, `words`, `word_pieces` and `unknown` ([UNK]) there are.
    """
    encoder = _Encoder(vocabulary, segmentation, permutation)
    counts: dict[str, int] = dict.fromkeys(COUNTS, 0)
    megabytes = text_file.stat().st_size / 1e6
    with (
        progress(f"word-pieces of {directory.name}", megabytes, "MB") as advance,
        TokenStoreWriter(directory, len(vocabulary), permutation is not None) as store,
    ):
        blocks = _blocks(text_file, advance, permutation is not None)
        for block in workers.map(encoder, blocks, f"making the word-pieces of {directory.name}"):
            if not len(block.lengths_S):
                continue
            assert permutation is None or block.first_sentence == counts["sentences"]
            columns: tuple[npt.NDArray[Any], ...] = (block.ids_P, block.word_starts_P)
            word_ids_P = None
            if order_sample is not None:
                order_sample.add(counts["sentences"], block.ids_P, block.lengths_S)
            if block.order_P is not None:
                word_ids_P = np.cumsum(block.word_starts_P, dtype=np.int64) - 1
                word_ids_P = (word_ids_P + counts["words"]).astype(np.uint32)[block.order_P]
                columns = (block.ids_P[block.order_P], block.word_starts_P[block.order_P])
            store.append(*columns, block.lengths_S, block.starts_document_S, word_ids_P)
            counts["documents"] += int(np.count_nonzero(block.starts_document_S))
            counts["sentences"] += len(block.lengths_S)
            counts["words"] += block.num_words
            counts["word_pieces"] += len(block.ids_P)
            counts["unknown"] += int(np.count_nonzero(block.ids_P == UNKNOWN_ID))
    return counts


def same_segmentation_rate(
    text_file: Path,
    vocabulary: Vocabulary,
    segmentation: Segmentation,
    shared_words: float = 0.0,
) -> float:
    """Share of the lines of a plain text that are cut at the same places as their fake version.

    Args:
        text_file: final text of a natural language (not shifted), `.txt` or `.txt.zst`.
        vocabulary: with pieces for both.
        segmentation: how words are cut.
        shared_words: share of the word types that the fake language keeps.
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
        shifted_words = _fake_of_plain("\n".join(words), shared_words).split("\n")
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


def _fake_of_plain(words: str, shared_words: float) -> str:
    """Lines of a plain text in the fake language that keeps a share of the words."""
    if not shared_words:
        return plain_to_fake(words)
    return decode(fake_but_shared(encode(take_back(words)), shared_words))


class _Block(NamedTuple):
    """Whole lines of a text, what comes before them, and the number of their first sentence (0
    where nobody needs it)."""

    text: bytes
    after_blank_line: bool
    first_sentence: int


class _EncodedBlock(NamedTuple):
    """Consecutive sentences as word-pieces, in the order of the text; `order_P` permutes them."""

    ids_P: npt.NDArray[Any]
    word_starts_P: npt.NDArray[np.uint8]
    lengths_S: npt.NDArray[np.int64]
    starts_document_S: npt.NDArray[np.bool_]
    num_words: int
    first_sentence: int
    order_P: npt.NDArray[np.uint32] | None


def _blocks(
    text_file: Path, on_read: Callable[[float], None], with_numbers: bool
) -> Iterator[_Block]:
    after_blank_line, first_sentence = True, 0
    for text in line_blocks(text_file, on_read=on_read):
        yield _Block(text, after_blank_line, first_sentence)
        after_blank_line = not text[text.rfind(b"\n", 0, -1) + 1 : -1].strip(b" ")
        if with_numbers:
            first_sentence += num_sentences(text)


class _Encoder:
    """Cuts blocks of text into word-pieces; what it has cut once it knows."""

    def __init__(
        self, vocabulary: Vocabulary, segmentation: Segmentation, permutation: Permutation | None
    ) -> None:
        self._vocabulary = vocabulary
        self._segmentation: Segmentation = segmentation
        self._permutation = permutation
        self._dtype = id_dtype(len(vocabulary))
        # Both in the process that uses them.
        self._known_words: _KnownWords | None = None
        self._characters: CharacterCutter | None = None

    def __call__(self, block: _Block) -> _EncodedBlock:
        cut = self._cut_characters(block) if self._segmentation == "char" else self._cut(block)
        order_P = None
        if self._permutation is not None:
            order_P = self._permutation.order(block.first_sentence, cut.lengths_S)
            order_P = order_P.astype(np.uint32)
        return _EncodedBlock(*cut, block.first_sentence, order_P)

    def _cut(self, block: _Block) -> Sentences:
        if self._known_words is None:
            segmenter = Segmenter(self._vocabulary, self._segmentation)
            self._known_words = _KnownWords(segmenter, self._dtype)
        known = self._known_words
        words, _ = take_apart(block.text, block.after_blank_line)
        cut = known.gather(known.rows(words.types).take(words.words_W))
        lengths_S = words.sentence_lengths_S
        if len(lengths_S):
            first_words = np.cumsum(lengths_S) - lengths_S
            lengths_S = np.add.reduceat(cut.lengths_W, first_words, dtype=np.int64)
        return Sentences(
            cut.ids_P, cut.word_starts_P, lengths_S, words.starts_document_S, len(words.words_W)
        )

    def _cut_characters(self, block: _Block) -> Sentences:
        if self._characters is None:
            self._characters = CharacterCutter(self._vocabulary)
        return self._characters.cut(block.text, block.after_blank_line)


class _Cut(NamedTuple):
    """Words cut into pieces: pieces of each word, ids, and where words begin among them."""

    lengths_W: npt.NDArray[np.int32]
    ids_P: npt.NDArray[Any]
    word_starts_P: npt.NDArray[np.uint8]


class _KnownWords:
    """The words cut so far: a row number for each, and for each row its pieces."""

    def __init__(self, segmenter: Segmenter, dtype: np.dtype[Any]) -> None:
        self._segmenter = segmenter
        self._dtype = dtype
        self._max_words = MAX_KNOWN_WORDS
        self._forget()

    def rows(self, words: Sequence[bytes]) -> npt.NDArray[np.int32]:
        """The rows of distinct `words` (UTF-8); new ones are cut. Rows last until the next call."""
        if len(self._row_of) > self._max_words or len(self._pool) > _MAX_KNOWN_PIECES:
            self._forget()
        row_of = self._row_of
        rows = np.fromiter(map(row_of.get, words, itertools.repeat(-1)), np.int32, len(words))
        places = np.flatnonzero(rows < 0)
        if len(places):
            new = [words[place] for place in places.tolist()]
            pieces = self._segmenter.cut(word.decode() for word in new)
            rows[places] = np.arange(len(row_of), len(row_of) + len(new))
            row_of.update(zip(new, rows[places].tolist(), strict=True))
            lengths = np.fromiter(map(len, pieces), np.int32, len(new))
            starts = len(self._pool) + np.cumsum(lengths, dtype=np.int32) - lengths
            flat = itertools.chain.from_iterable(pieces)
            ids = np.fromiter(flat, self._dtype, int(lengths.sum()))
            self._lengths = np.concatenate((self._lengths, lengths))
            self._starts = np.concatenate((self._starts, starts))
            self._pool = np.concatenate((self._pool, ids))
        return rows

    def gather(self, rows_W: npt.NDArray[np.int32]) -> _Cut:
        """The pieces of consecutive words."""
        lengths_W = self._lengths.take(rows_W)
        first_P = np.cumsum(lengths_W, dtype=np.int32) - lengths_W
        places = np.repeat(self._starts.take(rows_W) - first_P, lengths_W)
        places += np.arange(len(places), dtype=np.int32)
        word_starts = np.zeros(len(places), np.uint8)
        word_starts[first_P] = 1
        return _Cut(lengths_W, self._pool.take(places), word_starts)

    def _forget(self) -> None:
        self._row_of: dict[bytes, int] = {}
        self._lengths = self._starts = np.zeros(0, np.int32)
        self._pool = np.zeros(0, self._dtype)
