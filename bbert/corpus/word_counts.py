"""The distinct words of a final text and how often each occurs, in bounded memory.

Blocks of text are taken apart in threads and their counts are added up, by array operations all of
it. Once the words of some blocks are more than `MAX_WORDS_IN_MEMORY` equal ones are put together;
where that does not help, they are written to a temporary file, sorted, and counting begins anew. At
the end the files are merged. What remains in memory is two arrays: about 30 bytes for each distinct
word, however long the text is.

Shape suffixes: `U` distinct words, `S` sentences, `W` words, `E` entries, perhaps of equal words.
"""

from __future__ import annotations

import hashlib
import heapq
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from bbert.corpus.word_blocks import line_blocks, numbers_in, take_apart_in_arrow

MAX_WORDS_IN_MEMORY = 2_000_000  # 100 MB; equal words of different blocks count each
_MAX_BYTES_IN_MEMORY = 1 << 29  # of words: where some are very long
_WORDS_AT_A_TIME = 200_000
_BLANK_LINE = b"\n\n"
_AHEAD = 2  # blocks that wait at each thread

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class WordCounts:
    """The distinct words of a text with their counts, and a digest of its lengths.

    `words` is an Arrow array of UTF-8 in the order of its bytes, `counts_U` goes with it. `lengths`
    is the same for two texts with as many documents, sentences in each, and words in each sentence.
    """

    words: Any
    counts_U: npt.NDArray[np.int64]
    lengths: str

    @property
    def num_words(self) -> int:
        """Words of the text."""
        return int(self.counts_U.sum())

    def __len__(self) -> int:
        """Distinct words."""
        return len(self.counts_U)

    def items(self, first: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int]]:
        """Distinct words, in the order of their bytes, with their counts."""
        end = len(self) if end is None else end
        for start in range(first, end, _WORDS_AT_A_TIME):
            stop = min(start + _WORDS_AT_A_TIME, end)
            words = self.words.slice(start, stop - start).to_pylist()
            yield from zip(words, self.counts_U[start:stop].tolist(), strict=True)

    def place(self, word: bytes) -> int:
        """Where `word` stands, or would stand, among the distinct words."""
        return bisect_left(range(len(self)), word, key=lambda u: self.words[u].as_py())

    def characters(self) -> npt.NDArray[np.int64]:
        """The code points that occur in the words, sorted."""
        found = [np.zeros(0, np.uint32)]
        for start in range(0, len(self), _WORDS_AT_A_TIME):
            text = b"".join(self.words.slice(start, _WORDS_AT_A_TIME).to_pylist()).decode()
            found.append(np.unique(np.frombuffer(text.encode("utf-32-le"), np.uint32)))
        return np.unique(np.concatenate(found)).astype(np.int64)


def count_words(text_file: Path, shapes: BinaryIO | None = None, threads: int = 1) -> WordCounts:
    """One pass over a final text.

    Args:
        text_file: one sentence a line.
        shapes: gets one int64 for each sentence: twice its words, plus one where a document begins.
        threads: that take blocks apart; the result does not depend on them.
    """
    tally = _Tally()
    runs: list[BinaryIO] = []
    digest = hashlib.sha256()
    try:
        for block in in_threads(_count_block, _blocks(text_file), threads):
            tally.add(block.spaced_types, block.numbers_E)
            digest.update(block.shapes)
            if shapes is not None:
                shapes.write(block.shapes)
            if tally.is_full and tally.merge():
                runs.append(_sorted_run(tally, text_file.parent))
                tally = _Tally()
        words, counts_U = tally.sorted()
        if runs:
            rest = zip(words.to_pylist(), counts_U.tolist(), strict=True)
            words, counts_U = _columns(_merged(runs, rest))
    finally:
        for run in runs:
            run.close()
    return WordCounts(words, counts_U, digest.hexdigest())


def in_threads(function: Callable[[T], R], things: Iterable[T], threads: int) -> Iterator[R]:
    """The results of `function`, in the order of the `things`; few of them are held at a time."""
    if threads <= 1:
        yield from map(function, things)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for thing in things:
                waiting.append(pool.submit(function, thing))
                if len(waiting) > _AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class _Counted(NamedTuple):
    spaced_types: Any
    numbers_E: npt.NDArray[np.int64]
    shapes: bytes


class _Tally:
    """Words in Arrow arrays, each with a space behind it, and their numbers."""

    def __init__(self) -> None:
        import pyarrow

        self._words = [pyarrow.array([], pyarrow.binary())]
        self._numbers = [np.zeros(0, np.int64)]
        self._entries = self._bytes = 0

    def add(self, spaced_words: Any, numbers_E: npt.NDArray[np.int64]) -> None:
        self._words.append(spaced_words)
        self._numbers.append(numbers_E)
        self._entries += len(numbers_E)
        self._bytes += spaced_words.nbytes

    @property
    def is_full(self) -> bool:
        return self._entries > MAX_WORDS_IN_MEMORY or self._bytes > _MAX_BYTES_IN_MEMORY

    def merge(self) -> bool:
        """Put equal words together; whether it is still more than half full."""
        import pyarrow

        encoded = pyarrow.concat_arrays(self._words).dictionary_encode()
        words, which_E = encoded.dictionary, numbers_in(encoded.indices)
        # Sums of floats, exact below 2**53.
        numbers_U = np.bincount(which_E, np.concatenate(self._numbers), len(words))
        self._words, self._numbers = [words], [numbers_U.astype(np.int64)]
        self._entries, self._bytes = len(words), words.nbytes
        return 2 * self._entries > MAX_WORDS_IN_MEMORY or 2 * self._bytes > _MAX_BYTES_IN_MEMORY

    def sorted(self) -> tuple[Any, npt.NDArray[np.int64]]:
        """The distinct words that occur, in the order of their bytes, and their counts."""
        import pyarrow
        import pyarrow.compute

        self.merge()
        (spaced,), (numbers_U,) = self._words, self._numbers
        occurring = np.flatnonzero(numbers_U)
        words = pyarrow.compute.binary_slice(  # pyright: ignore[reportAttributeAccessIssue]
            spaced.take(pyarrow.array(occurring)), 0, -1
        ).cast(pyarrow.large_binary())
        order = pyarrow.compute.array_sort_indices(words)  # pyright: ignore[reportAttributeAccessIssue]
        order_U = np.frombuffer(order.buffers()[1], np.uint64)[: len(words)].astype(np.int64)
        return words.take(order), numbers_U[occurring][order_U]


def _blocks(text_file: Path) -> Iterator[tuple[bytes, bool]]:
    """Blocks of whole lines, and whether a blank line (or nothing) comes before."""
    after_blank_line = True
    for text in line_blocks(text_file):
        yield text, after_blank_line
        after_blank_line = text.endswith(_BLANK_LINE) or text == b"\n"


def _count_block(given: tuple[bytes, bool]) -> _Counted:
    types, words_W, lengths_S, starts_document_S, _ = take_apart_in_arrow(*given)
    numbers_E = np.bincount(words_W, minlength=len(types))
    shape_S = lengths_S * 2 + starts_document_S
    return _Counted(types, numbers_E, shape_S.astype("<i8").tobytes())


def _sorted_run(tally: _Tally, folder: Path) -> BinaryIO:
    """A temporary file with a line `word count` for each word; no word has a space in it."""
    file = TemporaryFile(dir=folder)  # noqa: SIM115 (it lives until the merge)
    words, counts_U = tally.sorted()
    for start in range(0, len(words), _WORDS_AT_A_TIME):
        some = words.slice(start, _WORDS_AT_A_TIME).to_pylist()
        items = zip(some, counts_U[start : start + len(some)].tolist(), strict=True)
        file.writelines(b"%s %d\n" % item for item in items)
    file.seek(0)
    return file


def _merged(runs: list[BinaryIO], rest: Iterable[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """All words in order, each once with the sum of its counts."""
    items = heapq.merge(*(map(_item, run) for run in runs), rest)
    for word, equal in groupby(items, key=lambda item: item[0]):
        yield word, sum(number for _, number in equal)


def _item(line: bytes) -> tuple[bytes, int]:
    word, number = line.split(b" ")
    return word, int(number)


def _columns(items: Iterator[tuple[bytes, int]]) -> tuple[Any, npt.NDArray[np.int64]]:
    import pyarrow

    words = [pyarrow.array([], pyarrow.large_binary())]
    counts = [np.zeros(0, np.int64)]
    while some := list(islice(items, _WORDS_AT_A_TIME)):
        words.append(pyarrow.array([word for word, _ in some], pyarrow.large_binary()))
        counts.append(np.fromiter((number for _, number in some), np.int64, len(some)))
    return pyarrow.concat_arrays(words), np.concatenate(counts)
