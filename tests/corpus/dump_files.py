"""Small dumps and texts for the tests of the corpus stage."""

from __future__ import annotations

import random
from collections.abc import Sequence
from xml.sax.saxutils import escape

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
