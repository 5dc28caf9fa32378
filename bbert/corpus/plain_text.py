"""Reading plain text: one paragraph a line, a blank line between documents.

Text comes as pieces, so that memory does not grow with the file, however long a document is.
Byte-order marks, Windows and old Macintosh line ends and lines of white space only are treated as
what they mean, and counted. Unicode's own line separators are white space within a line, as they
are to every tool that counts lines, and counted. A line of more than `MAX_LINE_CHARACTERS` is cut
after a sentence, else at a space, else anywhere; the cuts are counted. UTF-8 and, by its byte-order
mark, UTF-16 are read; anything else is an error that names file and line.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bbert.corpus.compressed import read_chunks
from bbert.errors import InputError

PIECE_CHARACTERS = 1 << 20
MAX_LINE_CHARACTERS = 1 << 16  # some twenty pages; sentence splitting is slower on longer lines
_BLOCK_BYTES = 1 << 20

_WHITE_LINE = re.compile(r"\n[^\S\n]+(?=\n)")  # begun by a literal: ten times faster than ^ and $
_SENTENCE_ENDS = (". ", "! ", "? ", "। ", "۔ ", "؟ ", "。", "！", "？")
_SEPARATORS = ("\u2028", "\u2029", "\x85")
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark begins it
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Piece(NamedTuple):
    """Paragraphs of one document, one a line, without a blank line.

    Almost always a whole document; one longer than `PIECE_CHARACTERS` comes in several pieces, of
    which only the last `ends_document` (that one may be empty).
    """

    text: str
    ends_document: bool


def read_pieces(
    paths: Iterable[Path],
    counts: Counter[str] | None = None,
    on_read: Callable[[float], None] | None = None,
) -> Iterator[Piece]:
    """The documents of some files, in order; the end of a file ends a document.

    Args:
        paths: plain or compressed files.
        counts: receives `byte_order_marks`, `carriage_returns`, `white_lines` (lines of white
            space only, read as blank lines), `unicode_line_separators` (read as spaces) and
            `long_line_cuts`.
        on_read: called with the bytes of the files that were read.

    Raises:
        InputError: the text is not UTF-8, or a compressed file is damaged.
    """
    counts = Counter() if counts is None else counts
    for path in paths:
        yield from _pieces(_lines(_decoded(path, counts, on_read), counts))


def _pieces(line_blocks: Iterable[str]) -> Iterator[Piece]:
    rest, is_open = "", False  # whether pieces of the present document are out already
    for lines in line_blocks:
        rest += lines
        if is_open and rest.startswith("\n"):
            yield Piece("", True)
            is_open = False
        end = rest.rfind("\n\n") + 2
        if end >= 2:
            for document in rest[:end].split("\n\n"):
                text = document.strip("\n")
                if text:
                    yield Piece(text, True)
                    is_open = False
            rest = rest[end:]
        if not is_open:
            rest = rest.lstrip("\n")
        if len(rest) > PIECE_CHARACTERS:
            yield Piece(rest.strip("\n"), False)
            rest, is_open = "", True
    text = rest.strip("\n")
    if text or is_open:
        yield Piece(text, True)


def _lines(blocks: Iterable[str], counts: Counter[str]) -> Iterator[str]:
    """Whole lines, each ended by "\\n"; lines of white space only are blank."""
    rest = ""
    for block in blocks:
        block = _cut_long_lines(rest + block, counts)
        end = block.rfind("\n") + 1
        rest = block[end:]
        if end:
            yield _blank_white_lines(block[:end], counts)
    if rest:
        yield _blank_white_lines(rest + "\n", counts)


def _cut_long_lines(text: str, counts: Counter[str]) -> str:
    """`text`, which begins with a line, without lines of more than `MAX_LINE_CHARACTERS`.

    Where a line is cut depends on the line alone, and not on where blocks of the file begin.
    """
    parts, start, position = [], 0, 0
    while len(text) - position > MAX_LINE_CHARACTERS:
        end = text.rfind("\n", position, position + MAX_LINE_CHARACTERS + 1) + 1
        if end == 0:
            end = _place_to_cut(text, position, position + MAX_LINE_CHARACTERS)
            parts += [text[start:end], "\n"]
            counts["long_line_cuts"] += 1
            start = end
        position = end
    return "".join([*parts, text[start:]]) if parts else text


def _place_to_cut(text: str, begin: int, end: int) -> int:
    middle = (begin + end) // 2
    for marks in (_SENTENCE_ENDS, (" ", "\t")):
        place = max(text.rfind(mark, middle, end) + len(mark) - 1 for mark in marks) + 1
        if place > middle:
            return place
    while unicodedata.combining(text[end]) and end > middle + 1:
        end -= 1
    return end


def _blank_white_lines(lines: str, counts: Counter[str]) -> str:
    blanked, number = _WHITE_LINE.subn("\n", "\n" + lines)
    counts["white_lines"] += number
    return blanked[1:]


def _decoded(
    path: Path, counts: Counter[str], on_read: Callable[[float], None] | None
) -> Iterator[str]:
    """The file as text, with "\\n" as its one line end."""
    held = ""  # a carriage return whose line feed may be in the next block
    for text in _characters(path, counts, on_read):
        if held or "\r" in text:
            text = held + text
            held = "\r" if text.endswith("\r") else ""
            text = text.removesuffix("\r")
            counts["carriage_returns"] += text.count("\r") + len(held)
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not text.isascii():
            for separator in _SEPARATORS:
                if separator in text:  # four times as fast as counting none
                    counts["unicode_line_separators"] += text.count(separator)
        yield text
    if held:
        yield "\n"


def _characters(
    path: Path, counts: Counter[str], on_read: Callable[[float], None] | None
) -> Iterator[str]:
    decoder: codecs.IncrementalDecoder | None = None
    encoding, num_bytes, num_lines = "utf-8", 0, 0
    for data in _larger(read_chunks(path, on_read)):
        if decoder is None:
            marks = (mark for mark in _BYTE_ORDER_MARKS if data.startswith(mark))
            if mark := next(marks, None):
                encoding = _BYTE_ORDER_MARKS[mark]
                counts["byte_order_marks"] += 1
            decoder = codecs.getincrementaldecoder(encoding)()
        try:
            yield decoder.decode(data)
        except UnicodeError as error:
            raise _undecodable(path, encoding, error, num_bytes, num_lines, data) from None
        num_bytes += len(data)
        num_lines += data.count(b"\n")
    if decoder is not None:
        try:
            decoder.decode(b"", True)
        except UnicodeError as error:
            raise _undecodable(path, encoding, error, num_bytes, num_lines, b"") from None


def _undecodable(
    path: Path, encoding: str, error: UnicodeError, num_bytes: int, num_lines: int, data: bytes
) -> InputError:
    name = encoding.removesuffix("-sig").upper()
    if not isinstance(error, UnicodeDecodeError):
        return InputError(f"{path}: is not {name} text ({error}); convert it to UTF-8")
    # `error.object` is what was left of the block before, then this block.
    before = error.object[: error.start]
    position = num_bytes - (len(error.object) - len(data)) + error.start
    where = f"byte {position:,}"
    if name == "UTF-8":
        where = f"line {num_lines + before.count(10) + 1:,}, {where}"
    return InputError(
        f"{path}: {where} is not {name}; convert the file, for example with "
        f"`iconv -f LATIN1 -t UTF-8`"
    )


def _larger(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in chunks of at least `_BLOCK_BYTES`."""
    parts, size = [], 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= _BLOCK_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)
