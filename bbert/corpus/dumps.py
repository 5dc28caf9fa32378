"""Wikipedia dumps to plain text, by wikiextractor run as a program.

wikiextractor is under the AGPL, so it is never imported: `python -m wikiextractor.WikiExtractor`
reads what `wiki_pages` wrote and gives one JSON object an article. A page on which it dies or hangs
is left out and counted, and the rest goes on; the program ends with the process that started it,
however that ends.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from bbert.corpus.compressed import reading_progress
from bbert.corpus.guarded_process import guarded_process
from bbert.corpus.wiki_pages import HEADING_MARK, write_articles
from bbert.errors import InputError
from bbert.progress import progress

logger = logging.getLogger(__name__)

MINIMUM_VERSION = (3, 1)
_EMPTY_BRACKETS = re.compile(r" ?\(\s*[,;:\s]*\)")
_MARKUP = re.compile(r"^[*#:;]+\s*|</?[a-z]+>")  # of lists and of tags that nobody closed
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
    dumps: Sequence[Path], text_file: Path, work_directory: Path, processes: int, name: str
) -> Counter[str]:
    """Write the text of some dumps: one paragraph a line, a blank line between articles.

    Args:
        dumps: the parts of one wiki's dump.
        text_file: a `.txt.zst` file.
        work_directory: for files that are deleted again.
        processes: how many of them wikiextractor may use.
        name: of the language, for the log.

    Returns:
        The counts of `write_articles`; of the articles `documents` have text, `empty_articles` have
        none and `failed_articles` wikiextractor could not read; `paragraphs`, and the `headings`
        that were dropped.

    Raises:
        InputError: as `write_articles`, or no article has any text.
        RuntimeError: wikiextractor failed.
    """
    check_wikiextractor()
    work_directory.mkdir(parents=True, exist_ok=True)
    articles, templates = work_directory / "articles.xml.gz", work_directory / "templates.xml.gz"
    with reading_progress(f"{name}: reading the dump", dumps) as advance:
        counts = write_articles(dumps, articles, templates, advance)
    texts = _extract(
        articles, templates if counts["templates"] else None, counts["articles"], processes
    )
    with (
        progress(f"{name}: extracting text", counts["articles"], "articles") as advance,
        _text_writer(text_file) as write,
    ):
        for text in texts:
            advance(1)
            if text is None:
                counts["failed_articles"] += 1
                continue
            paragraphs, num_headings = clean_article(text)
            counts["headings"] += num_headings
            counts["paragraphs"] += len(paragraphs)
            counts["documents" if paragraphs else "empty_articles"] += 1
            if paragraphs:
                write("\n".join(paragraphs))
        if not counts["documents"]:
            raise InputError(
                f"{dumps[0]}: {counts['articles']:,} articles, but no text in any of them; "
                "give another dump"
            )
    shutil.rmtree(work_directory)
    return counts


def clean_article(text: str) -> tuple[list[str], int]:
    """The paragraphs of an article as wikiextractor gives it, and how many headings were dropped.

    Section headings go, and what is left of list markup, of tags that nobody closed, of brackets
    whose template was dropped ("Berlin (, ) is") and of formulas that stood alone.
    """
    paragraphs, num_headings = [], 0
    for line in text.split("\n"):
        if line.startswith(HEADING_MARK):
            num_headings += 1
            continue
        line = line.replace(HEADING_MARK, "")
        line = _MARKUP.sub("", line)
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
    articles: Path, templates: Path | None, number: int, processes: int
) -> Iterator[str | None]:
    """The text of each article in order, None for one that wikiextractor could not read."""
    done = 0
    while done < number:
        part = articles
        if done:
            part = articles.with_name("rest.xml.gz")
            _skip_articles(articles, done, part)
        received = 0
        with guarded_process(_command(part, templates, processes)) as program:
            for line in program:
                received += 1
                yield json.loads(line)["text"]
            message = program.message
        done += received
        if done == number or (received and processes == 1):
            continue
        if processes > 1:
            processes = 1  # so that the article it fails on is the next one
        elif done == 0:
            raise RuntimeError(f"wikiextractor cannot read any article: {message}")
        else:
            logger.warning("wikiextractor cannot read article %d: %s", done + 1, message)
            yield None
            done += 1


def _command(articles: Path, templates: Path | None, processes: int) -> list[str]:
    # -P: the user's folder may hold a file of the name of a module that the program imports
    program = [sys.executable, "-P", "-m", "wikiextractor.WikiExtractor"]
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
