"""Vocabularies of characters and of whole words: nothing is learned, everything is counted.

`char` (K et al. 2020, section 3.4.3: "all the characters"): every character is a piece, `x` where
it begins a word and `##x` where it continues one. Characters are counted in the whole text, not in
a sample, so that none is missing. Every character gets both forms, save those that basic
tokenisation makes words of their own, which never continue a word. With `--vocab-size` the rarest
are left out and are [UNK]; a character counts by its share in the language that needs it most.

`word` (the same section: "the most frequent 100000 words"): every entry is a word, ranked by its
number in the sample of sentences that word-pieces are learned from; all others are [UNK]. Of words
that occur equally often a checksum of the spelling decides, and not the alphabet: at the end of the
ranking all words occur once, and Fake-English would lose them before English does.

Without `--vocab-size` both have as many entries as the text fills (words: at most 100,000, under
`mirror` over both copies).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from bbert.basic_tokenization import NUM_CODE_POINTS
from bbert.corpus.character_coverage import TOLERATED_UNKNOWN, stand_alone, word_characters
from bbert.corpus.piece_sets import CONTINUATION, Kind, Piece, PieceSet, plan_sets
from bbert.corpus.vocabulary import (
    SPECIAL_TOKENS,
    TooSmall,
    Vocabulary,
    assemble,
    capacity,
    counted_words,
    too_large,
)
from bbert.corpus.word_blocks import word_blocks
from bbert.errors import InputError
from bbert.fake import SHIFT, fake_to_plain
from bbert.languages import Language

MOST_WORDS = 100_000


def word_vocabulary(
    text_files: Mapping[str, Path],
    languages: Sequence[Language],
    vocab_size: int | None,
    kind: Kind,
    sample_sentences: int = 2_000_000,
    *,
    smoothing: float = 1.0,
    seed: int,
) -> Vocabulary:
    """The most frequent words.

    Args:
        text_files: final text of each language by name, `.txt` or `.txt.zst`.
        languages: the languages of the corpus.
        vocab_size: number of entries, special and unused ones included; None: 100,000 words, or
            all where the text has fewer.
        kind: `joint` or `mirror`, see `piece_sets`.
        sample_sentences: how many sentences to count, over all languages.
        smoothing: exponent of the languages' shares of them; see `language_shares`.
        seed: decides which.

    Raises:
        InputError: the text has fewer words (the message names the largest size), there is no
            text, or `mirror` has nothing to mirror.
    """
    sets = plan_sets(languages, kind)
    counts = counted_words(text_files, languages, sample_sentences, smoothing, seed)
    ranked = [_ranked(sum(some.words(counts).values(), Counter())) for some in sets]

    def places(size: int) -> list[int]:
        return [int(capacity(size, len(languages)) * some.share) for some in sets]

    def fits(size: int) -> bool:
        return all(n <= len(words) for n, words in zip(places(size), ranked, strict=True))

    if vocab_size is None:
        most = _size_for(MOST_WORDS, len(languages))
        vocab_size = most if fits(most) else _largest_that(fits)
    if not fits(vocab_size):
        raise too_large(vocab_size, _largest_that(fits))
    if not all(places(vocab_size)):
        least = next(size for size in range(vocab_size, 1 << 30) if all(places(size)))
        raise InputError(f"--vocab-size {vocab_size} has no room for words; give at least {least}")
    entries: dict[str, Piece] = {}  # two sets may share some where a fake language keeps words
    for some, words, number in zip(sets, ranked, places(vocab_size), strict=True):
        for piece in some.entries(words[:number]):
            entries.setdefault(piece.token, piece)
    return assemble(list(entries.values()), vocab_size)


def character_vocabulary(
    text_files: Mapping[str, Path],
    languages: Sequence[Language],
    vocab_size: int | None,
    kind: Kind,
) -> Vocabulary:
    """All characters of the text, or the most needed ones.

    Args:
        text_files: final text of each language by name, `.txt` or `.txt.zst`.
        languages: the languages of the corpus.
        vocab_size: number of entries, special and unused ones included; None: all characters.
        kind: `joint` or `mirror`, see `piece_sets`.

    Raises:
        InputError: there are fewer characters (the message names the largest size), or so many that
            more than 0.05 % of a language would be unknown (it names the smallest), there is no
            text, or `mirror` has nothing to mirror.
    """
    sets = plan_sets(languages, kind)
    forms = {language.name: _FormCounts.of(text_files[language.name]) for language in languages}
    for name, counted in forms.items():
        if not counted.initial.any():
            raise InputError(f"the text of {name!r} is empty: no vocabulary to make")
    needed = [character for some in sets for character in _needed_characters(some, forms)]
    needed.sort(key=lambda character: -character.need)
    costs = np.cumsum([character.num_entries for character in needed])

    def fits(size: int) -> bool:
        return capacity(size, len(languages)) <= int(costs[-1])

    if vocab_size is None:
        vocab_size = _size_for(int(costs[-1]), len(languages))
    if not fits(vocab_size):
        raise too_large(vocab_size, _largest_that(fits))
    room = capacity(vocab_size, len(languages))
    number = int(np.searchsorted(costs, room, side="right"))
    if number < len(needed) and needed[number].need > TOLERATED_UNKNOWN:
        indispensable = sum(character.need > TOLERATED_UNKNOWN for character in needed)
        least = int(costs[indispensable - 1])
        raise TooSmall(vocab_size, _size_for(least, len(languages)))
    entries: dict[str, Piece] = {}
    for some in sets:
        chosen = [character for character in needed[:number] if character.piece_set is some]
        for piece in some.entries([piece for c in sorted(chosen) for piece in c.pieces]):
            entries.setdefault(piece.token, piece)
    return assemble(list(entries.values()), vocab_size)


class _FormCounts(NamedTuple):
    """How often each code point begins a word, and continues one, in a text."""

    initial: npt.NDArray[np.int64]
    continuing: npt.NDArray[np.int64]

    @classmethod
    def of(cls, text_file: Path) -> _FormCounts:
        counts = cls(np.zeros(NUM_CODE_POINTS, np.int64), np.zeros(NUM_CODE_POINTS, np.int64))
        for block in word_blocks(text_file):
            occurrences = np.bincount(block.words_W, minlength=len(block.types))
            occurring = np.flatnonzero(occurrences)  # not the empty word of blank lines
            words = [block.types[index].decode() for index in occurring.tolist()]
            codes, is_initial, weights = word_characters(words, occurrences[occurring])
            for chosen, total in ((is_initial, counts.initial), (~is_initial, counts.continuing)):
                # Exact in floating point: a block holds far fewer than 2**53 characters.
                number = np.bincount(codes[chosen], weights[chosen]).astype(np.int64)
                total[: len(number)] += number
        return counts

    def unshifted(self) -> _FormCounts:
        """The counts of the text without its shift; words that a fake language keeps are plain."""
        codes = np.flatnonzero(self.initial + self.continuing)
        shifted = codes[codes >= SHIFT]
        originals = np.array([ord(fake_to_plain(chr(code))) for code in shifted.tolist()], np.int64)
        moved = []
        for counts in self:
            plain = counts.copy()
            plain[shifted] = 0
            np.add.at(plain, originals, counts[shifted])
            moved.append(plain)
        return _FormCounts(*moved)


class _Character(NamedTuple):
    """A character of a set of languages, with its forms; `need` is the share of the characters of
    the neediest language that are unknown at most without it and all that are rarer."""

    code: int
    pieces: tuple[Piece, ...]
    need: float
    piece_set: PieceSet

    @property
    def num_entries(self) -> int:
        return len(self.pieces) * self.piece_set.copies


def _needed_characters(
    piece_set: PieceSet, forms: Mapping[str, _FormCounts]
) -> Iterator[_Character]:
    """The characters of a set, in code point order."""
    need = np.zeros(NUM_CODE_POINTS)
    totals = _FormCounts(np.zeros(NUM_CODE_POINTS, np.int64), np.zeros(NUM_CODE_POINTS, np.int64))
    for language in piece_set.languages:
        counts = forms[language.name]
        if piece_set.unshift and language.is_fake:
            counts = counts.unshifted()
        occurrences = counts.initial + counts.continuing
        occurring = np.flatnonzero(occurrences)
        rarest_first = occurring[np.argsort(occurrences[occurring], kind="stable")]
        shares = np.cumsum(occurrences[rarest_first]) / occurrences.sum()
        need[rarest_first] = np.maximum(need[rarest_first], shares)
        for total, some in zip(totals, counts, strict=True):
            total += some
    codes = np.flatnonzero(need).tolist()
    num_characters = int(sum(total.sum() for total in totals))
    alone = stand_alone([chr(code) for code in codes])
    for code, is_alone in zip(codes, alone, strict=True):
        spellings = [(chr(code), totals.initial[code])]
        if not is_alone or totals.continuing[code]:
            spellings.append((CONTINUATION + chr(code), totals.continuing[code]))
        # A form that does not occur is as likely as one that occurs half a time.
        pieces = [Piece(s, math.log(max(int(n), 0.5) / num_characters)) for s, n in spellings]
        yield _Character(code, tuple(pieces), float(need[code]), piece_set)


def _ranked(words: Counter[str]) -> list[Piece]:
    """The words as entries, the most frequent first."""
    total = sum(words.values())
    ranked = sorted(words.items(), key=lambda item: (-item[1], crc32(item[0].encode()), item[0]))
    return [Piece(word, math.log(count / total)) for word, count in ranked if count]


def _size_for(num_entries: int, num_languages: int) -> int:
    """The smallest vocabulary that holds so many entries besides special and unused ones."""
    size = num_entries + len(SPECIAL_TOKENS)
    while capacity(size, num_languages) < num_entries:
        size += 1
    return size


def _largest_that(fits: Callable[[int], Any]) -> int:
    """The largest number for which `fits` holds; it holds for 1, and for no number above another
    for which it does not."""
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
