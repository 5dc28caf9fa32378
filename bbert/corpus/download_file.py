"""One file from a server, resumed where an earlier attempt stopped and verified before it counts.

A file that is not complete is `NAME.part`; beside it, `NAME.part.json` says which content it is the
beginning of. It is gone on with by a range request that the server answers only if its file is
still the same (`If-Range`), and renamed when its checksum is right.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from bbert.corpus.download_editions import RemoteFile
from bbert.corpus.download_http import NotThere, Patience, RangeRefused, Trouble, read, request
from bbert.errors import InputError
from bbert.json_files import read_json, write_json_atomically

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 18

Advance = Callable[[float], None]


class WrongChecksum(Exception):
    """What arrived is not the file; `digest` is what it has."""

    def __init__(self, digest: str) -> None:
        self.digest = digest


def part_of(path: Path) -> Path:
    """Where a file is while it is not complete."""
    return path.with_name(path.name + ".part")


def bytes_there(file: RemoteFile, folder: Path) -> int:
    """How much of a file an earlier attempt left that can be gone on with."""
    part = part_of(folder / file.name)
    return part.stat().st_size if part.is_file() and _belongs(part, file) else 0


def has_checksum(path: Path, file: RemoteFile) -> bool:
    """Whether a file is complete, by reading it."""
    if file.size is not None and path.stat().st_size != file.size:
        return False
    return file.checksum is None or _digest(path, file.checksum[0]).hexdigest() == file.checksum[1]


def download(file: RemoteFile, folder: Path, advance: Advance) -> None:
    """Bring `file` into `folder`.

    Args:
        advance: called with the bytes that arrived; with a negative number where some that had
            arrived are of no use.

    Raises:
        InputError: the file is not on the server, or is another one there than its checksum says.
        RunFailed: the server cannot be reached, or breaks off again and again.
    """
    path = folder / file.name
    part = part_of(path)
    resumed = bytes_there(file, folder) > 0
    if not resumed:
        _forget(part)
    while True:
        try:
            _fill(file, part, advance)
            break
        except WrongChecksum as error:
            size = part.stat().st_size
            _forget(part)
            advance(-size)
            if not resumed:
                algorithm, expected = file.checksum or ("", "")
                raise InputError(
                    f"{file.url} has {algorithm} {error.digest}, not {expected} as listed; "
                    "deleted it\ntry again later, or another server with --mirror"
                ) from None
            resumed = False
            logger.info("%s: the beginning was of another file; fetching all of it", file.name)
    part.replace(path)
    _sidecar(part).unlink(missing_ok=True)


class _Growing:
    """The beginning of a file on the disk, with the checksum of what is there."""

    def __init__(self, path: Path, algorithm: str | None) -> None:
        self._algorithm = algorithm
        self._digest: Any = None if algorithm is None else _digest(path, algorithm)
        self._file: BinaryIO = path.open("ab")
        self.size = self._file.seek(0, os.SEEK_END)

    def append(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self.size += len(chunk)
        if self._digest is not None:
            self._digest.update(chunk)

    def empty(self) -> None:
        self._file.truncate(0)
        self.size = 0
        self._digest = None if self._algorithm is None else hashlib.new(self._algorithm)

    def close(self) -> str | None:
        """Write all of it to the disk; returns the checksum."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return None if self._digest is None else self._digest.hexdigest()


def _fill(file: RemoteFile, part: Path, advance: Advance) -> None:
    """Make `part` complete and check it."""
    patience = Patience(file.url)
    growing = _Growing(part, file.checksum[0] if file.checksum else None)
    try:
        while file.size is None or growing.size < file.size:
            before = growing.size
            try:
                _receive(file, part, growing, advance)
                break
            except RangeRefused:
                if file.size is None and file.checksum is not None:
                    break  # nothing follows: the part may be all of it, the checksum will tell
                raise InputError(
                    f"{file.url} is shorter than the {before:,} bytes that are here already\n"
                    f"delete {part} and try again, or ask another server with --mirror"
                ) from None
            except NotThere:
                raise InputError(
                    f"{file.url} is not there any more; see --list for the editions that are"
                ) from None
            except Trouble as trouble:
                if growing.size > before:
                    patience.success()
                patience.failure(trouble)
    finally:
        digest = growing.close()
    if file.checksum is not None and digest != file.checksum[1]:
        raise WrongChecksum(str(digest))


def _receive(file: RemoteFile, part: Path, growing: _Growing, advance: Advance) -> None:
    """One request's bytes, put after those that are there."""
    begin = growing.size
    headers = {}
    if begin:
        headers["Range"] = f"bytes={begin}-"
        if condition := _condition(part, file):
            headers["If-Range"] = condition
    with request(file.url, headers) as response:
        if begin and not _continues(response, begin):
            logger.info("%s: the server sends all of it again", file.name)
            growing.empty()
            advance(-begin)
        length = response.headers.get("Content-Length", "")
        total = growing.size + int(length) if length.isdigit() else None
        if file.size is not None and total not in (None, file.size):
            raise InputError(
                f"{file.url} has {total:,} bytes, not {file.size:,} as listed\n"
                "try again later, or another server with --mirror"
            )
        _remember(part, file, response.headers)
        while chunk := read(response, _CHUNK_BYTES):
            growing.append(chunk)
            advance(len(chunk))
    end = file.size if total is None else total
    if end is not None and growing.size < end:
        raise Trouble(f"the connection was cut after {growing.size:,} of {end:,} bytes")


def _continues(response: Any, begin: int) -> bool:
    """Whether a response is what follows byte `begin`, and not the whole file."""
    if response.status != 206:
        return False
    stated = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return stated is not None and int(stated[1]) == begin


def _sidecar(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _remember(part: Path, file: RemoteFile, headers: Any) -> None:
    """Note which content `part` is the beginning of."""
    entity_tag = headers.get("ETag") or ""
    version = entity_tag if entity_tag.startswith('"') else headers.get("Last-Modified")
    content = {
        "url": file.url, "size": file.size, "checksum": list(file.checksum or ()),
        "version": version,
    }  # fmt: skip
    write_json_atomically(_sidecar(part), content)


def _belongs(part: Path, file: RemoteFile) -> bool:
    """Whether `part` can be the beginning of `file`: the checksums of both are the same, or, where
    there is none, the server can be asked for the same version."""
    try:
        noted = read_json(_sidecar(part))
    except InputError:
        return False
    if file.size is not None and part.stat().st_size > file.size:
        return False
    if file.checksum is not None:
        return noted.get("checksum") == list(file.checksum)
    return noted.get("url") == file.url and bool(noted.get("version"))


def _condition(part: Path, file: RemoteFile) -> str | None:
    """The version that the server must still have; another server numbers its versions otherwise,
    and there the checksum at the end must do."""
    noted = read_json(_sidecar(part))
    return noted.get("version") if noted.get("url") == file.url else None


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _sidecar(part).unlink(missing_ok=True)


def _digest(path: Path, algorithm: str) -> Any:
    """The checksum object of a file's content; of nothing where there is no file."""
    if not path.is_file():
        return hashlib.new(algorithm)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm)
