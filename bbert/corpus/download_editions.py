"""What a dump server has: editions of a wiki, and the files of its articles in each.

    <mirror>/eswiki/            folders named by date, below them for instance in 20261101/
        dumpstatus.json                                jobs: state, files, sizes, checksums
        eswiki-20261101-sha1sums.txt                   checksums: all that some mirrors have
        eswiki-20261101-pages-articles.xml.bz2

Large wikis come in parts too (`…-pages-articles1.xml-p1p41242.bz2`), and those are taken: the same
text, a broken transfer costs one part, and a corpus is built from them in parallel. The
`multistream` files hold it once more, for readers of single articles.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bbert.corpus.download_http import NotThere, fetch, remote_size
from bbert.errors import InputError

OTHER_NAMES = {"nb": "nowiki", "rup": "roa_rupwiki", "yue": "zh_yuewiki"}
"""Languages whose wiki is not called by their code."""

_JOBS = ("articlesdump", "articlesdumprecombine")
_MISSING = "there is no list of its files"


@dataclass(frozen=True)
class RemoteFile:
    """A file on the server; `checksum` is (algorithm, hexadecimal), None where there is none."""

    name: str
    url: str
    size: int | None
    checksum: tuple[str, str] | None


@dataclass(frozen=True)
class Edition:
    """The articles of a wiki at a date; without files, `state` says why."""

    wiki: str
    date: str
    state: str
    files: tuple[RemoteFile, ...] = ()

    @property
    def size(self) -> int | None:
        """Bytes of all files, None where one is unknown."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


def wiki_of(language: str) -> str:
    """The name of a language's Wikipedia among the dumps."""
    return OTHER_NAMES.get(language, language.replace("-", "_") + "wiki")


def dates(mirror: str, wiki: str) -> list[str]:
    """The dates for which the server has a folder, the newest first.

    Raises:
        InputError: the server has no such wiki, or no edition of it.
        RunFailed: the server cannot be reached.
    """
    url = f"{mirror.rstrip('/')}/{wiki}/"
    try:
        page = fetch(url).decode("utf-8", "replace")
    except NotThere:
        raise InputError(
            f"{url}: there is no such wiki; check the language, --wiki and --mirror"
        ) from None
    found = sorted(set(re.findall(r"""href=["'][^"']*?\b(\d{8})/?["']""", page)), reverse=True)
    if not found:
        raise InputError(f"{url}: no edition is listed there; check --wiki and --mirror")
    return found


def edition(mirror: str, wiki: str, date: str) -> Edition:
    """What the server has of an edition."""
    folder = f"{mirror.rstrip('/')}/{wiki}/{date}"
    try:
        content = fetch(f"{folder}/dumpstatus.json")
    except NotThere:
        return _from_checksums(folder, wiki, date)
    try:
        jobs = json.loads(content)["jobs"]
        return _from_status(jobs, folder, wiki, date)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{folder}/dumpstatus.json is no list of files; "
            "is --mirror a copy of Wikimedia's dumps?"
        ) from None


def _from_status(jobs: Mapping[str, Any], folder: str, wiki: str, date: str) -> Edition:
    states = {name: str(jobs.get(name, {}).get("status", "missing")) for name in _JOBS}
    for name in _JOBS:
        entries = jobs.get(name, {}).get("files") or {}
        names = _of_articles(entries, wiki, date)
        if states[name] != "done" or not names:
            continue
        if any(not _checksum(entries[file]) for file in names):
            listed = _checksums(folder, wiki, date)
        else:
            listed = {}
        files = (
            RemoteFile(
                file,
                f"{folder}/{file}",
                int(entries[file]["size"]) if entries[file].get("size") is not None else None,
                _checksum(entries[file]) or listed.get(file),
            )
            for file in names
        )
        return Edition(wiki, date, "complete", tuple(files))
    return Edition(wiki, date, states[_JOBS[0]])


def _from_checksums(folder: str, wiki: str, date: str) -> Edition:
    """An edition on a mirror without `dumpstatus.json`: only the file of all articles tells that
    the edition is complete, for it is made of the parts at the end."""
    listed = _checksums(folder, wiki, date)
    whole = f"{wiki}-{date}-pages-articles.xml.bz2"
    if whole not in listed:
        return Edition(wiki, date, "in progress" if listed else _MISSING)
    url = f"{folder}/{whole}"
    try:
        return Edition(
            wiki, date, "complete", (RemoteFile(whole, url, remote_size(url), listed[whole]),)
        )
    except NotThere:
        return Edition(wiki, date, f"{whole} is not there")


def _checksums(folder: str, wiki: str, date: str) -> dict[str, tuple[str, str]]:
    for algorithm in ("sha1", "md5"):
        try:
            text = fetch(f"{folder}/{wiki}-{date}-{algorithm}sums.txt").decode("utf-8", "replace")
        except NotThere:
            continue
        lines = re.findall(r"^([0-9a-fA-F]{32,40})[ \t]+\*?(\S+)$", text, re.MULTILINE)
        return {name: (algorithm, digest.lower()) for digest, name in lines}
    return {}


def _checksum(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    for algorithm, length in (("sha1", 40), ("md5", 32)):
        digest = str(entry.get(algorithm) or "").lower()
        if re.fullmatch(rf"[0-9a-f]{{{length}}}", digest):
            return algorithm, digest
    return None


def _of_articles(names: Mapping[str, Any], wiki: str, date: str) -> list[str]:
    """The files of articles, parts in their order; a name that is none of ours is left out, so
    that a server cannot name a path."""
    pattern = re.compile(rf"{wiki}-{date}-pages-articles(\d*)\.xml(?:-p(\d+)p\d+)?\.bz2", re.ASCII)
    matches = [match for match in map(pattern.fullmatch, names) if match]
    matches.sort(key=lambda match: (int(match[1] or 0), int(match[2] or 0)))
    return [match[0] for match in matches]
