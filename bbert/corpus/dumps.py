"""Wikipedia dumps to plain text, by wikiextractor run as a program.

wikiextractor is under the AGPL, so it is never imported: `python -m wikiextractor.WikiExtractor`
reads what `wiki_pages` wrote and gives one JSON object an article. A page on which it dies, hangs
(templates that include each other without end) or swells is left out, reported and counted, and the
rest goes on; the program ends with the process that started it, however that ends.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import logging
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from bbert.corpus.compressed import reading_progress
from bbert.corpus.guarded_process import guarded_process
from bbert.corpus.wiki_pages import HEADING_MARK, join_templates, write_articles
from bbert.corpus.workers import ALONE, Workers
from bbert.errors import InputError, RunFailed
from bbert.json_files import read_json, write_json_atomically
from bbert.progress import progress

logger = logging.getLogger(__name__)

T = TypeVar("T")

MINIMUM_VERSION = (3, 1)
_TEMPLATE_BYTES_A_SECOND = 200_000  # compressed; they are loaded before the first article
_HOPELESS = 3  # articles that fail before one was read: it is not the articles then
_EMPTY_BRACKETS = re.compile(r" ?\(\s*[,;:\s]*\)")
_MARKUP = re.compile(r"^[*#:;]+\s*|</?[a-z]+>")  # of lists and of tags that nobody closed
_UNEXPANDED = re.compile(r" ?\{\{[^{}\n]*\}\}")  # templates that include themselves
_PYTHON = (sys.executable, "-u", "-P")
"""-u: an article is read as soon as it is written, so that none of those before one that stops the
program is lost in a buffer. -P: the user's folder may hold a file of the name of a module that the
program imports."""
_PLACEHOLDER = re.compile(r"(formula|codice)_\d+\W*")  # wikiextractor's, for <math> and <code>
_BRACKET_BEGINS_WITH_COMMA = re.compile(r"\(\s*[,;:]\s*")


def check_wikiextractor() -> None:
    """Raise InputError unless a wikiextractor that works is installed."""
    mend = "run `pip install 'bbert[wikiextractor]'`, or give plain text with --text"
    if importlib.util.find_spec("wikiextractor") is None:
        raise InputError(f"--dump needs wikiextractor, which is not installed; {mend}")
    version = metadata.version("wikiextractor")
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < MINIMUM_VERSION:
        raise InputError(f"--dump needs wikiextractor >= 3.1, installed is {version}; {mend}")


def extract_dumps(
    dumps: Sequence[Path], text_file: Path, work_directory: Path, workers: Workers, name: str
) -> Counter[str]:
    """Write the text of some dumps: one paragraph a line, a blank line between articles.

    Several dumps are worked on side by side. Each that is finished leaves its text and its counts
    in the work directory, where a second call finds them; the caller deletes that once it has noted
    that all is done, for without a part of it a second call could not go on.

    Args:
        dumps: the parts of one wiki's dump.
        text_file: a `.txt.zst` file.
        work_directory: for files that only this needs.
        workers: what they and wikiextractor may use.
        name: of the language, for the log.

    Returns:
        The counts of `write_articles`; of the articles `documents` have text, `empty_articles` have
        none and `failed_articles` wikiextractor could not read; `paragraphs`, and the `headings`
        and `unexpanded_templates` that were dropped.

    Raises:
        InputError: as `write_articles`, or no article has any text.
        RunFailed: wikiextractor failed.
    """
    check_wikiextractor()
    work_directory.mkdir(parents=True, exist_ok=True)
    parts = [DumpPart(path, work_directory, i, name) for i, path in enumerate(dumps, 1)]
    some = workers if len(parts) > 1 else ALONE
    what = f"reading the dumps of {name}"
    found = list(_shown(some.map(read_part, parts, what), f"{name}: dumps read", parts))
    templates = None
    if any(counts["templates"] for counts, _ in found):
        templates = work_directory / "templates.xml.gz"
        join_templates(found[0][1], [part.file("templates.xml.gz") for part in parts], templates)
    processes = max(1, workers.processes // len(parts))
    extract = partial(extract_part, templates=templates, processes=processes)
    what = f"extracting the text of the dumps of {name}"
    total: Counter[str] = Counter()
    for part, counts in zip(
        parts, _shown(some.map(extract, parts, what), f"{name}: dumps extracted", parts),
        strict=True,
    ):  # fmt: skip
        total.update(counts)
        if counts["failed_articles"]:
            logger.warning(
                "%s: wikiextractor could not read %d of %s articles; they are left out",
                part.dump, counts["failed_articles"], f"{counts['articles']:,}",
            )  # fmt: skip
    if not total["documents"]:
        raise InputError(
            f"{dumps[0]}: {total['articles']:,} articles, but no text in any of them; "
            "give another dump"
        )
    with text_file.open("wb") as file:
        for part in parts:
            with part.file("text.zst").open("rb") as text:
                shutil.copyfileobj(text, file)
    return +total


@dataclass(frozen=True)
class DumpPart:
    """One of the dumps of a wiki, and where its files go."""

    dump: Path
    folder: Path
    number: int
    name: str

    def file(self, suffix: str) -> Path:
        return self.folder / f"{self.number}.{suffix}"


def read_part(part: DumpPart) -> tuple[Counter[str], str]:
    """Write the articles and templates of a dump, unless that is done: counts and head."""
    done = part.file("pages.json")
    if not done.exists():
        with reading_progress(f"{part.name}: reading {part.dump.name}", [part.dump]) as advance:
            counts, head = write_articles(
                part.dump, part.file("articles.xml.gz"), part.file("templates.xml.gz"), advance
            )
        write_json_atomically(done, {"counts": counts, "head": head})
    found = read_json(done)
    return Counter(found["counts"]), found["head"]


def extract_part(part: DumpPart, templates: Path | None, processes: int) -> Counter[str]:
    """Write the text of a dump that `read_part` has read, unless that is done: all counts."""
    done = part.file("text.json")
    if not done.exists():
        counts, _ = read_part(part)
        articles = part.file("articles.xml.gz")
        texts = _extract(articles, templates, counts["articles"], processes, part.dump)
        title = f"{part.name}: extracting {part.dump.name}"
        with (
            progress(title, counts["articles"], "articles") as advance,
            _text_writer(part.file("text.zst")) as write,
        ):
            for text in texts:
                advance(1)
                if text is None:
                    counts["failed_articles"] += 1
                    continue
                paragraphs, num_headings = clean_article(text)
                counts["headings"] += num_headings
                counts["unexpanded_templates"] += len(_UNEXPANDED.findall(text))
                counts["paragraphs"] += len(paragraphs)
                counts["documents" if paragraphs else "empty_articles"] += 1
                if paragraphs:
                    write("\n".join(paragraphs))
        write_json_atomically(done, counts)
        articles.unlink()
    return Counter(read_json(done))


def _shown(results: Iterable[T], title: str, parts: Sequence[DumpPart]) -> Iterator[T]:
    """The results; of several parts it is shown how many are done."""
    if len(parts) == 1:
        yield from results
        return
    with progress(title, len(parts), "parts") as advance:
        for result in results:
            advance(1)
            yield result


def clean_article(text: str) -> tuple[list[str], int]:
    """The paragraphs of an article as wikiextractor gives it, and how many headings were dropped.

    Section headings go, calls of templates that wikiextractor refused to expand because they
    include themselves, and what is left of list markup, of tags that nobody closed, of brackets
    whose template was dropped ("Berlin (, ) is") and of formulas that stood alone.
    """
    paragraphs, num_headings = [], 0
    for line in text.split("\n"):
        if line.startswith(HEADING_MARK):
            num_headings += 1
            continue
        line = line.replace(HEADING_MARK, "")
        line = _UNEXPANDED.sub("", _MARKUP.sub("", line))
        line = _EMPTY_BRACKETS.sub("", line)
        line = _BRACKET_BEGINS_WITH_COMMA.sub("(", line).strip()
        if line and not _PLACEHOLDER.fullmatch(line):
            paragraphs.append(" ".join(line.split()))
    return paragraphs, num_headings


@contextmanager
def _text_writer(path: Path) -> Iterator[Callable[[str], None]]:
    import zstandard

    with path.open("wb") as file, zstandard.ZstdCompressor(level=3).stream_writer(file) as stream:
        # wikiextractor can turn a character reference into half of a surrogate pair
        def write(text: str) -> None:
            stream.write(f"{text}\n\n".encode("utf-8", "ignore"))

        yield write


def _extract(
    articles: Path, templates: Path | None, number: int, processes: int, dump: Path
) -> Iterator[str | None]:
    """The text of each article in order, None for one that wikiextractor could not read."""
    done = num_failed = 0
    seconds_to_start = templates.stat().st_size / _TEMPLATE_BYTES_A_SECOND if templates else 0.0
    now, rest = processes, articles.with_name(f"rest-of-{articles.name}")
    while done < number:
        part = articles
        if done:
            part = rest
            _skip_articles(articles, done, part)
        received = 0
        with guarded_process(_command(part, templates, now), seconds_to_start) as program:
            for line in program:
                received += 1
                yield json.loads(line)["text"]
            message, exceeded = program.message, program.exceeded
        done += received
        if done == number:
            break
        if not exceeded and (received or now > 1):
            now = 1  # once more, so that the article it fails on is the next one
            continue
        done, num_failed = done + 1, num_failed + 1
        logger.warning(
            "%s: article %d is left out: wikiextractor %s", dump, done,
            exceeded or f"cannot read it: {message}",
        )  # fmt: skip
        yield None
        if done == num_failed == _HOPELESS and not exceeded:
            raise RunFailed(f"{dump}: wikiextractor cannot read any article: {message}")
        now = processes
    rest.unlink(missing_ok=True)


def _command(articles: Path, templates: Path | None, processes: int) -> list[str]:
    # Its processes are forked and write to the standard output of the first, which is unbuffered.
    program = [*_PYTHON, "-m", "wikiextractor.WikiExtractor"]
    program += ["--json", "-q", "-o", "-", "--html-safe", "", "--processes", str(processes)]
    program += ["--templates", str(templates)] if templates else ["--no-templates"]
    return [*program, str(articles)]


def _skip_articles(articles: Path, number: int, target: Path) -> None:
    """Copy a file of articles without the first `number` of them."""
    with gzip.open(articles, "rb") as source, gzip.open(target, "wb", compresslevel=1) as rest:
        begun = 0
        for line in source:
            begun += line == b"  <page>\n"
            if begun == 0 or begun > number or line == b"</mediawiki>\n":
                rest.write(line)
