"""The `fake` intervention: the same text in characters that no other text has.

Every character that is not white space moves up by 200,000, as in K et al. 2020. What that rule
cannot serve is settled by a bijection into reserved blocks, all in planes 6 to 11, where Unicode
has no character:

* Characters from 200,000 on (ideographs of extensions G and later, tag characters, private use)
  become one reserved character each. Planes 4 to 13 of the source hold no character at all; should
  one of their code points turn up, it becomes a pair of reserved characters, because two disjoint
  copies of all of Unicode do not fit into Unicode.
* The image of ASCII lies among the ideographs of extension G. A plain text that stands beside a
  fake one gives way: `give_way` moves its own characters out of the territory of `fake`, also by a
  bijection. It touches nothing below 200,000.

So `unfake(fake(x)) == x` for every string, lone surrogates included, and `fake(x)` shares no
character but white space with `give_way(y)`, whatever x and y. `plain_to_fake` leads from the final
text of a plain language to that of its fake, character by character: what a vocabulary mirrors.

Shape suffix: `C` is the number of code points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from bbert.basic_tokenization import NUM_CODE_POINTS, CodePoints, decode, encode

SHIFT = 200_000
_PAIR_SHIFT, _PAIR_MASK = 10, 1023
_PAIRED = 0xFFFFFFFF  # in the table of images, for a code point that becomes a pair


class Range(NamedTuple):
    """Code points `first` to `last` move to those from `image` on, in order."""

    first: int
    last: int
    image: int


class Pairs(NamedTuple):
    """Code points `first` to `last` become two: with k = code - first, `lead` + k // 1024 and
    `trail` + k % 1024."""

    first: int
    last: int
    lead: int
    trail: int


@dataclass(frozen=True)
class Bijection:
    """An invertible map of strings that leaves white space, and what no entry names, as it is."""

    ranges: tuple[Range, ...]
    pairs: Pairs | None = None

    def apply(self, codes_C: CodePoints) -> CodePoints:
        """The image; as long as the argument but for the characters that become pairs."""
        images = self._images[codes_C]
        if self.pairs is None or not (paired := images == _PAIRED).any():
            return images
        first, _, lead, trail = self.pairs
        offsets = codes_C[paired] - np.uint32(first)
        images[paired] = np.uint32(lead) + (offsets >> np.uint32(_PAIR_SHIFT))
        seconds = np.uint32(trail) + (offsets & np.uint32(_PAIR_MASK))
        return np.insert(images, np.flatnonzero(paired) + 1, seconds)

    def invert(self, codes_C: CodePoints) -> CodePoints:
        """The string whose image this is; what is no image stays as it is."""
        originals = self._originals[codes_C]
        if self.pairs is None:
            return originals
        first, last, lead, trail = self.pairs
        num_leads = ((last - first) >> _PAIR_SHIFT) + 1
        is_lead = (codes_C >= lead) & (codes_C < lead + num_leads)
        is_trail = (codes_C >= trail) & (codes_C <= trail + _PAIR_MASK)
        starts = np.flatnonzero(is_lead[:-1] & is_trail[1:])
        if not len(starts):
            return originals
        high = codes_C[starts] - np.uint32(lead)
        low = codes_C[starts + 1] - np.uint32(trail)
        originals[starts] = np.uint32(first) + (high << np.uint32(_PAIR_SHIFT)) + low
        return np.delete(originals, starts + 1)

    def description(self) -> dict[str, Any]:
        """The map for the certificate, code points as `U+…`."""
        named = [
            {"from": f"{_hex(r.first)}..{_hex(r.last)}", "to": _hex(r.image)} for r in self.ranges
        ]
        description: dict[str, Any] = {"ranges": named, "unchanged": "white space and all else"}
        if self.pairs is not None:
            first, last, lead, trail = self.pairs
            description["pairs"] = {
                "from": f"{_hex(first)}..{_hex(last)}",
                "to": f"{_hex(lead)} + k // 1024, {_hex(trail)} + k % 1024",
            }
        return description

    @cached_property
    def _images(self) -> CodePoints:
        table = np.arange(NUM_CODE_POINTS, dtype=np.uint32)
        if self.pairs is not None:
            table[self.pairs.first : self.pairs.last + 1] = _PAIRED
        for first, last, image in self.ranges:
            table[first : last + 1] = np.arange(image, image + last - first + 1)
        for code in WHITE_SPACE:
            table[code] = code
        return table

    @cached_property
    def _originals(self) -> CodePoints:
        table = np.arange(NUM_CODE_POINTS, dtype=np.uint32)
        moved = np.flatnonzero((self._images != table) & (self._images != _PAIRED))
        table[self._images[moved]] = moved
        return table


def _hex(code: int) -> str:
    return f"U+{code:04X}"


WHITE_SPACE = tuple(code for code in range(0x3001) if chr(code).isspace())

FAKE = Bijection(
    ranges=(
        Range(0, SHIFT - 1, SHIFT),  # U+30D40..U+61A7F
        Range(SHIFT, 0x3FFFF, 0x61A80),  # ..U+70D3F: the rest of plane 3
        Range(0xE0000, 0x10FFFF, 0x70D40),  # ..U+A0D3F: tags, variation selectors, private use
    ),
    pairs=Pairs(0x40000, 0xDFFFF, lead=0xA0D40, trail=0xA0FC0),  # ..U+A13BF
)
TERRITORY = (SHIFT, 0xA13BF)
"""First and last code point that `fake` can produce."""

GIVE_WAY = Bijection(
    ranges=(Range(SHIFT, 0x3FFFF, 0xA13C0),),  # ..U+B067F
    pairs=Pairs(0x40000, 0xDFFFF, lead=0xB0680, trail=0xB0900),  # ..U+B0CFF
)
PLAIN_TO_FAKE = Bijection(
    ranges=(
        FAKE.ranges[0],
        Range(0xA13C0, 0xB067F, 0x61A80),
        FAKE.ranges[2],
        Range(0xB0680, 0xB0CFF, 0xA0D40),  # either half of a pair
    ),
)
"""From text that gave way to the fake of what it was: one code point for one."""


def fake(text: str) -> str:
    """`text` with every character but white space in the fake alphabet."""
    return decode(FAKE.apply(encode(text)))


def unfake(text: str) -> str:
    """The inverse of `fake`."""
    return decode(FAKE.invert(encode(text)))


def give_way(text: str) -> str:
    """`text` without characters of the fake alphabet, by a bijection; usually `text` itself."""
    codes = encode(text)
    if not len(codes) or codes.max() < SHIFT:
        return text
    return decode(GIVE_WAY.apply(codes))


def take_back(text: str) -> str:
    """The inverse of `give_way`."""
    return decode(GIVE_WAY.invert(encode(text)))


def plain_to_fake(text: str) -> str:
    """The fake of what `text` was before it gave way: `plain_to_fake(give_way(x)) == fake(x)`.

    As long as `text`, so it maps the pieces of a word to the pieces of the fake word.
    """
    return decode(PLAIN_TO_FAKE.apply(encode(text)))


def fake_to_plain(text: str) -> str:
    """The inverse of `plain_to_fake`: `fake_to_plain(fake(x)) == give_way(x)`."""
    return decode(PLAIN_TO_FAKE.invert(encode(text)))
