"""`--tokenization`: what the words of a corpus are cut into, and the vocabulary for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bbert.corpus.piece_sets import Kind
from bbert.corpus.segmentation import Segmentation, Tokenization
from bbert.corpus.vocabulary import Vocabulary, train_pieces
from bbert.corpus.whole_vocabulary import character_vocabulary, word_vocabulary
from bbert.languages import Language


def cut_of(tokenization: Tokenization, segmentation: Segmentation | None) -> Segmentation:
    """How words are cut; `segmentation` says which way word-pieces are (`greedy` without it)."""
    return segmentation or "greedy" if tokenization == "wordpiece" else tokenization


def make_vocabulary(
    tokenization: Tokenization,
    text_files: Mapping[str, Path],
    languages: Sequence[Language],
    vocab_size: int | None,
    kind: Kind,
    sample_sentences: int,
    *,
    smoothing: float,
    seed: int,
    work_directory: Path,
) -> Vocabulary:
    """The vocabulary of a corpus.

    Args:
        vocab_size: number of entries; None only for characters and words: as many as there are.

    Raises:
        InputError: see `train_pieces`, `character_vocabulary`, `word_vocabulary`.
    """
    if tokenization == "char":
        return character_vocabulary(text_files, languages, vocab_size, kind)
    if tokenization == "word":
        return word_vocabulary(
            text_files, languages, vocab_size, kind, sample_sentences,
            smoothing=smoothing, seed=seed,
        )  # fmt: skip
    assert vocab_size is not None
    return train_pieces(
        text_files, languages, vocab_size, kind, sample_sentences,
        smoothing=smoothing, seed=seed, work_directory=work_directory,
    )  # fmt: skip
