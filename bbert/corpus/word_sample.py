"""How often each word occurs in a random sample of sentences: what a vocabulary is learned from.

A unigram model of word-pieces sees words without their context, so counts of words are all it
needs: two million sentences shrink to a table of their distinct words, which bounds the memory of
training, and no line is too long for it.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bbert.corpus.language_shares import sample_sizes
from bbert.corpus.word_blocks import WordBlock, count_sentences, word_blocks

_PURPOSE = 0x57_53  # keeps these random numbers apart from those of other purposes
_DRAWN_TOGETHER = 1 << 14  # sentences


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
    groups = _chosen(num_sentences, num_wanted, rng)
    chosen_S = np.zeros(0, np.bool_)  # for the sentences to come
    for block in blocks:
        words_W, in_block = block.words_W, len(block.sentence_lengths_S)
        occurrences = times_each * np.bincount(words_W, minlength=len(block.types))
        if num_wanted:
            while len(chosen_S) < in_block:
                chosen_S = np.concatenate((chosen_S, next(groups)))
            words_W = words_W[np.repeat(chosen_S[:in_block], block.sentence_lengths_S)]
            occurrences += np.bincount(words_W, minlength=len(block.types))
            chosen_S = chosen_S[in_block:]
        for index in np.flatnonzero(occurrences).tolist():
            counts[block.types[index]] += int(occurrences[index])
    return Counter({word.decode(): count for word, count in counts.items()})


def _chosen(
    num_sentences: int, num_wanted: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.bool_]]:
    """Which sentences are in the sample, some of them at a time: how many of these, then which.

    So many at a time as are drawn together, and not those of a block of text, so that the sample
    does not depend on where blocks begin.
    """
    while num_sentences:
        together = min(_DRAWN_TOGETHER, num_sentences)
        num_sentences -= together
        drawn = int(rng.hypergeometric(together, num_sentences, num_wanted))
        num_wanted -= drawn
        chosen_S = np.zeros(together, np.bool_)
        chosen_S[rng.choice(together, drawn, replace=False)] = True
        yield chosen_S
