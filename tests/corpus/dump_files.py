"""Small dumps and texts for the tests of the corpus stage, and what is extracted from dumps."""

from __future__ import annotations

import bz2
import gzip
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import zstandard

from bbert.corpus.dumps import extract_dumps
from bbert.corpus.workers import Workers

SITE = """  <siteinfo>
    <sitename>Wikipedia</sitename>
    <base>https://en.wikipedia.org/wiki/Main_Page</base>
    <namespaces>
      <namespace key="0" case="first-letter" />
      <namespace key="1" case="first-letter">Talk</namespace>
      <namespace key="10" case="first-letter">Template</namespace>
    </namespaces>
  </siteinfo>
"""


def page(
    title: str, text: str, namespace: str = "0", number: int = 1, redirect: bool = False
) -> str:
    """One page in the form of a Wikimedia dump."""
    ns = f"    <ns>{namespace}</ns>\n" if namespace else ""
    target = '    <redirect title="Elsewhere" />\n' if redirect else ""
    return (
        f"  <page>\n    <title>{escape(title)}</title>\n{ns}    <id>{number}</id>\n{target}"
        f"    <revision>\n      <id>{number + 1000}</id>\n"
        f"      <contributor>\n        <username>A</username>\n        <id>7</id>\n"
        f"      </contributor>\n      <model>wikitext</model>\n"
        f'      <text xml:space="preserve">{escape(text)}</text>\n'
        f"    </revision>\n  </page>\n"
    )


def dump(pages: Sequence[str], site: str = SITE) -> str:
    """A whole dump."""
    return f'<mediawiki version="0.10" xml:lang="en">\n{site}{"".join(pages)}</mediawiki>\n'


def article(number: int) -> str:
    """Wikitext with what articles have: a box, links, a heading, a list, a table, references."""
    words = random.Random(number)
    names = ["Anna", "Boris", "Carla", "Dmitri", "Elena"]
    things = ["house", "garden", "river", "letter", "window", "mountain", "bridge"]
    verbs = ["saw", "built", "found", "painted", "sold", "remembered"]

    def sentence() -> str:
        return (
            f"{words.choice(names)} {words.choice(verbs)} the {words.choice(things)} "
            f"near the [[{words.choice(things)}|old {words.choice(things)}]]."
        )

    def paragraph() -> str:
        return " ".join(sentence() for _ in range(words.randint(2, 5)))

    return (
        "{{Infobox|name=x}}\n"
        f"'''Article {number}''' is about things.<ref>A book.</ref> {paragraph()}\n\n"
        f"== History ==\n{paragraph()}\n\n{paragraph()}\n\n"
        f"=== Early life and work ===\n{paragraph()}\n* a list item\n"
        "{| class=x\n| cell\n|}\n"
        "== See also ==\n[[Category:Things]]\n"
    )


def plain_text(num_documents: int, seed: int = 0) -> str:
    """Documents of a few paragraphs, with names, punctuation and accents."""
    words = random.Random(seed)
    stock = (
        "the of and to a in was he that it his her with as had for she not at but be on they have "
        "him which said from all this one by were so house river garden window letter mountain "
        "bridge street evening morning winter summer father mother sister brother friend doctor "
        "Anna Boris Carla café naïve señor 1850 twenty-one king's"
    ).split()

    def sentence() -> str:
        chosen = [words.choice(stock) for _ in range(words.randint(4, 14))]
        chosen[0] = chosen[0].capitalize()
        if len(chosen) > 7:
            chosen[3] += ","
        return " ".join(chosen) + words.choice(".....!?")

    def paragraph() -> str:
        return " ".join(sentence() for _ in range(words.randint(1, 5)))

    documents = (
        "\n".join(paragraph() for _ in range(words.randint(1, 4))) for _ in range(num_documents)
    )
    return "\n\n".join(documents) + "\n"


PAGES = [
    page("One", article(1), number=1),
    page("Old name", "#REDIRECT [[One]]", number=2, redirect=True),
    page("Talk:One", "chatter", namespace="1", number=3),
    page("Template metaprogramming", article(4), number=4),
    page("Template:Infobox", "{| class=box\n| {{{name}}}\n|}", namespace="10", number=5),
    page("Q & A", article(6), number=6),
]


def write(folder: Path, text: str, name: str = "dump.xml", encoding: str = "utf-8") -> Path:
    path = folder / name
    data = text.encode(encoding)
    compress = {".bz2": bz2.compress, ".gz": gzip.compress}.get(path.suffix, bytes)
    path.write_bytes(compress(data))
    return path


def read(text_file: Path) -> str:
    stream = zstandard.ZstdDecompressor().stream_reader(
        text_file.read_bytes(), read_across_frames=True
    )
    return stream.read().decode()


def extract(*paths: Path, processes: int = 1) -> tuple[list[list[str]], dict[str, int]]:
    """The articles, each a list of paragraphs, and the counts."""
    folder = paths[0].parent
    target = folder / "text.txt.zst"
    with Workers(processes) as workers:
        counts = extract_dumps(paths, target, folder / "work", workers, "en")
    shutil.rmtree(folder / "work")
    text = read(target)
    return [document.split("\n") for document in text.removesuffix("\n\n").split("\n\n")], counts
