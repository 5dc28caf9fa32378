"""Writes articles as a MediaWiki export, line by line as wikiextractor reads it.

Beside the articles it has what an extractor meets in a real dump: the pages of the templates that
the articles use, redirects, talk pages.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape

from bbert.sample.articles import Article
from bbert.sample.grammar import Grammar
from bbert.sample.mediawiki_words import NAMESPACES, SITE
from bbert.sample.wikitext import WikitextWriter

SCHEMA = "http://www.mediawiki.org/xml/export-0.10"
HEAD = """<mediawiki xmlns="{schema}/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="{schema}/ {schema}.xsd" version="0.10" xml:lang="{language}">
  <siteinfo>
    <sitename>{site}</sitename>
    <dbname>{language}wiki</dbname>
    <base>https://{language}.wikipedia.org/wiki/Main_Page</base>
    <generator>bbert sample</generator>
    <case>first-letter</case>
    <namespaces>
{namespaces}
    </namespaces>
  </siteinfo>
"""
PAGE = """  <page>
    <title>{title}</title>
    <ns>{namespace}</ns>
    <id>{id}</id>
{redirect}    <revision>
      <id>{revision}</id>
      <timestamp>2020-01-01T00:00:00Z</timestamp>
      <contributor>
        <username>Sample</username>
        <id>1</id>
      </contributor>
      <model>wikitext</model>
      <format>text/x-wiki</format>
      <text bytes="{bytes}" xml:space="preserve">{text}</text>
    </revision>
  </page>
"""
FIRST_REVISION = 1_000_000
PAGES_PER_REDIRECT, PAGES_PER_TALK = 40, 200


class PageWriter:
    """Numbers pages and writes them as XML."""

    def __init__(self) -> None:
        self.count = 0

    def page(self, title: str, text: str, namespace: int = 0, redirect: str = "") -> str:
        self.count += 1
        return PAGE.format(
            title=escape(title),
            namespace=namespace,
            id=self.count,
            redirect=f'    <redirect title="{escape(redirect)}" />\n' if redirect else "",
            revision=FIRST_REVISION + self.count,
            bytes=len(text.encode()),
            text=escape(text),
        )


def export(articles: Iterable[Article], writer: WikitextWriter) -> Iterator[str]:
    """The whole export, in pieces that end with a line feed."""
    language, labels = writer.grammar.language, writer.labels
    namespaces = NAMESPACES[language]
    names = [
        f'      <namespace key="{key}" case="first-letter"'
        + (f">{name}</namespace>" if name else " />")
        for key, name in namespaces.items()
    ]
    yield HEAD.format(
        schema=SCHEMA, language=language, site=SITE[language], namespaces="\n".join(names)
    )
    pages = PageWriter()
    templates = {
        "box": '{| class="infobox"\n| {{{1}}}\n|}<noinclude>[[x]]</noinclude>',
        "stub": f"<includeonly>[[{namespaces[14]}:{labels['stub']}]]</includeonly>",
    }
    for label, text in templates.items():
        yield pages.page(f"{namespaces[10]}:{labels[label]}", text, namespace=10)
    for number, article in enumerate(articles, start=1):
        title = f"{writer.name(article)} ({article.year})"
        yield pages.page(title, writer.article(article))
        if number % PAGES_PER_REDIRECT == 0:
            text = f"#{labels['redirect']} [[{title}]]"
            yield pages.page(f"{title} 2", text, redirect=title)
        if number % PAGES_PER_TALK == 0:
            yield pages.page(f"{namespaces[1]}:{title}", "== ? ==\n:: ...", namespace=1)
    yield "</mediawiki>\n"


def write_dump(
    path: Path, articles: Iterable[Article], grammar: Grammar, random: Random
) -> dict[str, int]:
    """Write a bz2-compressed dump; returns how many articles, sentences and words it holds."""
    writer = WikitextWriter(grammar, random)
    path.write_bytes(bz2.compress("".join(export(articles, writer)).encode(), 1))
    return writer.counts
