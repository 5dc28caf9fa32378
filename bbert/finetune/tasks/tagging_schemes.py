"""Tagging schemes of named entities: which one a file uses, what it forbids, and IOB2 from it.

    IOB2    B-X begins an entity, I-X goes on with it                     strict F1 is defined on it
    IOB1    I-X begins an entity too; B-X only right after another of the same type     CoNLL-2003
    BIOUL   as IOB2, L-X ends an entity of several words, U-X is one of a single word
    IOBES   the same with E for L and S for U

The scheme is told from all tags of a file: the letters U, L or S, E settle two of them. With B and
I alone it is IOB2 if every I-X goes on with an entity, and IOB1 if not but every B-X stands right
after an entity of its type. Where both rules are broken the file is IOB2 with illegal tags.

An illegal tag is repaired as the CoNLL scorer reads it: what goes on with no entity begins one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

OUTSIDE = "O"
TAG = re.compile(r"O|[BIULES]-.+")
_BIOUL_LETTERS, _IOBES_LETTERS = frozenset("UL"), frozenset("SE")
_LAST, _SINGLE = frozenset("LE"), frozenset("US")
_WITH_ENDS = ("BIOUL", "IOBES")


def detect_scheme(sentences: Iterable[Sequence[str]]) -> str | None:
    """The scheme of a file's tags: IOB2, IOB1, BIOUL or IOBES; None if they mix the last two."""
    letters: set[str] = set()
    strays = beginnings = False
    for tags in sentences:
        before = OUTSIDE
        for tag in tags:
            letters.add(tag[0])
            same = before != OUTSIDE and before[2:] == tag[2:]
            strays |= tag[0] == "I" and not same
            beginnings |= tag[0] == "B" and not same
            before = tag
    if letters & _BIOUL_LETTERS:
        return None if letters & _IOBES_LETTERS else "BIOUL"
    if letters & _IOBES_LETTERS:
        return "IOBES"
    return "IOB1" if strays and not beginnings else "IOB2"


def illegal_tags(tags: Sequence[str], scheme: str) -> list[int]:
    """Positions of the tags of a sentence that `scheme` forbids after their predecessors.

    An entity that is not ended, in schemes that end them, counts at the word after it, or at the
    last word of the sentence.
    """
    if scheme == "IOB1":  # a file with a forbidden tag is none
        return []
    found: list[int] = []
    open_type: str | None = None
    for position, tag in enumerate(tags):
        letter, kind = tag[0], tag[2:]
        goes_on = letter in "ILE"
        if goes_on:
            wrong = open_type != kind
        else:
            wrong = scheme in _WITH_ENDS and open_type is not None
        if wrong:
            found.append(position)
        closed = letter == OUTSIDE or letter in _LAST or letter in _SINGLE
        open_type = None if closed else kind
    if scheme in _WITH_ENDS and open_type is not None and (len(tags) - 1) not in found:
        found.append(len(tags) - 1)
    return found


def to_iob2(tags: Sequence[str]) -> tuple[str, ...]:
    """The entities of a sentence in IOB2, from any of the schemes, legal or not."""
    converted: list[str] = []
    open_type: str | None = None
    for tag in tags:
        letter, kind = tag[0], tag[2:]
        if letter == OUTSIDE:
            converted.append(OUTSIDE)
            open_type = None
            continue
        goes_on = letter in "ILE" and open_type == kind
        converted.append(f"{'I' if goes_on else 'B'}-{kind}")
        open_type = None if letter in _LAST or letter in _SINGLE else kind
    return tuple(converted)


def to_bioul(tags: Sequence[str]) -> tuple[str, ...]:
    """Legal IOB2 tags of a sentence in BIOUL."""
    converted: list[str] = []
    for tag, after in zip(tags, [*tags[1:], OUTSIDE], strict=True):
        goes_on = after == f"I-{tag[2:]}"
        if tag[0] == "B":
            converted.append(tag if goes_on else f"U-{tag[2:]}")
        elif tag[0] == "I":
            converted.append(tag if goes_on else f"L-{tag[2:]}")
        else:
            converted.append(tag)
    return tuple(converted)
