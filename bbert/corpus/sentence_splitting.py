"""Splitting a paragraph into sentences: `sentencex`, and what mends its commonest errors.

`sentencex` is fast and knows the abbreviations and terminators of many languages. Its errors on the
gold bounds of treebanks (`benchmarks/sentence_splitting.py`) are mostly of a few kinds, and these
are mended here:

* it never splits inside quotation marks or brackets, so one that is not closed (an apostrophe is
  enough) hides every bound up to the next: it gets the text without them, and the bounds are
  carried over;
* a bound before a closing mark, inside a word (`www.example.org`, `J.-C.`), before a comma, or
  after an abbreviation that its lists lack is none;
* the number of an item ("2.") is no sentence of its own.

One pattern it dies of is kept from it: a capital, white space outside ASCII and a full stop.

Nothing of the text is lost: the sentences joined are the paragraph.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from sentencex import segment  # pyright: ignore[reportAttributeAccessIssue]

_HIDING = "\"'`()[]“”„‘’«»‹›"
_ANY_MARK = "\0"  # text has none; one that does is treated as having a mark there
_CLOSING = re.compile(r"""(?:[)\]}»”’]+|["'`]+(?=\s|$))\s*""")
_OPENING = re.compile(r"[«„“‘(\[]\s+$")
_OPENING_MARKS = frozenset("«„“‘([")
_CLOSING_MARKS = frozenset(")]}»”’\"'`")
_CLOSED_QUOTATION = re.compile(r"""[.!?…]["'`)\]}»”’]+\s*$""")
_ITEM = re.compile(r"\s*\(?\d{1,3}[.)]\s*")
_LONGEST_ITEM = 8
_SHORT = re.compile(r"(?:^|[\s.(-])\w{1,2}\.\s*$")
_GOES_ON = frozenset("/-_=&@,;:")
_WIDE_SPACE = frozenset(chr(code) for code in range(0x80, 0x3001) if chr(code).isspace())
_DEADLY = re.compile(r"(?<=[A-Z])[\s.]*[^\S\x00-\x7f](?=\.)")
"""`sentencex` 1.0.32 takes this white space for one byte and panics in the midst of a character; in
Kazakh and Karakalpak full stops may stand before it."""

_ABBREVIATIONS: Mapping[str, frozenset[str]] = {
    language: frozenset(f"{opening}{word} " for word in words.split() for opening in ("", "("))
    for language, words in {
        "en": "St. Ft. Bros. v. vs. Ph. Mt. Ste.",
        "es": "St. v. hab. Bros. n. ca. a. d. f.",
        "fr": "M. MM. Bros. St. v.",
        "hi": "डॉ. डा. प्रो. मि. श्री. सं. पं.",
        "it": "N. n. St. Bros. v. ca.",
        "ru": "букв. род. ум. рус. англ. лат. греч. нем. фр. spp.",
    }.items()
}
"""What `sentencex` lacks of the abbreviations that a name or a number follows, each with the blank
behind it."""


def split_sentences(language: str, paragraph: str) -> list[str]:
    """The sentences of a paragraph, those of white space only left out.

    Args:
        language: ISO code; one that `sentencex` does not know gets its fallback.
        paragraph: text without line breaks; every sentence keeps the white space around it.
    """
    found = _split_without_marks(language, paragraph)
    if len(found) > 1:
        found = _joined(found, _ABBREVIATIONS.get(language, frozenset()))
    return [sentence for sentence in found if sentence.strip()]


def _split_without_marks(language: str, paragraph: str) -> Sequence[str]:
    """A paragraph split where it would be without quotation marks and brackets."""
    marked = paragraph
    for mark in _HIDING:  # faster than a regular expression, and five times as fast as translate()
        if mark in marked:
            marked = marked.replace(mark, _ANY_MARK)
    between = marked.split(_ANY_MARK)
    if len(between) == 1:
        return _segment(language, paragraph)
    found = _segment(language, "".join(between))
    if len(found) < 2:
        return [paragraph]
    marks = list(accumulate(map(len, between[:-1])))  # where they are missing, in order
    result, begin, position = [], 0, 0
    for part in found[:-1]:
        position += len(part)
        # An opening mark belongs to what follows it, a closing one to what it follows.
        side = bisect_left if part[-1:].isspace() else bisect_right
        end = position + side(marks, position)
        result.append(paragraph[begin:end])
        begin = end
    return [*result, paragraph[begin:]]


def _segment(language: str, text: str) -> Sequence[str]:
    """What `sentencex` makes of a text; the parts joined are the text.

    "Vitamin C ." with a no-break space is rare, but "« B »." and "( B )." leave the like behind
    when the marks are taken out. `sentencex` gets as many blanks instead.
    """
    if text.isascii() or not _wide_space_before_full_stop(text):
        return segment(language, text)
    parts = segment(language, _DEADLY.sub(_with_blanks, text))
    bounds = accumulate(map(len, parts), initial=0)
    return [text[begin:end] for begin, end in pairwise(bounds)]


def _with_blanks(found: re.Match[str]) -> str:
    return re.sub(r"\s", " ", found[0])


def _wide_space_before_full_stop(text: str) -> bool:
    # Twice as fast as a regular expression, and every paragraph outside ASCII comes by here.
    for part in text.split("."):  # noqa: SIM110
        if part[-1:] in _WIDE_SPACE:
            return True
    return False


def _joined(sentences: Sequence[str], abbreviations: frozenset[str]) -> Sequence[str]:
    """Sentences with the bounds between them removed that are none."""
    # Most are plain: a long sentence, a blank, a capital or an opening mark. This must cost little.
    is_plain = [
        len(before) > _LONGEST_ITEM
        and (after[0].isupper() or after[0] in _OPENING_MARKS)
        and before[-1] == " "
        and before[-2] not in _OPENING_MARKS
        and before[before.rfind(" ", 0, -1) + 1 :] not in abbreviations
        for before, after in pairwise(sentences)
    ]
    if all(is_plain):
        return sentences
    result = [sentences[0]]
    for sentence, plain in zip(sentences[1:], is_plain, strict=True):
        if plain:
            result.append(sentence)
            continue
        if sentence[0] in _CLOSING_MARKS and (closing := _CLOSING.match(sentence)) is not None:
            result[-1] += closing.group()
            sentence = sentence[closing.end() :]
            if not sentence:
                continue
        before = result[-1]
        if before[-2:-1] in _OPENING_MARKS and (opening := _OPENING.search(before)) is not None:
            sentence = opening.group() + sentence
            before = result[-1] = before[: opening.start()]
        if before and _continues(before, sentence, abbreviations):
            result[-1] += sentence
        else:
            result.append(sentence)
    return result


def _continues(before: str, after: str, abbreviations: frozenset[str]) -> bool:
    """Whether what comes after a bound belongs to the sentence before it."""
    last, first = before[-1], after[0]
    if not (last.isspace() or first.isspace()):
        return last in ".?!" and (first.isalnum() or first in _GOES_ON)
    if before[before.rfind(" ", 0, -1) + 1 :] in abbreviations:
        return True
    if not first.isupper():  # most are
        first = after.lstrip()[:1]
        if first in (",", ";"):
            return True
        if first.islower() and (_SHORT.search(before) or _CLOSED_QUOTATION.search(before)):
            return True
    return len(before) <= _LONGEST_ITEM and _ITEM.fullmatch(before) is not None
