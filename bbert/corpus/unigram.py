"""`unigram`: every word drawn independently from the corpus's own word counts (K et al. 2020).

Every sentence keeps its number of words and every document its sentences; what the words had to do
with each other is gone. One pass over the text counts its words and notes the lengths of its
sentences in a file; the second draws. Memory holds the distinct words and their counts, a block of
text, and a table of a few megabytes, whatever the text's size.

A draw is a pure function of (seed, language, number of the word): blocks do not matter. To find the
word for a random number, a table says between which two words it must lie; for all but the rarest
words those are one.

Shape suffixes: `W` words of a block, `U` distinct words, `S` sentences.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from bbert.corpus.word_blocks import word_blocks
from bbert.counter_random import stream_key, uniform

_GUIDE_BITS = 20
_COMPRESSION_LEVEL = 1
_SENTENCES_AT_A_TIME = 20_000
_EXACT_COUNTS = 512  # above, the expansion of the moments is exact to 1e-6
_STANDARD_ERRORS = 6


class WordCounts(NamedTuple):
    """The distinct words of a text with their counts, and a digest of its lengths.

    `lengths` is the same for two texts with as many documents, sentences in each, and words in each
    sentence.
    """

    counts: dict[bytes, int]
    num_words: int
    lengths: str


def count_words(text_file: Path, shapes: BinaryIO | None = None) -> WordCounts:
    """One pass over a final text.

    Args:
        text_file: one sentence a line.
        shapes: gets one int64 for each sentence: twice its words, plus one where a document begins.
    """
    counts: Counter[bytes] = Counter()
    digest = hashlib.sha256()
    for block in word_blocks(text_file):
        numbers = np.bincount(block.words_W, minlength=len(block.types)).tolist()
        for word, number in zip(block.types, numbers, strict=True):
            if number:
                counts[word] += number
        shape_S = block.sentence_lengths_S * 2 + block.starts_document_S
        content = shape_S.astype("<i8").tobytes()
        digest.update(content)
        if shapes is not None:
            shapes.write(content)
    return WordCounts(dict(counts), sum(counts.values()), digest.hexdigest())


def draw_unigram(source: Path, target: Path, seed: int, language: str) -> WordCounts:
    """Write `target`: the text of `source` with every word drawn anew.

    Args:
        source: final text, one sentence a line.
        target: the `.txt.zst` file.
        seed: of the draws.
        language: its name, part of the key of the draws.

    Returns:
        the words of `source`.
    """
    with TemporaryFile(dir=target.parent) as shapes:
        words = count_words(source, shapes)
        shapes.seek(0)
        _write_draws(target, words, shapes, stream_key(seed, f"unigram {language}"))
    return words


def _write_draws(target: Path, words: WordCounts, shapes: BinaryIO, key: np.uint64) -> None:
    import zstandard

    draws = _Draws(words.counts, key)
    compressor = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL)
    num_words, is_first = 0, True
    with target.open("wb") as file, compressor.stream_writer(file, closefd=False) as stream:
        while content := shapes.read(8 * _SENTENCES_AT_A_TIME):
            shape_S = np.frombuffer(content, "<i8")
            lengths_S, starts_document_S = shape_S >> 1, (shape_S & 1).astype(np.bool_)
            starts_document_S[0] &= not is_first  # no blank line before the first document
            drawn_W = draws.words(num_words, int(lengths_S.sum()))
            stream.write(draws.lines(drawn_W, lengths_S, starts_document_S))
            num_words += len(drawn_W)
            is_first = False


class _Draws:
    """Distinct words as one Arrow array, each with its space behind it, and their distribution."""

    def __init__(self, counts: dict[bytes, int], key: np.uint64) -> None:
        import pyarrow

        # The order must not depend on how the text was cut into blocks.
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        words = [word + b" " for word, _ in ordered]
        self._words = pyarrow.array([*words, b"\n"], pyarrow.binary())
        bounds_U = np.cumsum([number for _, number in ordered], dtype=np.float64)
        self._bounds_U = bounds_U / max(bounds_U[-1] if len(bounds_U) else 1.0, 1.0)
        self._guide = np.searchsorted(
            self._bounds_U, np.arange((1 << _GUIDE_BITS) + 1) * 2.0**-_GUIDE_BITS, side="right"
        ).astype(np.int32)
        self._key = key

    def words(self, first: int, number: int) -> npt.NDArray[np.int32]:
        """The words with the numbers from `first` on, as places in the list of distinct words."""
        random_W = uniform(self._key, np.arange(first, first + number))
        bucket_W = (random_W * (1 << _GUIDE_BITS)).astype(np.int32)
        drawn_W = self._guide[bucket_W]
        open_W = np.flatnonzero(drawn_W != self._guide[bucket_W + 1])
        drawn_W[open_W] = np.searchsorted(self._bounds_U, random_W[open_W], side="right")
        return drawn_W

    def lines(
        self,
        drawn_W: npt.NDArray[np.int32],
        lengths_S: npt.NDArray[np.int64],
        after_blank_S: npt.NDArray[np.bool_],
    ) -> bytes:
        """Sentences of these lengths with these words; a blank line before some of them."""
        import pyarrow

        ends_S = np.cumsum(lengths_S)
        blank_before = (ends_S - lengths_S)[after_blank_S]
        line_break = len(self._words) - 1
        order = np.insert(drawn_W, blank_before, line_break)
        taken = self._words.take(pyarrow.array(order))
        offsets = np.frombuffer(taken.buffers()[1], np.int32)[: len(order) + 1]
        text = np.frombuffer(taken.buffers()[2], np.uint8)[: offsets[-1]].copy()
        breaks_before_S = np.searchsorted(blank_before, ends_S - 1, side="right")
        text[offsets[ends_S + breaks_before_S] - 1] = ord("\n")
        return text.tobytes()


def measure_unigram(source: WordCounts, target: Path) -> dict[str, Any]:
    """What the draws did: lengths, and the divergence of what was written from what was counted.

    Returns:
        `lengths_preserved`; `kl_divergence` (nats) of the words of `target` from the distribution
        of `source`; `expected_kl_divergence` and `standard_error` of a sample of that size;
        `within_sampling_error`; `words` and `types` on both sides.
    """
    written = count_words(target)
    expected, error = expected_divergence(np.array(list(source.counts.values()), np.int64))
    foreign = [word for word in written.counts if word not in source.counts]
    divergence = np.inf
    if not foreign:
        found_U = np.array(list(written.counts.values()), np.float64)
        known_U = np.array([source.counts[word] for word in written.counts], np.float64)
        ratio_U = found_U / known_U * (source.num_words / max(written.num_words, 1))
        divergence = float((found_U * np.log(ratio_U)).sum() / max(written.num_words, 1))
    return {
        "lengths_preserved": written.lengths == source.lengths,
        "kl_divergence": divergence,
        "expected_kl_divergence": expected,
        "standard_error": error,
        "within_sampling_error": abs(divergence - expected) <= _STANDARD_ERRORS * error + 1e-12,
        "words": written.num_words,
        "types": len(written.counts),
        "source_types": len(source.counts),
    }


def expected_divergence(counts_U: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Mean and standard deviation of the divergence of a sample from its source.

    A sample as large as the source has of a word that the source has c times about Poisson(c).
    The divergence is then the mean over the words of x·log(x/c) − x + c, whose moments are summed
    exactly for small c and expanded for large c; half a unit a type, as the classical
    (types − 1)/2n has it, holds only for frequent words, and most types of a text are rare.

    Args:
        counts_U: how often each word occurs in the source.

    Returns:
        both in nats.
    """
    num_words = int(counts_U.sum())
    if not num_words:
        return 0.0, 0.0
    values, numbers = np.unique(counts_U, return_counts=True)
    mean = variance = 0.0
    for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
        of_one = _moments(value)
        mean += number * of_one[0]
        variance += number * of_one[1]
    return mean / num_words, float(np.sqrt(variance)) / num_words


def _moments(count: int) -> tuple[float, float]:
    """Mean and variance of x·log(x/c) − x + c for x ~ Poisson(c)."""
    if count > _EXACT_COUNTS:
        return 0.5 + 1 / (12 * count), 0.5 + 1 / (3 * count)
    from scipy.stats import poisson

    x = np.arange(count + int(12 * np.sqrt(count)) + 40)
    probability = poisson.pmf(x, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(x > 0, x * np.log(x / count), 0.0) - x + count
    mean = float((probability * value).sum())
    return mean, float((probability * (value - mean) ** 2).sum())
