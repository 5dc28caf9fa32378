"""Lines of a text file as users have them: UTF-8, with or without a byte order mark, any line end.

Only "\\n" and "\\r\\n" end a line: characters that Python's `splitlines` would also cut at (U+2028,
U+0085, ...) occur inside the sentences of real task files.
"""

from __future__ import annotations

from pathlib import Path

from bbert.errors import InputError


def read_lines(path: Path) -> list[str]:
    """The lines of `path` without their ends.

    Raises:
        InputError: bytes that are not UTF-8, with file and line; a file without a line.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}:{line}: not UTF-8 (byte 0x{content[error.start]:02x}); "
            "convert the file, e.g. with iconv"
        ) from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
