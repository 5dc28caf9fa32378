"""Cased BERT basic tokenisation: text to words, over whole blocks at once.

Words are split at Unicode white space; every punctuation mark and every CJK ideograph is a word of
its own; nothing is lower-cased, no accent is stripped. The text is brought to NFC first. "\\n" is
the one line break: lines are kept, empty ones too, and all other white space becomes one space.

Characters that carry no text are removed and counted: control characters (category Cc) other than
white space, U+FFFD, which stands for a decoding error, and lone surrogates, which no file can hold.
Format characters (Cf) stay: Hindi needs its zero-width joiners.

Choice: the character classes are those of the `tokenizers` library (`BertNormalizer` without
`clean_text`, then `BertPreTokenizer`), frozen here, so that the words do not change with the
Unicode version of the Python that runs. A test compares every code point with that library.
The work is done by numpy on code points, one or two bytes each where the text allows it: 100-300
MB/s on one core, where a regular expression over the same classes gives 10-20 MB/s.

Shape suffix: `C` is the number of code points.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

CodePoints = npt.NDArray[np.uint32]
NarrowCodes = npt.NDArray[Any]
"""Code points as uint8, uint16 or uint32: the narrowest in which the text can be had at once."""

NUM_CODE_POINTS = 0x110000
SPACE = 0x20

_WHITE_SPACE = "9-D 20 85 A0 1680 2000-200A 2028-2029 202F 205F 3000"
_REMOVED = "0-8 E-1F 7F-84 86-9F D800-DFFF FFFD"
_IDEOGRAPHS = "3400-4DBF 4E00-9FFF F900-FAFF 20000-2A6DF 2A700-2B81F 2B920-2CEAF 2F800-2FA1F"
_PUNCTUATION = (
    "21-2F 3A-40 5B-60 7B-7E A1 A7 AB B6-B7 BB BF 37E 387 55A-55F 589-58A 5BE 5C0 5C3 5C6 "
    "5F3-5F4 609-60A 60C-60D 61B 61E-61F 66A-66D 6D4 700-70D 7F7-7F9 830-83E 85E 964-965 970 AF0 "
    "DF4 E4F E5A-E5B F04-F12 F14 F3A-F3D F85 FD0-FD4 FD9-FDA 104A-104F 10FB 1360-1368 1400 "
    "166D-166E 169B-169C 16EB-16ED 1735-1736 17D4-17D6 17D8-17DA 1800-180A 1944-1945 1A1E-1A1F "
    "1AA0-1AA6 1AA8-1AAD 1B5A-1B60 1BFC-1BFF 1C3B-1C3F 1C7E-1C7F 1CC0-1CC7 1CD3 2010-2027 "
    "2030-2043 2045-2051 2053-205E 207D-207E 208D-208E 2308-230B 2329-232A 2768-2775 27C5-27C6 "
    "27E6-27EF 2983-2998 29D8-29DB 29FC-29FD 2CF9-2CFC 2CFE-2CFF 2D70 2E00-2E2E 2E30-2E42 "
    "3001-3003 3008-3011 3014-301F 3030 303D 30A0 30FB A4FE-A4FF A60D-A60F A673 A67E A6F2-A6F7 "
    "A874-A877 A8CE-A8CF A8F8-A8FA A8FC A92E-A92F A95F A9C1-A9CD A9DE-A9DF AA5C-AA5F AADE-AADF "
    "AAF0-AAF1 ABEB FD3E-FD3F FE10-FE19 FE30-FE52 FE54-FE61 FE63 FE68 FE6A-FE6B FF01-FF03 "
    "FF05-FF0A FF0C-FF0F FF1A-FF1B FF1F-FF20 FF3B-FF3D FF3F FF5B FF5D FF5F-FF65 10100-10102 "
    "1039F 103D0 1056F 10857 1091F 1093F 10A50-10A58 10A7F 10AF0-10AF6 10B39-10B3F 10B99-10B9C "
    "11047-1104D 110BB-110BC 110BE-110C1 11140-11143 11174-11175 111C5-111C9 111CD 111DB "
    "111DD-111DF 11238-1123D 112A9 114C6 115C1-115D7 11641-11643 1173C-1173E 12470-12474 "
    "16A6E-16A6F 16AF5 16B37-16B3B 16B44 1BC9F 1DA87-1DA8B "
)

# Characters that are in NFC whatever stands before or after them: not all of them, but those that
# make up most texts without combining marks. Where there are others, `unicodedata` looks.
_SURELY_NFC = (
    "0-2FF 400-482 48A-52F 2010-2027 2030-205E 20A0-20C0 3001-3029 3041-3096 30A1-30FA 4E00-9FFF "
    "AC00-D7A3"
)

_LETTER, _SINGLE, _BLANK, _NEWLINE, _DROP = range(5)
_BLOCK_CHARACTERS = 1 << 18  # a block and its masks stay in a core's cache


def basic_tokenize(text: str) -> list[str]:
    """The words of `text`."""
    return basic_tokenize_lines(text).split()


def basic_tokenize_lines(text: str) -> str:
    """`text` with the words of every line joined by one space; line breaks are kept.

    For many short strings join them with line breaks: one call on 1 MB is a hundred times faster
    than ten thousand calls.
    """
    return "".join(_as_text(_tokenize(block)) for block in _blocks(text))


def count_removed(text: str) -> int:
    """Number of characters that basic tokenisation removes from `text` (white space aside)."""
    return sum(int(np.count_nonzero(_kinds(_narrow(block)) == _DROP)) for block in _blocks(text))


def remove_control_characters(text: str) -> str:
    """`text` without the characters that carry no text (white space stays as it is)."""
    codes = encode(text)
    return decode(codes[_classes()[codes] != _DROP])


def tokenized_blocks(text: str) -> list[CodePoints]:
    """The tokenised lines as the code points of consecutive blocks."""
    return [_tokenize(block).astype(np.uint32) for block in _blocks(text)]


def encode(text: str) -> CodePoints:
    """Code points of `text`, lone surrogates included."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def decode(codes_C: CodePoints) -> str:
    """The string with these code points."""
    return codes_C.tobytes().decode("utf-32-le", "surrogatepass")


def _tokenize(text: str) -> NarrowCodes:
    codes = _narrow(text)
    kinds = _kinds(codes)
    dropped = kinds == _DROP
    if dropped.any():  # before NFC: a mark may join its letter once the character between is gone
        codes, kinds = codes[~dropped], kinds[~dropped]
        text = _as_text(codes)
    if not _is_surely_nfc(codes) and not unicodedata.is_normalized("NFC", text):
        codes = _narrow(unicodedata.normalize("NFC", text))
        kinds = _kinds(codes)
    # Of the white space between two words one character stays, and becomes a space in its place;
    # at the start and the end of a line none does. Surplus is rare: everything is moved only then.
    blank = kinds == _BLANK
    codes, kinds, blank = _without(codes, kinds, blank, np.append(False, blank[1:] & blank[:-1]))
    at_edge = np.ones(len(codes) + 2, np.bool_)  # of a line, with the edges of the block
    np.equal(kinds, _NEWLINE, out=at_edge[1:-1])
    surplus = blank & (at_edge[2:] | at_edge[:-2])
    codes, kinds, blank = _without(codes, kinds, blank, surplus)
    if np.count_nonzero(blank) != np.count_nonzero(codes == SPACE):
        codes = np.where(blank, codes.dtype.type(SPACE), codes)
    # A space goes before a single that follows a character of its line, and after one likewise.
    single, solid = kinds == _SINGLE, ~(blank | (kinds == _NEWLINE))
    gap = np.flatnonzero((single[1:] & solid[:-1]) | (single[:-1] & solid[1:])) + 1
    if not len(gap):
        return codes
    is_character = np.ones(len(codes) + len(gap), np.bool_)
    is_character[gap + np.arange(len(gap))] = False
    opened = np.full(len(is_character), SPACE, codes.dtype)
    opened[is_character] = codes
    return opened


def _narrow(text: str) -> NarrowCodes:
    """Code points of `text`, as narrow as its characters allow."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    units = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)
    return units if len(units) == len(text) else encode(text)


def _as_text(codes_C: NarrowCodes) -> str:
    if codes_C.itemsize == 1:
        return codes_C.tobytes().decode("ascii")
    if codes_C.itemsize == 2:
        return codes_C.tobytes().decode("utf-16-le")
    return decode(codes_C)


def _kinds(codes_C: NarrowCodes) -> npt.NDArray[np.uint8]:
    """The class of every character."""
    classes = _classes()
    if codes_C.itemsize == 4:
        return classes.take(codes_C)
    wide = np.flatnonzero(codes_C > 0xFF)
    if len(wide) > len(codes_C) // 4:
        return classes.take(codes_C)
    # `bytes.translate` is several times as fast as looking numbers up in an array.
    low_bytes = bytearray(codes_C.astype(np.uint8, copy=False).data)
    kinds = np.frombuffer(low_bytes.translate(_latin_classes()), np.uint8)
    if len(wide):
        kinds[wide] = classes.take(codes_C.take(wide))
    return kinds


def _is_surely_nfc(codes_C: NarrowCodes) -> bool:
    if codes_C.itemsize == 1:
        return True
    beyond = codes_C[codes_C > 0x2FF]
    return bool(_surely_nfc().take(beyond).all())


def _without(
    codes_C: NarrowCodes,
    kinds_C: npt.NDArray[np.uint8],
    blank_C: npt.NDArray[np.bool_],
    surplus_C: npt.NDArray[np.bool_],
) -> tuple[NarrowCodes, npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    if not surplus_C[: len(codes_C)].any():
        return codes_C, kinds_C, blank_C
    kept = np.flatnonzero(~surplus_C)
    return codes_C.take(kept), kinds_C.take(kept), blank_C.take(kept)


def _blocks(text: str) -> list[str]:
    """`text` cut after line breaks into pieces of about `_BLOCK_CHARACTERS`."""
    blocks, start = [], 0
    while len(text) - start > _BLOCK_CHARACTERS:
        end = text.find("\n", start + _BLOCK_CHARACTERS) + 1
        if end == 0:
            break
        blocks.append(text[start:end])
        start = end
    blocks.append(text[start:])
    return blocks


@cache
def _classes() -> npt.NDArray[np.uint8]:
    """The class of every code point."""
    classes = np.full(NUM_CODE_POINTS, _LETTER, np.uint8)
    for table, kind in (
        (_WHITE_SPACE, _BLANK),
        (_REMOVED, _DROP),
        (_IDEOGRAPHS, _SINGLE),
        (_PUNCTUATION, _SINGLE),
    ):
        _fill(classes, table, kind)
    classes[ord("\n")] = _NEWLINE
    classes.flags.writeable = False
    return classes


@cache
def _latin_classes() -> bytes:
    return _classes()[:256].tobytes()


@cache
def _surely_nfc() -> npt.NDArray[np.bool_]:
    table = np.zeros(NUM_CODE_POINTS, np.bool_)
    _fill(table, _SURELY_NFC, True)
    return table


def _fill(table: npt.NDArray[Any], ranges: str, value: int) -> None:
    for entry in ranges.split():
        first, _, last = entry.partition("-")
        table[int(first, 16) : int(last or first, 16) + 1] = value
