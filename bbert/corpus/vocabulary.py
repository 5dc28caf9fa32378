"""The vocabulary: special tokens, `[unused…]` entries, and word-pieces learned from the text.

Which languages learn their pieces together, and what `joint` and `mirror` mean, is the rule of
`piece_sets`; vocabularies of characters and of whole words are in `whole_vocabulary`.

Order of the entries: [PAD] [UNK] [CLS] [SEP] [MASK], `[unused0]`…, pieces; under `mirror` the copy
of a piece lies one set further on, in the same order. Entries that do not divide become further
`[unused…]`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bbert.corpus.character_coverage import covered_characters
from bbert.corpus.config import MINIMUM_VOCAB_SIZE
from bbert.corpus.piece_sets import Kind, Piece, PieceSet, plan_sets
from bbert.corpus.unigram_pieces import TooFewPieces, TooManyCharacters, learn_pieces
from bbert.corpus.word_sample import count_words
from bbert.errors import InputError
from bbert.languages import Language

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
UNKNOWN_ID = SPECIAL_TOKENS.index("[UNK]")
RESERVED_SCORE = -1e4
"""Log-probability of entries that no text is cut into: far below that of any cut."""


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
    smoothing: float = 1.0,
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
        smoothing: exponent of the languages' shares of them; see `language_shares`.
        seed: decides which.
        work_directory: folder for temporary files.

    Raises:
        InputError: the vocabulary is too small for the characters of the text or too large for the
            text (the message names the largest that it can fill), there is no text, or `mirror` has
            nothing to mirror.
    """
    sets = plan_sets(languages, kind)
    counts = counted_words(text_files, languages, sample_sentences, smoothing, seed)

    def attempt(size: int) -> Vocabulary | int:
        return _attempt(size, sets, counts, len(languages), work_directory)

    vocabulary = attempt(vocab_size)
    if isinstance(vocabulary, int):
        try:
            largest = _largest(vocab_size, vocabulary, attempt)
        except TooSmall:
            raise InputError(
                f"no vocabulary serves these texts: one of them fills less than {vocabulary} "
                "entries, and the characters of another need more; give more text, or --vocab joint"
            ) from None
        raise too_large(vocab_size, largest)
    return vocabulary


def counted_words(
    text_files: Mapping[str, Path],
    languages: Sequence[Language],
    sample_sentences: int,
    smoothing: float,
    seed: int,
) -> dict[str, Counter[str]]:
    """Word counts of each language in the sample; raises InputError where one has no word."""
    files = {language.name: text_files[language.name] for language in languages}
    counts = count_words(files, sample_sentences, seed, smoothing)
    for language in languages:
        if not counts[language.name]:
            raise InputError(f"the text of {language.name!r} is empty: no vocabulary to learn")
    return counts


def assemble(entries: Sequence[Piece], vocab_size: int) -> Vocabulary:
    """The vocabulary of these entries; what is left of `vocab_size` is special and unused."""
    unused = [f"[unused{i}]" for i in range(vocab_size - len(SPECIAL_TOKENS) - len(entries))]
    tokens = (*SPECIAL_TOKENS, *unused, *(piece.token for piece in entries))
    scores = (RESERVED_SCORE,) * (vocab_size - len(entries)) + tuple(p.score for p in entries)
    return Vocabulary(tokens, scores)


class TooSmall(InputError):
    """The characters of the text alone need a vocabulary of `needed` entries."""

    def __init__(self, vocab_size: int, needed: int) -> None:
        super().__init__(
            f"--vocab-size {vocab_size} is too small for the characters of the text; "
            f"give at least {needed}"
        )


def too_large(vocab_size: int, largest: int) -> InputError:
    """What to say of a vocabulary that the text cannot fill."""
    too_little = "; give more text" if largest < MINIMUM_VOCAB_SIZE else ""
    return InputError(
        f"--vocab-size {vocab_size} is more than the text can fill; "
        f"the largest possible here is {largest}{too_little}"
    )


def _attempt(
    vocab_size: int,
    sets: Sequence[PieceSet],
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
            smaller = _largest_that_takes(error.available, smaller, piece_set, num_languages)
            continue
        except TooManyCharacters as error:
            needed = vocab_size
            while _num_pieces(needed, piece_set, num_languages) < error.needed:
                needed += 1
            raise TooSmall(vocab_size, needed) from None
        entries += piece_set.entries(pieces)
    if smaller < vocab_size:
        return smaller
    unique: dict[str, Piece] = {}  # two sets may share some where a fake language keeps words
    for piece in entries:
        unique.setdefault(piece.token, piece)
    return assemble(list(unique.values()), vocab_size)


def capacity(vocab_size: int, num_languages: int) -> int:
    """How many of `vocab_size` entries are neither special nor `[unused…]`."""
    return max(0, vocab_size - len(SPECIAL_TOKENS) - num_unused(vocab_size, num_languages))


def _num_pieces(vocab_size: int, piece_set: PieceSet, num_languages: int) -> int:
    return int(capacity(vocab_size, num_languages) * piece_set.share)


def _largest_that_takes(
    num_pieces: int, below: int, piece_set: PieceSet, num_languages: int
) -> int:
    """The largest vocabulary smaller than `below` with room for at most so many pieces of a set."""
    sizes = range(below)
    after = bisect_right(sizes, num_pieces, key=lambda s: _num_pieces(s, piece_set, num_languages))
    return after - 1


def _largest(too_large: int, size: int, attempt: Callable[[int], Vocabulary | int]) -> int:
    """The largest vocabulary that the text fills, below one that it does not.

    SentencePiece's answer for a size that it cannot reach is a guess at the largest that it can: it
    prunes its candidates in rounds, and sometimes stops a few pieces early, sometimes a few late.
    So the sizes next to it are tried.
    """
    while isinstance(smaller := attempt(size), int):
        too_large, size = size, smaller
    step = 1
    while too_large - size > 1:
        middle = min(size + step, (size + too_large) // 2)
        if isinstance(attempt(middle), int):
            too_large, step = middle, 1
        else:
            size, step = middle, 2 * step
    return size
