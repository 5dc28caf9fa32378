"""Files that may be compressed, as chunks of bytes: told by their first bytes, not by their name.

A file that ends before its compressed stream does is an error that names the file. The standard
readers differ there: bz2 and gzip raise, zstandard silently ends.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.progress import progress

_READ_BYTES = 1 << 16

_MAGIC = {
    b"BZh": "bzip2",
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"\x50\x2a\x4d\x18": "zstandard",  # a frame to be skipped, with which pzstd begins a file
}
_UNREADABLE = {b"7z\xbc\xaf\x27\x1c": "7z", b"PK\x03\x04": "zip", b"Rar!": "rar"}

_LARGEST_WINDOW = 1 << 31
"""Bytes, of `zstd --long=31`; a reader's own limit is 128 MB, and it takes what the file says."""

EXPANSION = {"bzip2": 4.5, "gzip": 3.0, "xz": 4.0, "zstandard": 3.2, "plain": 1.0}
"""How many times larger the text usually is than the file; for estimates only."""


def compression(path: Path) -> str:
    """The compression of a file: a key of `EXPANSION`; raises InputError for an archive."""
    with path.open("rb") as file:
        head = file.read(8)
    for magic, name in _UNREADABLE.items():
        if head.startswith(magic):
            raise InputError(
                f"{path} is a {name} archive; unpack it, or compress it with bzip2 or xz"
            )
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "plain")


def read_chunks(path: Path, on_read: Callable[[float], None] | None = None) -> Iterator[bytes]:
    """The decompressed content of a file in chunks, none of them empty.

    Args:
        path: a plain file or one compressed by bzip2, gzip, xz or zstandard.
        on_read: called with the bytes of the file that each step took (compressed size).

    Raises:
        InputError: the compressed data are damaged or cut off.
    """
    kind = compression(path)
    with path.open("rb") as file:
        raw = iter(lambda: file.read(_READ_BYTES), b"")
        decompress = _Streams(kind, path) if kind != "plain" else None
        for data in raw:
            chunk = decompress(data) if decompress else data
            if on_read is not None:
                on_read(len(data))
            if chunk:
                yield chunk
        if decompress:
            decompress.check_complete()


@contextmanager
def reading_progress(description: str, paths: Iterable[Path]) -> Iterator[Callable[[float], None]]:
    """Show how far the reading of some files is; yields an `on_read` for `read_chunks`."""
    size = sum(path.stat().st_size for path in paths)
    unit, scale = ("MB", 1e6) if size >= 2e7 else ("kB", 1e3)
    with progress(description, size / scale, unit) as advance:
        yield lambda num_bytes: advance(num_bytes / scale)


class _Streams:
    """Decompresses a file that may consist of several compressed streams one after another."""

    def __init__(self, kind: str, path: Path) -> None:
        self._kind, self._path = kind, path
        self._stream: Any = None
        self._position = 0

    def __call__(self, data: bytes) -> bytes:
        start, parts = self._position, []
        self._position += len(data)
        while data:
            if self._stream is None:
                data = data.lstrip(b"\0")  # padding between streams, and after the last one
                if not data:
                    break
                self._stream = self._new()
            try:
                parts.append(self._stream.decompress(data))
            except Exception as error:  # each library has its own
                if not isinstance(error, _errors()):
                    raise
                raise InputError(
                    f"{self._path}: damaged {self._kind} data after about byte {start:,}; "
                    "download or copy the file again"
                ) from None
            if not self._stream.eof:
                break
            data = self._stream.unused_data
            self._stream = None
        return b"".join(parts)

    def check_complete(self) -> None:
        if self._stream is not None:
            raise InputError(
                f"{self._path}: the {self._kind} data end too early, after "
                f"{self._position:,} bytes: the file is cut off; download or copy it again"
            )

    def _new(self) -> Any:
        if self._kind == "bzip2":
            return bz2.BZ2Decompressor()
        if self._kind == "xz":
            return lzma.LZMADecompressor()
        if self._kind == "gzip":
            return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        import zstandard

        return zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj()


def _errors() -> tuple[type[Exception], ...]:
    import zstandard

    return (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
