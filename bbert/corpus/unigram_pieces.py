"""Word-pieces of one set of words, learned by SentencePiece's unigram model.

Every character form (see `character_coverage`) becomes one symbol of an alphabet of its own before
SentencePiece sees it. So it never meets a character that it treats specially (its own `▁`, digits,
changes of script), shifted text is learned exactly as plain text is, and its vocabulary needs no
repair: there is no bare word-start mark that would become an empty entry, and no piece that can
only begin or only continue a word by accident.

Choices: identity normalisation; pieces of up to 16 characters; no split at digits or at changes of
script, which shifted characters would not have; SentencePiece's 16 threads whatever the machine
has, because its sums, and with them the model, depend on their number.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bbert.basic_tokenization import NUM_CODE_POINTS, decode
from bbert.corpus.character_coverage import stand_alone, word_characters
from bbert.corpus.piece_sets import CONTINUATION, Piece
from bbert.corpus.seed_pieces import Seed, seed_pieces

MAX_WORD_CHARACTERS = 100  # BERT's limit; a longer word is [UNK]

_SEEDS_PER_PIECE = 4  # 3 to 5 cut held-out words into the fewest pieces (benchmarks/vocabulary.py)
_THREADS = 16
_ALPHABET = 0xF0000  # private use planes: no character of them has a meaning to SentencePiece


class TooFewPieces(Exception):
    """The text yields only `available` word-pieces."""

    def __init__(self, available: int) -> None:
        super().__init__(f"only {available} word-pieces")
        self.available = available


class TooManyCharacters(Exception):
    """The character forms alone are `needed` word-pieces."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"{needed} character forms")
        self.needed = needed


def learn_pieces(
    words: Counter[str], characters: Sequence[str], num_pieces: int, work_directory: Path
) -> list[Piece]:
    """Learn exactly `num_pieces` word-pieces.

    Args:
        words: word counts; words with other characters than `characters` are left out.
        characters: what to cover; see `character_coverage.covered_characters`.
        num_pieces: how many.
        work_directory: folder for a temporary file.

    Returns:
        The pieces, the most probable first; the forms that the words do not show come last.

    Raises:
        TooFewPieces: the words yield fewer.
        TooManyCharacters: the forms of the characters alone are more.
    """
    forms = [(character, True) for character in characters]
    may_continue = [
        character
        for character, alone in zip(characters, stand_alone(characters), strict=True)
        if not alone
    ]
    sample = _Sample.of(words, characters)
    forms += [(c, False) for c in sorted(sample.continuing_characters | set(may_continue))]
    symbol_of = {form: symbol for symbol, form in enumerate(forms)}
    if len(forms) > num_pieces:
        raise TooManyCharacters(len(forms))
    symbols_N = sample.symbols(symbol_of)
    shown = np.bincount(symbols_N, sample.counts_N, len(forms)) > 0
    missing = [form for form, is_shown in zip(forms, shown, strict=True) if not is_shown]
    wanted, max_seeds = num_pieces - len(missing), _SEEDS_PER_PIECE * num_pieces
    while True:
        seeds = seed_pieces(symbols_N, sample.remaining(), sample.counts_N, max_seeds)
        learned = _train(sample, symbols_N, shown, seeds, wanted, work_directory)
        if len(learned) == wanted:
            break
        if len(seeds) < max_seeds:  # the text has no more
            raise TooFewPieces(len(learned) + len(missing))
        max_seeds *= 2
    pieces = [Piece(_token([forms[s] for s in symbols]), score) for symbols, score in learned]
    lowest = min((piece.score for piece in pieces), default=0.0)
    return pieces + [Piece(_token([form]), lowest) for form in missing]


def _token(forms: Sequence[tuple[str, bool]]) -> str:
    text = "".join(character for character, _ in forms)
    return text if forms[0][1] else CONTINUATION + text


class _Sample(NamedTuple):
    """The words that can be learned from, as one array of characters.

    `N` characters: code point, whether it begins a word, how often its word occurs.
    """

    codes_N: np.ndarray
    is_initial_N: np.ndarray
    counts_N: np.ndarray
    counts_W: np.ndarray

    @classmethod
    def of(cls, words: Counter[str], characters: Sequence[str]) -> _Sample:
        covered = set(characters)
        kept = sorted(
            word
            for word, count in words.items()
            if count > 0 and len(word) <= MAX_WORD_CHARACTERS and covered.issuperset(word)
        )
        counts_W = np.fromiter((words[word] for word in kept), np.int64, len(kept))
        return cls(*word_characters(kept, counts_W), counts_W)

    @property
    def continuing_characters(self) -> set[str]:
        return set(map(chr, np.unique(self.codes_N[~self.is_initial_N]).tolist()))

    def symbols(self, symbol_of: dict[tuple[str, bool], int]) -> np.ndarray:
        """The number of each character's form."""
        table = np.zeros((2, NUM_CODE_POINTS), np.int64)
        for (character, is_initial), symbol in symbol_of.items():
            table[int(is_initial), ord(character)] = symbol
        return table[self.is_initial_N.astype(np.int64), self.codes_N]

    def remaining(self) -> np.ndarray:
        """Number of characters from each to the end of its word, itself included."""
        ends = np.append(np.flatnonzero(self.is_initial_N)[1:], len(self.codes_N))
        lengths = np.diff(ends, prepend=0)
        return np.repeat(ends, lengths) - np.arange(len(self.codes_N))


def _train(
    sample: _Sample,
    symbols_N: np.ndarray,
    shown: np.ndarray,
    seeds: Sequence[Seed],
    num_pieces: int,
    folder: Path,
) -> list[tuple[list[int], float]]:
    """Run SentencePiece; returns the symbols and the score of each piece, too few if need be."""
    if not shown.any():
        return []
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    seeds_file = folder / "seeds.tsv"
    text = decode((symbols_N + _ALPHABET).astype(np.uint32))
    remaining_N = sample.remaining()
    starts = np.flatnonzero(sample.is_initial_N)
    frequencies = np.bincount(symbols_N, sample.counts_N, len(shown)).astype(np.int64)
    model = io.BytesIO()
    try:
        with seeds_file.open("w", encoding="utf-8") as lines:
            for symbol in np.flatnonzero(shown).tolist():
                lines.write(f"{chr(symbol + _ALPHABET)}\t{frequencies[symbol]}\n")
            for start, length, frequency in seeds:
                lines.write(f"{text[start : start + length]}\t{frequency}\n")
        sentencepiece.SentencePieceTrainer.train(
            # Not `input`: it would take a comma in the folder's name for the end of a file's name.
            sentence_iterator=(
                f"{text[start : start + length]}\t{count}"
                for start, length, count in zip(
                    starts.tolist(),
                    remaining_N[starts].tolist(),
                    sample.counts_W.tolist(),
                    strict=True,
                )
            ),
            input_format="tsv",
            seed_sentencepieces_file=str(seeds_file),
            model_writer=model,
            model_type="unigram",
            vocab_size=num_pieces + 1,  # SentencePiece's own <unk>
            hard_vocab_limit=False,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            character_coverage=1.0,
            split_by_unicode_script=False,
            split_by_number=False,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=_THREADS,
            minloglevel=2,
        )
    finally:
        seeds_file.unlink(missing_ok=True)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return [
        ([ord(symbol) - _ALPHABET for symbol in processor.id_to_piece(i)], processor.get_score(i))
        for i in range(1, len(processor))
    ]
