"""Where a language's text comes from: the files behind `--dump en=FILE` and `--text en=FILE`."""

from __future__ import annotations

import glob
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bbert.corpus.compressed import compression, read_chunks
from bbert.errors import InputError
from bbert.languages import Language


@dataclass(frozen=True)
class Source:
    """The raw text behind a language key (`en` in `--dump en=FILE`): its dumps, then its texts."""

    key: str
    dumps: tuple[Path, ...] = ()
    texts: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        return self.dumps + self.texts


def read_sources(dumps: Iterable[str], texts: Iterable[str]) -> dict[str, Source]:
    """The sources that the options name, by key, in the order in which the keys were first given.

    Raises:
        InputError: an option is not of the form LANGUAGE=FILE, a language is unknown, a file or
            the match of a pattern is missing, is a folder, is empty or cannot be read.
    """
    files: dict[str, dict[str, list[Path]]] = {}
    for option, values in (("--dump", dumps), ("--text", texts)):
        for value in values:
            key, pattern = split_option(option, value)
            found = files.setdefault(key, {"--dump": [], "--text": []})[option]
            for path in _expand(option, value, pattern):
                if path in found:
                    raise InputError(f"{option} {value}: {path} is given twice for {key!r}")
                found.append(path)
    return {
        key: Source(key, tuple(found["--dump"]), tuple(found["--text"]))
        for key, found in files.items()
    }


def split_option(option: str, value: str) -> tuple[str, str]:
    """Language and file of a value; raises InputError where it is not of the form LANGUAGE=FILE."""
    key, equals, pattern = value.partition("=")
    if not equals or not key or not pattern:
        raise InputError(f"{option} {value!r}: expected LANGUAGE=FILE, as in en=text.txt")
    Language.parse(key)
    return key, pattern


def source_of(language: Language, keys: Container[str]) -> str:
    """The source of a language among those with `keys`: that of its own name, else that of the
    language it is made from."""
    return language.name if language.name in keys else language.source


def assign_sources(
    languages: Sequence[Language], sources: dict[str, Source]
) -> dict[str, list[Language]]:
    """Which languages each source serves; a source of a language's own name comes before that of
    the language it is made from.

    Raises:
        InputError: a language has no source, or a source serves no language.
    """
    served: dict[str, list[Language]] = {key: [] for key in sources}
    for language in languages:
        key = source_of(language, sources)
        if key not in sources:
            raise InputError(
                f"no text for {language.name!r}; give --dump {language.source}=FILE "
                f"or --text {language.source}=FILE"
            )
        served[key].append(language)
    for key, users in served.items():
        if not users:
            names = " ".join(language.name for language in languages)
            raise InputError(f"text is given for {key!r}, which is not among --languages {names}")
    return served


def _expand(option: str, value: str, pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    if path.exists():
        paths = [path]
    elif glob.has_magic(str(path)):
        paths = sorted((Path(match) for match in glob.glob(str(path))), key=_natural_order)
        if not paths:
            raise InputError(f"{option} {value}: no file matches; check the pattern")
    else:
        raise InputError(f"{option} {value}: no such file; check the path")
    for path in paths:
        if path.is_dir():
            raise InputError(
                f"{option} {value}: {path} is a folder; give its files, as in '{path}/*'"
            )
        if not path.is_file():
            raise InputError(
                f"{option} {value}: {path} is a pipe or a device, and files are read more than "
                "once; write the text to a file"
            )
        try:
            if not path.stat().st_size:
                raise InputError(f"{option} {value}: {path} is empty; give another file")
            compression(path)
            if option == "--text" and next(read_chunks(path), b"").startswith(b"<mediawiki"):
                raise InputError(
                    f"{option} {value}: {path} is a MediaWiki dump; give --dump {value}"
                )
        except PermissionError:
            raise InputError(f"{option} {value}: no permission to read {path}") from None
    return [path.resolve() for path in paths]


def _natural_order(path: Path) -> list[tuple[bool, int, str]]:
    """part2 before part10."""
    return [
        (piece.isdecimal(), int(piece) if piece.isdecimal() else 0, piece)
        for piece in re.split(r"(\d+)", str(path))
    ]
