"""`bbert corpus download`: Wikipedia dumps → `dumps/<wiki>-<date>/` of the work folder.

    dumps/eswiki-20261101/eswiki-20261101-pages-articles.xml.bz2
    dumps/eswiki-20261101/download.json      where from, and which files are verified

Without --date an edition that is begun is gone on with, as long as the server has it; else the
newest one whose articles are complete is taken. Files come one after the other over one connection,
as the servers ask for.
"""

from __future__ import annotations

import logging
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from bbert.corpus.download_config import DownloadConfig
from bbert.corpus.download_editions import Edition, RemoteFile, dates, edition, wiki_of
from bbert.corpus.download_file import bytes_there, download, has_checksum
from bbert.errors import InputError
from bbert.json_files import read_json, write_json_atomically
from bbert.languages import Language
from bbert.progress import progress
from bbert.stage_config import default_work

logger = logging.getLogger(__name__)

DUMPS = "dumps"
RECORD = "download.json"


@dataclass(frozen=True)
class Order:
    """An edition to be fetched: for which languages, into which folder, what is missing."""

    languages: tuple[str, ...]
    edition: Edition
    folder: Path
    missing: tuple[RemoteFile, ...]

    @property
    def bytes_left(self) -> int:
        """Bytes to fetch, as far as sizes are known."""
        return sum(
            max(0, (file.size or 0) - bytes_there(file, self.folder)) for file in self.missing
        )


def run(config: DownloadConfig) -> str | Group:
    """List, plan or download; returns what to show.

    Raises:
        InputError: no such wiki or edition, a file that is not what its checksum says, no room.
        RunFailed: the server cannot be reached.
    """
    wikis = _wikis(config)
    if config.list:
        return Group(*(_list(config, wiki) for wiki in wikis))
    orders = [_order(config, wiki, names) for wiki, names in wikis.items()]
    _check_room(config.work, orders)
    if config.dry_run:
        return "\n".join([*_planned(config, orders), _build_command(config, orders)])
    for order in orders:
        with _alone(config.work, order.edition):
            _fetch(config, order)
    return "\n".join([*_done(orders), _build_command(config, orders)])


def _wikis(config: DownloadConfig) -> dict[str, tuple[str, ...]]:
    """wiki → the languages that are made from it (en and enfake share one)."""
    wikis: dict[str, tuple[str, ...]] = {}
    for name in config.languages:
        wiki = config.wiki or wiki_of(Language.parse(name).source)
        wikis[wiki] = (*wikis.get(wiki, ()), name)
    return wikis


def _list(config: DownloadConfig, wiki: str) -> Table:
    table = Table(title=f"{wiki} at {config.mirror}", title_justify="left")
    for heading in ("date", "articles", "files", "size", "here"):
        table.add_column(heading, justify="right" if heading in ("files", "size") else "left")
    for date in dates(config.mirror, wiki):
        found = edition(config.mirror, wiki, date)
        folder = _folder(config, found)
        here = ""
        if found.files:
            is_missing = any(True for _ in _missing(found.files, folder))
            here = "all" if not is_missing else "a part" if folder.is_dir() else ""
        files = str(len(found.files) or "")
        table.add_row(date, found.state, files, _size(found.size) if found.files else "", here)
    return table


def _order(config: DownloadConfig, wiki: str, languages: tuple[str, ...]) -> Order:
    chosen = _choose(config, wiki)
    if config.parts is not None:
        chosen = replace(chosen, files=chosen.files[: config.parts])
    folder = _folder(config, chosen)
    return Order(languages, chosen, folder, tuple(_missing(chosen.files, folder)))


def _choose(config: DownloadConfig, wiki: str) -> Edition:
    there = dates(config.mirror, wiki)
    if config.date is not None:
        date = config.date.replace("-", "")
        if date not in there:
            raise InputError(
                f"{config.mirror} has no {wiki} of {date}; it has {', '.join(there[:12])}"
            )
        found = edition(config.mirror, wiki, date)
        if not found.files:
            raise InputError(
                f"the articles of {wiki} {date} are not complete: {found.state}\n"
                "leave out --date for the newest complete edition, or see --list"
            )
        return found
    begun = [date for date in there if _is_begun(config.work / DUMPS / f"{wiki}-{date}")]
    newest: Edition | None = None
    for date in [*begun, *there]:
        found = edition(config.mirror, wiki, date)
        if found.files:
            newest = found
            break
        logger.info("%s %s is not complete: %s", wiki, date, found.state)
    if newest is None:
        raise InputError(
            f"{config.mirror}/{wiki}: no edition is complete ({', '.join(there[:12])})\n"
            "try again in some days, or another server with --mirror"
        )
    if newest.date in begun and newest.date != there[0]:
        logger.info(
            "going on with %s %s; there is also %s (--date takes it)", wiki, newest.date, there[0]
        )
    return newest


def _is_begun(folder: Path) -> bool:
    if not (folder / RECORD).is_file():
        return False
    return not read_json(folder / RECORD).get("complete", False)


def _fetch(config: DownloadConfig, order: Order) -> None:
    chosen = order.edition
    label = f"{chosen.wiki} {chosen.date}"
    order.folder.mkdir(parents=True, exist_ok=True)
    path = order.folder / RECORD
    record: dict[str, Any] = read_json(path) if path.is_file() else {"files": {}}
    record |= {"wiki": chosen.wiki, "date": chosen.date, "mirror": config.mirror}
    # Those that are here were verified, if by hand they came, or just before a process was killed.
    record["files"] |= {
        file.name: _entry(order.folder / file.name, file)
        for file in chosen.files
        if file not in order.missing
    }
    record["complete"] = not order.missing
    write_json_atomically(path, record)
    if not order.missing:
        logger.info("%s is up to date: %s", label, order.folder)
        return
    if any(file.checksum is None for file in order.missing):
        logger.warning("%s has no checksums at %s: only sizes are compared", label, config.mirror)
    total = chosen.size
    have = total - order.bytes_left if total is not None else 0
    megabytes = None if total is None else total / 1e6
    with progress(label, megabytes, "MB", have / 1e6) as advance:
        for file in order.missing:
            download(file, order.folder, lambda num_bytes: advance(num_bytes / 1e6))
            record["files"][file.name] = _entry(order.folder / file.name, file)
            write_json_atomically(path, record)
    record["complete"] = True
    write_json_atomically(path, record)


def _missing(files: Sequence[RemoteFile], folder: Path) -> Iterator[RemoteFile]:
    """The files that are not here, complete and unchanged since they were verified."""
    known = read_json(folder / RECORD)["files"] if (folder / RECORD).is_file() else {}
    for file in files:
        path = folder / file.name
        if not path.is_file():
            yield file
        elif known.get(file.name) != _entry(path, file):
            logger.info("%s: comparing checksums", path)
            if not has_checksum(path, file):
                logger.info("%s is not the file on the server; it is fetched again", path)
                yield file


def _entry(path: Path, file: RemoteFile) -> dict[str, Any]:
    """What says later, without reading the file, that it is still the one that was verified."""
    status = path.stat()
    return {
        "bytes": status.st_size,
        "modified_ns": status.st_mtime_ns,
        "checksum": ":".join(file.checksum) if file.checksum else None,
    }


def _check_room(work: Path, orders: Sequence[Order]) -> None:
    needed = sum(order.bytes_left for order in orders)
    if needed > (free := _free_bytes(work)):
        raise InputError(
            f"{work}: {_size(needed)} to download, {_size(free)} free\n"
            "free some space, give another folder with --work, or take fewer --parts"
        )


def _free_bytes(folder: Path) -> int:
    """Room on the disk that holds, or will hold, a folder."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free


@contextmanager
def _alone(work: Path, chosen: Edition) -> Iterator[None]:
    """One process at a time for an edition."""
    from filelock import FileLock, Timeout

    label = f"{chosen.wiki}-{chosen.date}"
    (work / ".locks").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work / ".locks" / f"download-{label}.lock", timeout=0):
            yield
    except Timeout:
        raise InputError(f"another process is downloading {label}; wait for it") from None


def _planned(config: DownloadConfig, orders: Sequence[Order]) -> Iterator[str]:
    for order in orders:
        yield f"# would write {order.folder} from {config.mirror}"
        for file in order.edition.files:
            there = bytes_there(file, order.folder)
            state = f", {_size(there)} of it here" if there else ""
            yield f"# {file.name}: {_size(file.size)}" + (
                state if file in order.missing else ", here"
            )
    needed = sum(order.bytes_left for order in orders)
    yield f"# to download: {_size(needed)}; free: {_size(_free_bytes(config.work))}"


def _done(orders: Sequence[Order]) -> Iterator[str]:
    for order in orders:
        chosen = order.edition
        kinds = {file.checksum[0] if file.checksum else "size" for file in chosen.files}
        files = "1 file" if len(chosen.files) == 1 else f"{len(chosen.files)} files"
        size = sum((order.folder / file.name).stat().st_size for file in chosen.files)
        yield (
            f"{chosen.wiki} {chosen.date}: {files}, {_size(size)}, verified by "
            f"{' and '.join(sorted(kinds))} → {order.folder}"
        )


def _build_command(config: DownloadConfig, orders: Sequence[Order]) -> str:
    """The command that makes a corpus of what was fetched."""
    languages = [name for order in orders for name in order.languages]
    words = ["bbert", "corpus", "build", "--languages", *languages]
    for order in orders:
        files = order.edition.files
        name = files[0].name if len(files) == 1 else "*.bz2"
        source = Language.parse(order.languages[0]).source
        words += ["--dump", f"{source}={order.folder / name}"]
    if config.work != default_work():
        words += ["--work", str(config.work)]
    return "build a corpus: " + shlex.join(words)


def _folder(config: DownloadConfig, chosen: Edition) -> Path:
    return config.work / DUMPS / f"{chosen.wiki}-{chosen.date}"


def _size(number: int | None) -> str:
    if number is None:
        return "size unknown"
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= scale:
            return f"{number / scale:,.1f} {unit}"
    return f"{number} bytes"
