"""How often each word occurs in a random sample of sentences: what a vocabulary is learned from.

A unigram model of word-pieces sees words without their context, so counts of words are all it
needs: two million sentences shrink to a table of their distinct words, which bounds the memory of
training, and no line is too long for it.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from bbert.corpus.language_shares import sample_sizes
from bbert.corpus.word_blocks import WordBlock, count_sentences, word_blocks

_PURPOSE = 0x57_53  # keeps these random numbers apart from those of other purposes


def count_words(
    text_files: Mapping[str, Path], sample_sentences: int, seed: int, smoothing: float = 1.0
) -> dict[str, Counter[str]]:
    """Word counts of each language in a sample of at most `sample_sentences` sentences.

    Each language gives sentences in its smoothed share (1: its natural one), drawn without
    replacement; where it has fewer, it gives every sentence once, twice, ... and draws the rest.
    """
    totals = {language: count_sentences(path) for language, path in text_files.items()}
    wanted = sample_sizes(totals, smoothing, sample_sentences)
    counts = {}
    for language, path in text_files.items():
        rng = np.random.default_rng([seed, _PURPOSE, zlib.crc32(language.encode())])
        counts[language] = _count(word_blocks(path), totals[language], wanted[language], rng)
    return counts


def _count(
    blocks: Iterable[WordBlock], num_sentences: int, num_wanted: int, rng: np.random.Generator
) -> Counter[str]:
    """Word counts of `num_wanted` of `num_sentences` sentences, in one pass."""
    counts: Counter[bytes] = Counter()
    times_each, num_wanted = divmod(num_wanted, num_sentences) if num_sentences else (0, 0)
    for block in blocks:
        words_W, in_block = block.words_W, len(block.sentence_lengths_S)
        occurrences = times_each * np.bincount(words_W, minlength=len(block.types))
        if num_wanted:
            # How many of the wanted sentences lie in this block, then which.
            drawn = int(rng.hypergeometric(in_block, num_sentences - in_block, num_wanted))
            chosen_S = np.zeros(in_block, np.bool_)
            chosen_S[rng.choice(in_block, drawn, replace=False)] = True
            words_W = words_W[np.repeat(chosen_S, block.sentence_lengths_S)]
            occurrences += np.bincount(words_W, minlength=len(block.types))
            num_wanted -= drawn
        num_sentences -= in_block
        for index in np.flatnonzero(occurrences).tolist():
            counts[block.types[index]] += int(occurrences[index])
    return Counter({word.decode(): count for word, count in counts.items()})
