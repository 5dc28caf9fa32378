"""The distinct words of a final text and how often each occurs, in bounded memory.

Blocks of text are taken apart in threads (array operations, which run side by side) and their
counts are added up in a dictionary. Once that holds `MAX_WORDS_IN_MEMORY` words it is written to a
temporary file, sorted, and begun anew; at the end the files are merged. What remains in memory is
two arrays: about 30 bytes for each distinct word, however long the text is.

Shape suffixes: `U` distinct words, `S` sentences, `W` words.
"""

from __future__ import annotations

import hashlib
import heapq
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from bbert.corpus.word_blocks import line_blocks, take_apart

MAX_WORDS_IN_MEMORY = 2_000_000  # about 300 MB of dictionary
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
    counts: Counter[bytes] = Counter()
    runs: list[BinaryIO] = []
    digest = hashlib.sha256()
    try:
        for block in in_threads(_count_block, _blocks(text_file), threads):
            for word, number in zip(block.types, block.numbers, strict=True):
                if number:
                    counts[word] += number
            digest.update(block.shapes)
            if shapes is not None:
                shapes.write(block.shapes)
            if len(counts) > MAX_WORDS_IN_MEMORY:
                runs.append(_sorted_run(counts, text_file.parent))
                counts.clear()
        words, counts_U = _columns(_merged(runs, counts))
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
    types: list[bytes]
    numbers: list[int]
    shapes: bytes


def _blocks(text_file: Path) -> Iterator[tuple[bytes, bool]]:
    """Blocks of whole lines, and whether a blank line (or nothing) comes before."""
    after_blank_line = True
    for text in line_blocks(text_file):
        yield text, after_blank_line
        after_blank_line = text.endswith(_BLANK_LINE) or text == b"\n"


def _count_block(given: tuple[bytes, bool]) -> _Counted:
    block, _ = take_apart(*given)
    numbers = np.bincount(block.words_W, minlength=len(block.types)).tolist()
    shape_S = block.sentence_lengths_S * 2 + block.starts_document_S
    return _Counted(block.types, numbers, shape_S.astype("<i8").tobytes())


def _sorted_run(counts: Counter[bytes], folder: Path) -> BinaryIO:
    """A temporary file with a line `word count` for each word; no word has a space in it."""
    file = TemporaryFile(dir=folder)  # noqa: SIM115 (it lives until the merge)
    file.writelines(b"%s %d\n" % item for item in sorted(counts.items()))
    file.seek(0)
    return file


def _merged(runs: list[BinaryIO], rest: Counter[bytes]) -> Iterator[tuple[bytes, int]]:
    """All words in order, each once with the sum of its counts."""
    last = sorted(rest.items())
    if not runs:
        yield from last
        return
    items = heapq.merge(*(map(_item, run) for run in runs), last)
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
