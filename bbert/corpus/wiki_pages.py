"""The articles of a MediaWiki dump, rewritten so that wikiextractor reads every one of them.

wikiextractor 3.1 reads XML line by line. It finds nothing in a dump without line breaks, in UTF-16,
without `<ns>` elements (old exports) or without `<siteinfo>`, skips articles whose title begins
with the name of the template namespace ("Template metaprogramming"), cannot tell a dump that was
cut off, and gives section headings as if they were paragraphs. So every dump goes through a
streaming XML parser first, which checks it to the end and writes its articles and templates in the
one form that wikiextractor expects; headings carry a mark by which they are known in the result.
"""

from __future__ import annotations

import gzip
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.parsers import expat
from xml.sax.saxutils import escape

from bbert.corpus.compressed import read_chunks
from bbert.errors import InputError

HEADING_MARK = "\ue0bbheading\ue0bb"
"""Stands at the beginning of a section heading; private use, so no part of any text."""

_ARTICLE, _TEMPLATE = "0", "10"
_HEADING = re.compile(
    r"^(={1,6})(?!=)([^\n]*[^=\n])\1[ \t]*(?:<!--[^\n]*-->[ \t]*)?$", re.MULTILINE
)
_REDIRECT = re.compile(r"\s*#[^\s\[\]:#*]+\s*:?\s*\[\[[^\]]+\]\]")
_REDIRECT_CHARACTERS = 500  # in exports too old to mark redirects

_HEAD = """<mediawiki>
  <siteinfo>
    <base>{base}</base>
    <namespaces>
{namespaces}
    </namespaces>
  </siteinfo>
"""
_END = b"</mediawiki>\n"
_PAGE = """  <page>
    <title>{title}</title>
    <ns>{namespace}</ns>
    <id>{number}</id>
    <revision>
      <id>{number}</id>
      <text xml:space="preserve">{text}</text>
    </revision>
  </page>
"""


@dataclass
class WikiPage:
    """One page of a dump with the text of its newest revision."""

    title: str = ""
    namespace: str = ""
    is_redirect: bool = False
    text: str = ""


@dataclass
class SiteInfo:
    """What a dump says of its wiki: namespace names by key, and the address of its pages."""

    base: str = ""
    namespaces: dict[str, str] = field(default_factory=dict)

    def namespace_of(self, title: str) -> str:
        """The key of the namespace that the title names (for exports without `<ns>`)."""
        prefix, colon, _ = title.partition(":")
        keys = {name: key for key, name in self.namespaces.items() if name}
        return keys.get(prefix, _ARTICLE) if colon else _ARTICLE


def write_articles(
    dump: Path,
    articles: Path,
    templates: Path,
    on_read: Callable[[float], None] | None = None,
) -> tuple[Counter[str], str]:
    """Write the articles and the templates of a dump as files that wikiextractor can read.

    Args:
        dump: `.xml`, plain or compressed, in UTF-8, UTF-16 or what its XML declaration says.
        articles: gzip-compressed XML file to write.
        templates: the same without head and end; `join_templates` makes a file of several.
        on_read: called with the bytes of the dump that were read.

    Returns:
        `pages`, and of these `articles`, `redirects`, `empty_pages`, `templates` and
        `other_pages` (talk, users, files, ...); and the head of the file.

    Raises:
        InputError: the dump is damaged, cut off, no MediaWiki dump, or has no article.
    """
    counts: Counter[str] = Counter()
    site, head = SiteInfo(), ""
    with _open(articles) as of_articles, _open(templates) as of_templates:
        files = {_ARTICLE: of_articles, _TEMPLATE: of_templates}
        for page in read_pages(dump, site, on_read):
            counts["pages"] += 1
            if not head:
                head = _head(site)
                of_articles.write(head.encode())
            kind = _kind(page)
            counts[kind] += 1
            if kind in ("articles", "templates"):
                text = _canonical(page, site, counts["pages"])
                files[page.namespace].write(text.encode("utf-8", "replace"))
        if not counts["articles"]:
            raise InputError(_no_articles(dump, counts))
        of_articles.write(_END)
    return counts, head


def join_templates(head: str, parts: Iterable[Path], target: Path) -> None:
    """One file of the templates that `write_articles` wrote."""
    with target.open("wb") as file:
        file.write(gzip.compress(head.encode()))
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, file)
        file.write(gzip.compress(_END))


def read_pages(
    dump: Path, site: SiteInfo, on_read: Callable[[float], None] | None = None
) -> Iterator[WikiPage]:
    """The pages of a dump; `site` is filled before the first one.

    Raises:
        InputError: as in `write_articles`.
    """
    collector = _Collector(site)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = 1 << 16
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.characters
    num_bytes, chunk = 0, b""
    try:
        for chunk in read_chunks(dump, on_read):
            parser.Parse(chunk)
            num_bytes += len(chunk)
            yield from collector.take()
        parser.Parse(b"", True)
        yield from collector.take()
    except expat.ExpatError as error:
        raise _unparsable(dump, error, parser.ErrorByteIndex, num_bytes, chunk, collector) from None
    except _NotADump as error:
        raise InputError(f"{dump}: {error}; give a pages-articles dump of a wiki") from None
    if not collector.num_pages:
        raise InputError(f"{dump}: a MediaWiki dump without a single page; give another dump")


class _NotADump(Exception):
    """The XML is something else than a MediaWiki export."""


class _Collector:
    """Handlers of the XML parser: gather the parts of a page."""

    def __init__(self, site: SiteInfo) -> None:
        self.num_pages = 0
        self.is_dump = False
        self._site = site
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._key = ""
        self._page: WikiPage | None = None
        self._complete: list[WikiPage] = []

    def take(self) -> list[WikiPage]:
        """The pages completed since the last call."""
        pages, self._complete = self._complete, []
        return pages

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path and name != "mediawiki":
            raise _NotADump(f"an XML file of <{name}>, not of <mediawiki>")
        self._path.append(name)
        self.is_dump = True
        if name == "page":
            self._page = WikiPage()
        elif name == "redirect" and self._page is not None:
            self._page.is_redirect = True
        elif name == "namespace":
            self._key = attributes.get("key", "")
            self._text = []
        elif name in ("title", "ns", "text", "base"):
            self._text = []

    def characters(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def end(self, name: str) -> None:
        self._path.pop()
        text = "".join(self._text) if self._text is not None else ""
        self._text = None
        page = self._page
        if name == "namespace":
            self._site.namespaces[self._key] = text
        elif name == "base":
            self._site.base = text
        elif page is None:
            return
        elif name == "title":
            page.title = text
        elif name == "ns":
            page.namespace = text.strip()
        elif name == "text":  # of several revisions the last, the newest, stays
            page.text = text
        elif name == "page":
            if not page.namespace:
                page.namespace = self._site.namespace_of(page.title)
            self._complete.append(page)
            self._page = None
            self.num_pages += 1


def mark_headings(wikitext: str) -> str:
    """The wikitext with `HEADING_MARK` in every section heading, all of them of level 2 or more."""

    def mark(heading: re.Match[str]) -> str:
        level = heading[1] if len(heading[1]) > 1 else "=="
        return f"{level}{HEADING_MARK}{heading[2].strip()}{level}"

    return _HEADING.sub(mark, wikitext)


def _kind(page: WikiPage) -> str:
    if page.namespace not in (_ARTICLE, _TEMPLATE):
        return "other_pages"
    if page.namespace == _TEMPLATE:  # wikiextractor follows redirected templates itself
        return "templates" if page.text.strip() else "empty_pages"
    looks_redirected = len(page.text) < _REDIRECT_CHARACTERS and _REDIRECT.match(page.text)
    if page.is_redirect or looks_redirected:
        return "redirects"
    return "articles" if page.text.strip() else "empty_pages"


def _canonical(page: WikiPage, site: SiteInfo, number: int) -> str:
    title, text = page.title, page.text.replace("\r\n", "\n").replace("\r", "\n")
    if page.namespace == _ARTICLE:
        text = mark_headings(text)
        if title.startswith(_template_name(site)):  # wikiextractor would take it for a template
            title = title[:1].lower() + title[1:]
            title = "\u200b" + title if title.startswith(_template_name(site)) else title
    return _PAGE.format(
        title=escape(title, {'"': "&quot;"}),
        namespace=page.namespace,
        number=number,
        text=escape(text, {'"': "&quot;"}),
    )


def _head(site: SiteInfo) -> str:
    names = {"828": "Module", **site.namespaces, _TEMPLATE: _template_name(site)}
    lines = [
        f'      <namespace key="{escape(k)}">{escape(n)}</namespace>' for k, n in names.items()
    ]
    return _HEAD.format(base=escape(site.base), namespaces="\n".join(lines))


def _template_name(site: SiteInfo) -> str:
    return site.namespaces.get(_TEMPLATE) or "Template"


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "wb", compresslevel=1)  # type: ignore[return-value]


def _no_articles(dump: Path, counts: Counter[str]) -> str:
    kinds = ("redirects", "other_pages", "empty_pages", "templates")
    found = ", ".join(f"{counts[k]:,} {k.replace('_', ' ')}" for k in kinds if counts[k])
    return f"{dump}: no article among its pages ({found}); give a pages-articles dump"


def _unparsable(
    dump: Path,
    error: expat.ExpatError,
    position: int,
    num_bytes: int,
    chunk: bytes,
    collector: _Collector,
) -> InputError:
    where = f"{dump}: line {error.lineno:,}, byte {position:,}"
    reason = expat.ErrorString(error.code)
    if reason == expat.errors.XML_ERROR_NO_ELEMENTS:
        if not collector.num_pages and not num_bytes:
            return InputError(f"{dump}: is empty; download it again")
        return InputError(
            f"{dump}: ends inside the dump, after {collector.num_pages:,} pages: the file is cut "
            "off; download it again"
        )
    if reason == expat.errors.XML_ERROR_UNCLOSED_TOKEN:
        return InputError(f"{where}: the dump is cut off there; download it again")
    if reason == expat.errors.XML_ERROR_INVALID_TOKEN:
        # the parser stops at the first byte of a sequence that is not UTF-8
        at = max(position - num_bytes, 0)
        if at < len(chunk) and chunk[at] >= 0x80:
            return InputError(
                f"{where}: bytes that are not UTF-8; repair the dump, for example with `iconv -c`"
            )
    if not collector.is_dump:
        return InputError(f"{where}: not XML ({reason}); give a MediaWiki dump, or use --text")
    return InputError(f"{where}: damaged XML ({reason}); download the dump again")
