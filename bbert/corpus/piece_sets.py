"""Which languages learn their entries together, and how those enter the vocabulary.

`joint` has one set of entries, learned on all languages together. English and Fake-English are then
cut differently, since each half of the vocabulary is learned on other text. `mirror` makes a fake
language isomorphic to the one it comes from: entries are learned on text without the shift, and
copied shifted. Its rule:

* Where a fake language stands beside its source (`enfake en`, `enfake en es`), one set of entries
  is learned on all languages unshifted and takes half of the vocabulary; its shifted copy takes the
  other half. The whole set is copied, Spanish entries too: English text can be cut with them, so
  Fake-English must be able to.
* Where it does not (`enfake it`), the fake languages and the others have sets of their own, with
  entries in proportion to the number of languages. `enfake` then gets the entries that `en` would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bbert.errors import InputError
from bbert.fake import SHIFT, fake_to_plain, plain_to_fake
from bbert.languages import Language

CONTINUATION = "##"

Kind = Literal["joint", "mirror"]


class Piece(NamedTuple):
    """A vocabulary entry (`x`, or `##x` for a continuation) and its log-probability."""

    token: str
    score: float


@dataclass(frozen=True)
class PieceSet:
    """Entries that are learned together: on which languages, and how they enter the vocabulary."""

    languages: tuple[Language, ...]
    unshift: bool
    plain: bool
    shifted: bool
    share: float  # of all entries that are no special tokens, for each of the copies

    @property
    def copies(self) -> int:
        return self.plain + self.shifted

    def words(self, counts: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
        """Word counts by language, in the alphabet that is learned in."""
        return {
            language.name: _unshifted(counts[language.name], language)
            if self.unshift and language.is_fake
            else counts[language.name]
            for language in self.languages
        }

    def entries(self, pieces: Sequence[Piece]) -> list[Piece]:
        """The pieces as they enter the vocabulary: plain, shifted or both, in this order."""
        return (list(pieces) if self.plain else []) + (
            [Piece(_shifted(token), score) for token, score in pieces] if self.shifted else []
        )


def plan_sets(languages: Sequence[Language], kind: Kind) -> list[PieceSet]:
    """The sets that make a vocabulary: the rule at the head of this module.

    Raises:
        InputError: `mirror` has nothing to mirror.
    """
    every = tuple(languages)
    fakes = tuple(language for language in every if language.is_fake)
    others = tuple(language for language in every if not language.is_fake)
    if kind == "joint":
        return [PieceSet(every, unshift=False, plain=True, shifted=False, share=1)]
    if not fakes:
        raise InputError(
            "--vocab mirror copies the pieces of a language to its fake, and there is no fake "
            "language here; use --vocab joint"
        )
    if {language.source for language in fakes} & {language.source for language in others}:
        return [PieceSet(every, unshift=True, plain=True, shifted=True, share=0.5)]
    # A fake language that keeps some of its words needs both copies.
    keeps_words = any(language.shared_words for language in fakes)
    share = len(fakes) / len(every) / (2 if keeps_words else 1)
    sets = [PieceSet(fakes, True, plain=keeps_words, shifted=True, share=share)]
    if others:
        share = len(others) / len(every)
        sets.append(PieceSet(others, True, plain=True, shifted=False, share=share))
    return sets


def _unshifted(words: Counter[str], language: Language) -> Counter[str]:
    originals = fake_to_plain("\n".join(words)).split("\n")
    if not language.shared_words:
        return Counter(dict(zip(originals, words.values(), strict=True)))
    plain: Counter[str] = Counter()
    for (word, count), original in zip(words.items(), originals, strict=True):
        plain[original if ord(word[0]) >= SHIFT else word] += count
    return plain


def _shifted(token: str) -> str:
    if token.startswith(CONTINUATION):
        return CONTINUATION + plain_to_fake(token.removeprefix(CONTINUATION))
    return plain_to_fake(token)
