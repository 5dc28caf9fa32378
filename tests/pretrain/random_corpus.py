"""Corpora of random word-pieces, with exactly the documents and sentences that a test asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models

from bbert.corpus.token_store import TokenStoreWriter

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
NUM_UNUSED = 6
FIRST_ORDINARY_ID = len(SPECIALS) + NUM_UNUSED
PAD, UNK, CLS, SEP, MASK = range(5)

Documents = Sequence[Sequence[int]]
"""Sentence lengths of each document."""


def write_corpus(
    folder: Path,
    documents: Mapping[str, Documents],
    vocab_size: int = 1000,
    word_length: float = 1.4,
    seed: int = 0,
    distinct: bool = False,
) -> Path:
    """Write tokenizer and token stores; every language has ids of its own.

    Args:
        documents: per language, the sentence lengths of each document.
        word_length: mean number of word-pieces of a word.
        distinct: no word-piece occurs twice; `vocab_size` must suffice.
    """
    rng = np.random.default_rng(seed)
    tokens = [*SPECIALS, *(f"[unused{i}]" for i in range(NUM_UNUSED))]
    tokens += [f"w{i}" for i in range(len(tokens), vocab_size)]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "tokenizer").mkdir(parents=True)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.save(str(folder / "tokenizer" / "tokenizer.json"))
    share = (vocab_size - FIRST_ORDINARY_ID) // max(len(documents), 1)
    for number, (language, texts) in enumerate(documents.items()):
        lengths = np.array([n for text in texts for n in text], dtype=np.int64)
        begins = np.array([i == 0 for text in texts for i in range(len(text))], dtype=bool)
        first = FIRST_ORDINARY_ID + number * share
        ids = rng.integers(first, first + share, lengths.sum())
        if distinct:
            assert len(ids) <= share
            ids = first + np.arange(len(ids))
        starts = rng.random(len(ids)) < 1 / word_length
        starts[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
        with TokenStoreWriter(folder / "tokens" / language, vocab_size) as store:
            store.append(ids, starts, lengths, begins)
    return folder


def random_documents(
    num_documents: int, sentences: int = 12, sentence_length: int = 15, seed: int = 0
) -> list[list[int]]:
    """Documents of about so many sentences of about so many word-pieces."""
    rng = np.random.default_rng(seed)
    return [
        (1 + rng.poisson(sentence_length - 1, 1 + rng.poisson(sentences - 1))).tolist()
        for _ in range(num_documents)
    ]
