"""Final corpus text as numbers: distinct words, and for every word of the text which one it is.

The final text has one sentence a line, words separated by one space and a blank line between
documents. A block of it is taken apart by array operations on its bytes; Python touches only the
distinct words of a block, so the cost grows with the vocabulary of a text and hardly with its size.

Shape suffixes: `W` words, `S` sentences, `B` bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.compute  # what `dictionary_encode` would import, in the midst of the work

BLOCK_BYTES = 4 << 20  # small enough for a core's cache, large enough to meet each word often

_SPACE, _NEWLINE = 0x20, 0x0A
_BLANK_LINE = re.compile(rb"\n *(?=\n)")  # begun by a literal: twenty times as fast


class WordBlock(NamedTuple):
    """Consecutive sentences of a text.

    `types` holds the distinct words in UTF-8 (and perhaps an empty one, which stands for a blank
    line and occurs nowhere), `words_W` (int32) an index into it for every word,
    `sentence_lengths_S` (int64) the number of words of each sentence, and `starts_document_S`
    (bool) whether a document begins there.
    """

    types: list[bytes]
    words_W: npt.NDArray[np.int32]
    sentence_lengths_S: npt.NDArray[np.int64]
    starts_document_S: npt.NDArray[np.bool_]


def word_blocks(
    text_file: Path,
    block_bytes: int | None = None,
    on_read: Callable[[float], None] | None = None,
) -> Iterator[WordBlock]:
    """Read a text block by block.

    Args:
        text_file: plain (`.txt`) or zstandard-compressed (`.txt.zst`) text.
        block_bytes: about how much text is in memory at a time; `BLOCK_BYTES` without it.
        on_read: called with the megabytes of the file that each block took (compressed size).
    """
    after_blank_line = True
    for text in line_blocks(text_file, block_bytes, on_read):
        block, after_blank_line = take_apart(text, after_blank_line)
        yield block


def count_sentences(text_file: Path) -> int:
    """Number of lines that are not blank."""
    return sum(num_sentences(text) for text in line_blocks(text_file))


def num_sentences(text: bytes) -> int:
    """Number of lines that are not blank, of whole lines."""
    is_first_blank = not text[: text.index(b"\n")].strip(b" ")
    return text.count(b"\n") - len(_BLANK_LINE.findall(text)) - is_first_blank


def take_apart(text: bytes, after_blank_line: bool) -> tuple[WordBlock, bool]:
    """One block of whole lines in words, and whether its last line is blank."""
    spaced_types, words_W, lengths_S, starts_S, ends_blank = take_apart_in_arrow(
        text, after_blank_line
    )
    types = [word[:-1] for word in spaced_types.to_pylist()]
    return WordBlock(types, words_W, lengths_S, starts_S), ends_blank


def take_apart_in_arrow(
    text: bytes, after_blank_line: bool
) -> tuple[Any, npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.bool_], bool]:
    """As `take_apart`: the fields of the block, and whether its last line is blank.

    Its types are an Arrow array, in which each has a space behind it.
    """
    buffer_B = np.frombuffer(text, np.uint8)
    newline_B = buffer_B == _NEWLINE
    ends = np.flatnonzero(newline_B | (buffer_B == _SPACE))
    # Every word keeps the space or line break after it, which makes the block one contiguous
    # Arrow array without copying a word; line breaks become spaces, so that a word is one type.
    offsets = np.zeros(len(ends) + 1, np.int32)
    np.add(ends, 1, out=offsets[1:], casting="unsafe")
    spaced_B = np.where(newline_B, np.uint8(_SPACE), buffer_B)
    words = pyarrow.BinaryArray.from_buffers(
        pyarrow.binary(), len(ends), [None, pyarrow.py_buffer(offsets), pyarrow.py_buffer(spaced_B)]
    )
    encoded = words.dictionary_encode()
    words_W = numbers_in(encoded.indices)
    is_line_end = newline_B[ends]
    line_ends = np.flatnonzero(is_line_end)
    type_offsets = np.frombuffer(encoded.dictionary.buffers()[1], np.int32)
    empty = np.flatnonzero(np.diff(type_offsets[: len(encoded.dictionary) + 1]) == 1)
    if len(empty):  # a space alone: blank lines (and doubled spaces, should there be any)
        is_word = words_W != empty[0]
        counts_before = np.concatenate(([0], np.cumsum(is_word)))[line_ends + 1]
        words_W = words_W[is_word]
    else:
        counts_before = line_ends + 1
    line_lengths = np.diff(counts_before, prepend=0)
    is_blank = line_lengths == 0
    follows_blank = np.concatenate(([after_blank_line], is_blank[:-1]))
    return (
        encoded.dictionary,
        words_W,
        line_lengths[~is_blank].astype(np.int64),
        follows_blank[~is_blank],
        bool(is_blank[-1]),
    )


def numbers_in(indices: Any) -> npt.NDArray[np.int32]:
    """The numbers of an Arrow array of int32 without gaps.

    Its own `to_numpy` imports pandas where that is installed, which takes a worker 0.2 s.
    """
    return np.frombuffer(indices.buffers()[1], np.int32)[indices.offset :][: len(indices)]


def line_blocks(
    text_file: Path,
    block_bytes: int | None = None,
    on_read: Callable[[float], None] | None = None,
) -> Iterator[bytes]:
    """Whole lines, about `block_bytes` at a time (`BLOCK_BYTES` without it); every line ends with a
    line break."""
    block_bytes = block_bytes or BLOCK_BYTES
    with text_file.open("rb") as file:
        stream = _decompressed(file, text_file)
        rest, position = b"", 0
        while chunk := stream.read(block_bytes):
            end = chunk.rfind(b"\n") + 1
            if end == 0:  # a line longer than the block
                rest += chunk
                continue
            yield rest + chunk[:end]
            rest = chunk[end:]
            if on_read is not None:
                on_read((file.tell() - position) / 1e6)
                position = file.tell()
        if rest:
            yield rest + b"\n"
        if on_read is not None:
            on_read((file.tell() - position) / 1e6)


def _decompressed(file: BinaryIO, path: Path) -> io.RawIOBase | BinaryIO:
    if path.suffix != ".zst":
        return file
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return io.BufferedReader(reader, 1 << 20)  # type: ignore[arg-type]
