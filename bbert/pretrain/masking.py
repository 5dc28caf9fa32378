"""Masked language modelling: which positions are predicted, and what stands there instead.

In every row about `probability` of the positions that hold text are chosen, whole words together,
and of these 80 % become [MASK], 10 % a random word-piece, 10 % stay (each word-piece decided for
itself, as in BERT). The random ones come from the joint vocabulary (`joint`, as released), from the
entries that the language's own text has (`same-language`), or there are none (`none`): these 10 %
then stay as well, 80 % masked and 20 % kept. Every row has the same number of slots for
predictions, so that shapes are static; slots that are left over carry the label `IGNORED`.

How many: `probability` times the row's text, rounded up or down at random so that the mean is
exact. Words are taken in random order until that number is reached; the word at the border is taken
whole with the probability with which one of its pieces lies inside, so that the mean stays exact
and long words are predicted nearly as often as short ones. (`released` skips a word that does not
fit and goes on with shorter ones.) A word at the border that would need more slots than there are
is left out: `num_slots` has room for all but the longest 2 %.

Legend of suffixes: B rows, T positions, K slots for predictions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbert.counter_random import below, draw, uniform

IGNORED = -100
"""Label of a slot without a prediction."""

_LONG_WORD_QUANTILE = 0.98
# What `masks_on_device` has to do in the same way.
MASK_SHARE, RANDOM_SHARE = 0.8, 0.1
POSITION_BITS = 16
# Purposes of the random numbers of one row.
ORDER, ROUNDING, BORDER, CORRUPTION, REPLACEMENT = 11, 12, 13, 14, 15


@dataclass(frozen=True)
class Masking:
    """What is masked and with what.

    Attributes:
        probability: share of the text to predict.
        whole_words: choose all word-pieces of a word, or none.
        num_slots: predictions that a row has room for.
        mask_id: id of [MASK].
        replacement_ids_L: for each language, ids that a random replacement is drawn from; empty
            where nothing is replaced at random.
    """

    probability: float
    whole_words: bool
    num_slots: int
    mask_id: int
    replacement_ids_L: Sequence[NDArray[np.int64]]


def num_slots(probability: float, row_length: int, word_lengths: NDArray[np.int64]) -> int:
    """Slots for predictions in rows of `row_length` tokens of text.

    Args:
        word_lengths: word-pieces of each word of a stretch of text; empty where single word-pieces
            are masked.
    """
    lengths = word_lengths
    spare = 0
    if len(lengths):
        spare = int(np.quantile(np.repeat(lengths, lengths), _LONG_WORD_QUANTILE)) - 1
    return min(math.ceil(probability * row_length) + spare, row_length)


def mask_rows(
    input_ids_BT: NDArray[np.int64],
    text_BT: NDArray[np.bool_],
    words_BT: NDArray[np.int64],
    languages_BT: NDArray[np.int64],
    key_B: NDArray[np.uint64],
    masking: Masking,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the positions to predict and overwrite them in `input_ids_BT`.

    Args:
        input_ids_BT: the rows; changed in place.
        text_BT: positions that may be chosen: neither specials nor padding.
        words_BT: positions of one word, and only those, share a number within their row.
        languages_BT: number of the language of each position with text.
        key_B: random key of each row at this step.
        masking: what is masked and with what.

    Returns:
        masked_positions_BK, int64, 0 in slots that are left over, and masked_labels_BK, int64, the
        ids that stood there, `IGNORED` in slots that are left over.
    """
    position_BK, used_BK = _choose(text_BT, words_BT, key_B, masking)
    original_BK = np.take_along_axis(input_ids_BT, position_BK, axis=1)
    language_BK = np.take_along_axis(languages_BT, position_BK, axis=1)
    corrupted_BK = _corrupt(original_BK, language_BK, key_B, masking)
    shown_BK = np.where(used_BK, corrupted_BK, original_BK)
    np.put_along_axis(input_ids_BT, position_BK, shown_BK, axis=1)
    return position_BK, np.where(used_BK, original_BK, IGNORED)


def _choose(
    text_BT: NDArray[np.bool_],
    words_BT: NDArray[np.int64],
    key_B: NDArray[np.uint64],
    masking: Masking,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Positions to predict (0 in slots that are left over), and which slots are used."""
    num_positions = text_BT.shape[1]
    assert num_positions < 1 << POSITION_BITS
    word_BT = np.broadcast_to(np.arange(num_positions), text_BT.shape)
    if masking.whole_words:
        word_BT = words_BT
    # One sortable number a position: the random rank of its word, then the position itself.
    # Positions without text come last.
    rank_BT = draw(draw(key_B, ORDER)[:, None], word_BT) >> np.uint64(POSITION_BITS + 1)
    rank_BT[~text_BT] = 1 << (63 - POSITION_BITS)
    rank_BT <<= np.uint64(POSITION_BITS)
    rank_BT |= np.arange(num_positions, dtype=np.uint64)
    rank_BT.sort(axis=1)
    word_rank_BT = rank_BT >> np.uint64(POSITION_BITS)

    wanted_B = masking.probability * text_BT.sum(axis=1) + uniform(key_B, ROUNDING)
    wanted_B = wanted_B.astype(np.int64)
    border_B1 = np.take_along_axis(word_rank_BT, np.maximum(wanted_B - 1, 0)[:, None], axis=1)
    without_B = (word_rank_BT < border_B1).sum(axis=1)  # positions of the words before the border
    with_B = (word_rank_BT <= border_B1).sum(axis=1)  # and of the word at it
    whole_B = uniform(key_B, BORDER) * (with_B - without_B) < wanted_B - without_B
    whole_B &= with_B <= masking.num_slots
    count_B = np.where(whole_B, with_B, without_B)

    used_BK = np.arange(masking.num_slots) < count_B[:, None]
    first_BK = rank_BT[:, : masking.num_slots] & np.uint64((1 << POSITION_BITS) - 1)
    return np.where(used_BK, first_BK.astype(np.int64), 0), used_BK


def _corrupt(
    original_BK: NDArray[np.int64],
    language_BK: NDArray[np.int64],
    key_B: NDArray[np.uint64],
    masking: Masking,
) -> NDArray[np.int64]:
    """What stands in place of the ids to predict: 80 % [MASK], 10 % random, 10 % the same."""
    slot_K = np.arange(original_BK.shape[1])
    chance_BK = uniform(draw(key_B, CORRUPTION)[:, None], slot_K)
    shown_BK = original_BK
    if masking.replacement_ids_L:
        key_B1 = draw(key_B, REPLACEMENT)[:, None]
        random_BK = _random_ids(masking.replacement_ids_L, language_BK, key_B1, slot_K)
        shown_BK = np.where(chance_BK < MASK_SHARE + RANDOM_SHARE, random_BK, original_BK)
    return np.where(chance_BK < MASK_SHARE, masking.mask_id, shown_BK)


def _random_ids(
    ids_L: Sequence[NDArray[np.int64]],
    language_BK: NDArray[np.int64],
    key_B1: NDArray[np.uint64],
    slot_K: NDArray[np.int64],
) -> NDArray[np.int64]:
    """For every slot an id of its language's table."""
    if all(ids is ids_L[0] for ids in ids_L):  # one table for all: nothing to look up
        return ids_L[0][below(key_B1, slot_K, len(ids_L[0]))]
    count_L = np.array([len(ids) for ids in ids_L])
    begin_L = np.cumsum(count_L) - count_L
    choice_BK = below(key_B1, slot_K, count_L[language_BK])
    return np.concatenate(ids_L)[begin_L[language_BK] + choice_BK]
