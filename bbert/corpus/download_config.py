"""Options of `bbert corpus download`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import tyro

from bbert.errors import InputError
from bbert.languages import parse_languages
from bbert.stage_config import Switch, default_work

WIKIMEDIA = "https://dumps.wikimedia.org"

_WIKI = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True)
class DownloadConfig:
    """Download Wikipedia dumps from the Wikimedia servers: resumed where it stopped, verified.

    The newest complete edition of pages-articles, into `dumps/` of the work folder; prints the
    `bbert corpus build` command that uses it.
    """

    languages: tyro.conf.Positional[tuple[str, ...]]
    """Languages whose Wikipedia to fetch: en, it, …; enfake means en."""
    date: str | None = None
    """Edition, as in 20261101; without it the newest complete one, or the one already begun."""
    wiki: str | None = None
    """Another wiki of that language, by its name among the dumps: simplewiki, enwikisource."""
    parts: int | None = None
    """Only the first so many parts of an edition that comes in parts (its oldest pages)."""
    mirror: str = WIKIMEDIA
    """Address of a server with the same folders: see "mirrors" on dumps.wikimedia.org."""
    list: Switch = False
    """Show the editions that there are; download nothing."""
    dry_run: Switch = False
    """Show files, sizes and free space; download nothing."""
    work: Path = field(default_factory=default_work)
    """Folder that holds all runs; also $BBERT_WORK."""
    quiet: Switch = False
    """Only errors and the final result."""
    debug: Switch = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        if not self.languages:
            raise InputError("name a language, as in `bbert corpus download es`")
        parse_languages(self.languages, "LANGUAGES")
        if self.date is not None and not re.fullmatch(r"\d{4}-?[01]\d-?[0-3]\d", self.date):
            raise InputError(f"--date {self.date!r}: expected year, month and day, as in 20261101")
        if self.wiki is not None and not _WIKI.fullmatch(self.wiki):
            raise InputError(f"--wiki {self.wiki!r}: expected a name such as simplewiki")
        if self.wiki is not None and len(self.languages) > 1:
            raise InputError("--wiki names one wiki; give one language with it")
        if self.parts is not None and self.parts < 1:
            raise InputError(f"--parts {self.parts}: give 1 or more")
        _check_address(self.mirror)


def _check_address(mirror: str) -> None:
    try:
        address = urlsplit(mirror)
        usable = address.scheme in ("http", "https") and bool(address.hostname)
        usable = usable and (address.port is None or address.port > 0)
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s?#]", mirror):
        raise InputError(f"--mirror {mirror!r}: expected an address such as {WIKIMEDIA}")
