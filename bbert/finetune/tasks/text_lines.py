"""Lines of a text file as users have them: with or without a byte order mark, any line end.

A file is UTF-8, or UTF-16 where its byte order mark says so. No other encoding can be told safely
from the bytes (every file is readable as Latin-1, and most are wrong in it), so it has to be named;
the name is used only where a file is not UTF-8, and what was used is noted.

Only "\\n" and "\\r\\n" end a line: characters that Python's `splitlines` would also cut at (U+2028,
U+0085, ...) occur inside the sentences of real task files.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.reading import Reading

_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_SUGGESTED = "latin-1"


def read_lines(path: Path, reading: Reading | None = None) -> list[str]:
    """The lines of `path` without their ends.

    Raises:
        InputError: bytes of no known encoding, with file and line; a compressed file; a file
            without a line.
    """
    reading = reading if reading is not None else Reading()
    text = _decoded(path, path.read_bytes(), reading)
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(
            f"{path}:{line}: a NUL character; is this text? UTF-16 needs its byte order mark, "
            "or --encoding utf-16-le"
        )
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _decoded(path: Path, content: bytes, reading: Reading) -> str:
    for start, name in _PACKED.items():
        if content.startswith(start):
            raise InputError(f"{path}: compressed ({name}); unpack it first")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        reading.notice("encoding", "utf-16")
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: damaged UTF-16 ({error.reason})") from None
    declared = reading.encoding
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        where = f"{path}:{line}: not UTF-8 (byte 0x{content[error.start]:02x})"
        if declared is None:
            raise InputError(
                f"{where}; say what it is, e.g. --encoding {_SUGGESTED}, or convert the file"
            ) from None
        try:
            text = content.decode(declared)
        except UnicodeDecodeError as other:
            raise InputError(f"{where}, and not {declared} either ({other.reason})") from None
        reading.notice("encoding", declared)
        return text
    if declared is not None and "\0" in text:  # UTF-16 without its mark is valid UTF-8
        try:
            text = content.decode(declared)
        except UnicodeDecodeError:
            return text
        reading.notice("encoding", declared)
        return text
    reading.notice("encoding", "utf-8")
    return text
