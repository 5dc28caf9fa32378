"""The vocabulary: special tokens, `[unused…]` entries, and word-pieces learned from the text.

`joint` learns one set of pieces on all languages together. English and Fake-English are then cut
differently, since each half of the vocabulary is learned on other text. `mirror` makes a fake
language isomorphic to the one it comes from: pieces are learned on text without the shift, and
copied shifted. Its rule:

* Where a fake language stands beside its source (`enfake en`, `enfake en es`), one set of pieces is
  learned on all languages unshifted and takes half of the entries; its shifted copy takes the other
  half. The whole set is copied, Spanish pieces too: English text can be cut with them, so
  Fake-English must be able to.
* Where it does not (`enfake it`), the fake languages and the others have sets of their own, with
  entries in proportion to the number of languages. `enfake` then gets the pieces that `en` would.

Order of the entries: [PAD] [UNK] [CLS] [SEP] [MASK], `[unused0]`…, pieces; under `mirror` the copy
of a piece lies one set further on, in the same order. Entries that do not divide become further
`[unused…]`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from bbert.corpus.character_coverage import covered_characters
from bbert.corpus.unigram_pieces import (
    CONTINUATION,
    Piece,
    TooFewPieces,
    TooManyCharacters,
    learn_pieces,
)
from bbert.corpus.word_sample import count_words
from bbert.errors import InputError
from bbert.fake import fake_to_plain, plain_to_fake
from bbert.languages import Language

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
UNKNOWN_ID = SPECIAL_TOKENS.index("[UNK]")
RESERVED_SCORE = -1e4
"""Log-probability of entries that no text is cut into: far below that of any cut."""

Kind = Literal["joint", "mirror"]


@dataclass(frozen=True)
class Vocabulary:
    """`tokens` in the order of their ids, continuations marked by `##`; `scores` are the
    log-probabilities of the unigram model, `RESERVED_SCORE` for special and unused entries."""

    tokens: tuple[str, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        assert len(self.tokens) == len(self.scores) == len(set(self.tokens))
        assert self.tokens[: len(SPECIAL_TOKENS)] == SPECIAL_TOKENS

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each token."""
        return {token: number for number, token in enumerate(self.tokens)}

    @property
    def num_reserved(self) -> int:
        """Number of special and unused entries: the id of the first word-piece."""
        return sum(score == RESERVED_SCORE for score in self.scores)

    def save(self, path: Path) -> None:
        """Write one entry a line: token, tab, log-probability."""
        lines = (
            f"{token}\t{score!r}\n" for token, score in zip(self.tokens, self.scores, strict=True)
        )
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote; raises InputError where the file is missing or damaged."""
        try:
            lines = path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
            entries = [line.split("\t") for line in lines]
            return cls(tuple(token for token, _ in entries), tuple(float(s) for _, s in entries))
        except (OSError, ValueError, AssertionError) as error:
            raise InputError(f"{path} is no vocabulary ({error}); build the corpus again") from None


def num_unused(vocab_size: int, num_languages: int) -> int:
    """How many `[unused…]` entries a vocabulary reserves: 1 in 100, at least 16 and one for each
    language, at most 256 (as K et al. 2020 have of 60,000)."""
    return max(num_languages, min(256, max(16, vocab_size // 100)))


def train_pieces(
    text_files: Mapping[str, Path],
    languages: Sequence[Language],
    vocab_size: int,
    kind: Kind,
    sample_sentences: int = 2_000_000,
    *,
    seed: int,
    work_directory: Path,
) -> Vocabulary:
    """Learn a vocabulary of exactly `vocab_size` entries (K et al. 2020).

    Args:
        text_files: final text of each language by name, `.txt` or `.txt.zst`.
        languages: the languages of the corpus.
        vocab_size: number of entries, special and unused ones included.
        kind: `joint` or `mirror`, see the module.
        sample_sentences: how many sentences to learn from, over all languages.
        seed: decides which.
        work_directory: folder for temporary files.

    Raises:
        InputError: the vocabulary is too small for the characters of the text or too large for the
            text (the message names the largest that it can fill), there is no text, or `mirror` has
            nothing to mirror.
    """
    sets = _plan(languages, kind)
    files = {language.name: text_files[language.name] for language in languages}
    counts = count_words(files, sample_sentences, seed)
    for language in languages:
        if not counts[language.name]:
            raise InputError(f"the text of {language.name!r} is empty: no vocabulary to learn")

    def attempt(size: int) -> Vocabulary | int:
        return _attempt(size, sets, counts, len(languages), work_directory)

    vocabulary = attempt(vocab_size)
    if isinstance(vocabulary, int):
        largest = _largest(vocabulary, attempt)
        raise InputError(
            f"--vocab-size {vocab_size} is more than the text can fill; "
            f"the largest possible here is {largest}"
        )
    return vocabulary


@dataclass(frozen=True)
class _PieceSet:
    """Pieces that are learned together: on which languages, and how they enter the vocabulary."""

    languages: tuple[Language, ...]
    unshift: bool
    plain: bool
    shifted: bool
    share: float  # of all word-piece entries, for each of the copies

    def words(self, counts: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
        """Word counts by language, in the alphabet that is learned in."""
        return {
            language.name: _unshifted(counts[language.name])
            if self.unshift and language.is_fake
            else counts[language.name]
            for language in self.languages
        }

    def entries(self, pieces: Sequence[Piece]) -> list[Piece]:
        return (list(pieces) if self.plain else []) + (
            [Piece(_shifted(token), score) for token, score in pieces] if self.shifted else []
        )


def _plan(languages: Sequence[Language], kind: Kind) -> list[_PieceSet]:
    """Which sets of pieces make the vocabulary: the rule at the head of this module."""
    every = tuple(languages)
    fakes = tuple(language for language in every if language.is_fake)
    others = tuple(language for language in every if not language.is_fake)
    if kind == "joint":
        return [_PieceSet(every, unshift=False, plain=True, shifted=False, share=1)]
    if not fakes:
        raise InputError(
            "--vocab mirror copies the pieces of a language to its fake, and there is no fake "
            "language here; use --vocab joint"
        )
    if {language.source for language in fakes} & {language.source for language in others}:
        return [_PieceSet(every, unshift=True, plain=True, shifted=True, share=0.5)]
    sets = [_PieceSet(fakes, True, plain=False, shifted=True, share=len(fakes) / len(every))]
    if others:
        share = len(others) / len(every)
        sets.append(_PieceSet(others, True, plain=True, shifted=False, share=share))
    return sets


def _attempt(
    vocab_size: int,
    sets: Sequence[_PieceSet],
    counts: Mapping[str, Counter[str]],
    num_languages: int,
    work_directory: Path,
) -> Vocabulary | int:
    """The vocabulary, or the size to try next where the text cannot fill it."""
    entries: list[Piece] = []
    smaller = vocab_size
    for piece_set in sets:
        words = piece_set.words(counts)
        num_pieces = _num_pieces(vocab_size, piece_set, num_languages)
        try:
            pieces = learn_pieces(
                sum(words.values(), Counter()),
                covered_characters(words, num_pieces),
                num_pieces,
                work_directory,
            )
        except TooFewPieces as error:
            fits = range(smaller - 1, len(SPECIAL_TOKENS), -1)
            smaller = next(
                (s for s in fits if _num_pieces(s, piece_set, num_languages) <= error.available), 0
            )
            continue
        except TooManyCharacters as error:
            needed = vocab_size
            while _num_pieces(needed, piece_set, num_languages) < error.needed:
                needed += 1
            raise InputError(
                f"--vocab-size {vocab_size} is too small for the characters of the text; "
                f"give at least {needed}"
            ) from None
        entries += piece_set.entries(pieces)
    if smaller < vocab_size:
        return smaller
    unused = [f"[unused{i}]" for i in range(vocab_size - len(SPECIAL_TOKENS) - len(entries))]
    tokens = (*SPECIAL_TOKENS, *unused, *(piece.token for piece in entries))
    scores = (RESERVED_SCORE,) * (vocab_size - len(entries)) + tuple(p.score for p in entries)
    return Vocabulary(tokens, scores)


def _num_pieces(vocab_size: int, piece_set: _PieceSet, num_languages: int) -> int:
    reserved = len(SPECIAL_TOKENS) + num_unused(vocab_size, num_languages)
    return max(0, int((vocab_size - reserved) * piece_set.share))


def _largest(size: int, attempt: Callable[[int], Vocabulary | int]) -> int:
    """The largest vocabulary from `size` down that the text fills."""
    while isinstance(smaller := attempt(size), int):
        size = smaller
    return size


def _unshifted(words: Counter[str]) -> Counter[str]:
    originals = fake_to_plain("\n".join(words)).split("\n")
    return Counter(dict(zip(originals, words.values(), strict=True)))


def _shifted(token: str) -> str:
    if token.startswith(CONTINUATION):
        return CONTINUATION + plain_to_fake(token.removeprefix(CONTINUATION))
    return plain_to_fake(token)
