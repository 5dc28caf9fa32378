"""`unigram`: every word drawn independently from the corpus's own word counts (K et al. 2020).

Every sentence keeps its number of words and every document its sentences; what the words had to do
with each other is gone. One pass over the text counts its words and notes the lengths of its
sentences in a file; the second draws. Memory holds the distinct words and their counts
(`word_counts.py` bounds that), a block of text for each thread, and a table of a few megabytes,
whatever the text's size.

A draw is a pure function of (seed, language, number of the word): blocks and threads do not matter.
To find the word for a random number, a table says between which two words it must lie; for all but
the rarest words those are one.

Shape suffixes: `W` words of a block, `U` distinct words, `S` sentences.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from bbert.corpus.word_counts import WordCounts, count_words, in_threads
from bbert.counter_random import stream_key, uniform

_GUIDE_BITS = 20
_COMPRESSION_LEVEL = 1
_SENTENCES_AT_A_TIME = 20_000


def draw_unigram(
    source: Path, target: Path, seed: int, language: str, threads: int = 1
) -> WordCounts:
    """Write `target`: the text of `source` with every word drawn anew.

    Args:
        source: final text, one sentence a line.
        target: the `.txt.zst` file.
        seed: of the draws.
        language: its name, part of the key of the draws.
        threads: that count and draw; what is written does not depend on them.

    Returns:
        the words of `source`.
    """
    import zstandard

    compressor = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL)
    with TemporaryFile(dir=target.parent) as shapes:
        words = count_words(source, shapes, threads)
        shapes.seek(0)
        draws = _Draws(words, stream_key(seed, f"unigram {language}"))
        with target.open("wb") as file, compressor.stream_writer(file, closefd=False) as stream:
            for text in in_threads(draws.text, _sentences(shapes), threads):
                stream.write(text)
    return words


class _Sentences(NamedTuple):
    """Lengths of consecutive sentences, which of them a blank line precedes, and the number of
    their first word."""

    first_word: int
    lengths_S: npt.NDArray[np.int64]
    after_blank_S: npt.NDArray[np.bool_]


def _sentences(shapes: BinaryIO) -> Iterator[_Sentences]:
    num_words, is_first = 0, True
    while content := shapes.read(8 * _SENTENCES_AT_A_TIME):
        shape_S = np.frombuffer(content, "<i8")
        lengths_S, starts_document_S = shape_S >> 1, (shape_S & 1).astype(np.bool_)
        starts_document_S[0] &= not is_first  # no blank line before the first document
        yield _Sentences(num_words, lengths_S, starts_document_S)
        num_words += int(lengths_S.sum())
        is_first = False


class _Draws:
    """Distinct words as one Arrow array, each with its space behind it, and their distribution."""

    def __init__(self, words: WordCounts, key: np.uint64) -> None:
        import pyarrow.compute

        # Frequent words first: what is needed most often then lies close together.
        order_U = np.argsort(-words.counts_U, kind="stable")
        spaced = pyarrow.compute.binary_join_element_wise(  # pyright: ignore[reportAttributeAccessIssue]
            words.words.take(pyarrow.array(order_U)),
            pyarrow.scalar(b"", words.words.type),
            pyarrow.scalar(b" ", words.words.type),
        )
        self._words = pyarrow.concat_arrays([spaced, pyarrow.array([b"\n"], spaced.type)])
        bounds_U = np.cumsum(words.counts_U[order_U], dtype=np.float64)
        self._bounds_U = bounds_U / max(bounds_U[-1] if len(bounds_U) else 1.0, 1.0)
        self._guide = np.searchsorted(
            self._bounds_U, np.arange((1 << _GUIDE_BITS) + 1) * 2.0**-_GUIDE_BITS, side="right"
        ).astype(np.int32)
        self._key = key

    def text(self, sentences: _Sentences) -> bytes:
        """Sentences of these lengths in words drawn anew; a blank line before some of them."""
        import pyarrow

        drawn_W = self._draw(sentences.first_word, int(sentences.lengths_S.sum()))
        ends_S = np.cumsum(sentences.lengths_S)
        blank_before = (ends_S - sentences.lengths_S)[sentences.after_blank_S]
        order = np.insert(drawn_W, blank_before, len(self._words) - 1)
        taken = self._words.take(pyarrow.array(order))
        offsets = np.frombuffer(taken.buffers()[1], np.int64)[: len(order) + 1]
        text = np.frombuffer(taken.buffers()[2], np.uint8)[: offsets[-1]].copy()
        breaks_before_S = np.searchsorted(blank_before, ends_S - 1, side="right")
        text[offsets[ends_S + breaks_before_S] - 1] = ord("\n")
        return text.tobytes()

    def _draw(self, first: int, number: int) -> npt.NDArray[np.int32]:
        """The words with the numbers from `first` on, as places in the list of distinct words."""
        random_W = uniform(self._key, np.arange(first, first + number))
        bucket_W = (random_W * (1 << _GUIDE_BITS)).astype(np.int32)
        drawn_W = self._guide[bucket_W]
        open_W = np.flatnonzero(drawn_W != self._guide[bucket_W + 1])
        drawn_W[open_W] = np.searchsorted(self._bounds_U, random_W[open_W], side="right")
        return drawn_W
