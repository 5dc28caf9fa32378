"""Masks have the right distribution over thousands of rows, and touch nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.counter_random import draw, stream_key
from bbert.pretrain.masking import IGNORED, Masking, num_slots
from bbert.pretrain.masking import mask_rows as mask_rows_of_languages

MASK, FIRST_ORDINARY = 4, 10
ORDINARY = np.arange(FIRST_ORDINARY, 1000)


def rows(num: int, row_length: int, seq_len: int, word_length: float, seed: int = 0):
    """Ids of ordinary word-pieces in [1, row_length], specials (id 2) elsewhere."""
    rng = np.random.default_rng(seed)
    text = np.zeros((num, seq_len), dtype=bool)
    text[:, 1 : 1 + row_length] = True
    ids = np.where(text, rng.choice(ORDINARY, text.shape), 2)
    starts = rng.random(text.shape) < 1 / word_length
    starts[:, 1] = True
    return ids, text, starts


def words_of(starts: np.ndarray) -> np.ndarray:
    """A number for each word of a row."""
    return np.cumsum(starts, axis=1)


def lengths_of(starts: np.ndarray) -> np.ndarray:
    return np.diff(np.flatnonzero(starts.ravel()))


def keys(num: int, step: int = 0) -> np.ndarray:
    return draw(stream_key(0, "masks", step), np.arange(num))


def masking(probability=0.15, whole_words=True, slots=23, replacements=(ORDINARY,)) -> Masking:
    return Masking(probability, whole_words, slots, MASK, replacements)


def mask_rows(ids, text, words, row_keys, plan):
    """Rows of one language."""
    return mask_rows_of_languages(ids, text, words, np.zeros(ids.shape, np.int64), row_keys, plan)


def fits(counts: np.ndarray, expected: np.ndarray) -> bool:
    """Whether counts differ from expected shares by chance only (chi-square, one in a million)."""
    expected = expected / expected.sum() * counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum()
    freedom = len(counts) - 1
    # Wilson and Hilferty's normal approximation, 4.9 standard deviations.
    limit = freedom * (1 - 2 / (9 * freedom) + 4.9 * (2 / (9 * freedom)) ** 0.5) ** 3
    return bool(statistic < limit)


@pytest.mark.parametrize("word_length", [1.0, 1.4, 3.0])
@pytest.mark.parametrize("row_length", [29, 125])
def test_fifteen_percent_of_the_text_is_predicted(word_length, row_length):
    ids, text, starts = rows(8000, row_length, row_length + 3, word_length)
    slots = num_slots(0.15, row_length, lengths_of(starts[:, 1 : 1 + row_length]))
    _, labels = mask_rows(ids, text, words_of(starts), keys(8000), masking(slots=slots))
    counts = (labels != IGNORED).sum(axis=1)
    error = counts.std() / np.sqrt(len(counts))
    # Words at the border that find no slot may cost a little, a hundredth of the share at most.
    assert counts.mean() == pytest.approx(0.15 * row_length, abs=4 * error + 0.0015 * row_length)


@pytest.mark.parametrize("word_length", [1.0, 2.0])
def test_positions_are_predicted_equally_often_in_long_words_and_short_ones(word_length):
    ids, text, starts = rows(1, 125, 128, word_length)
    num = 20_000
    tile = (num, 1)
    positions, labels = mask_rows(
        np.tile(ids, tile),
        np.tile(text, tile),
        np.tile(words_of(starts), tile),
        keys(num),
        masking(slots=26),
    )
    counts = np.bincount(positions[labels != IGNORED], minlength=128)[1:126]
    pieces = np.bincount(np.cumsum(starts[0, 1:126]))[np.cumsum(starts[0, 1:126])]
    error = 5 * np.sqrt(0.15 * 0.85 / num)
    bias = 0.15 * 0.02 * pieces if word_length > 1 else 0
    assert (np.abs(counts / num - 0.15) < error + bias).all()


def test_whole_words_are_predicted_together():
    ids, text, starts = rows(2000, 125, 128, 2.0)
    positions, labels = mask_rows(ids, text, words_of(starts), keys(2000), masking(slots=24))
    chosen = np.zeros(text.shape, dtype=bool)
    row, slot = np.nonzero(labels != IGNORED)
    chosen[row, positions[row, slot]] = True
    inside = text & ~starts & np.roll(text, 1, axis=1)
    assert (chosen[inside] == np.roll(chosen, 1, axis=1)[inside]).all()
    assert (chosen & ~text).sum() == 0


def test_single_word_pieces_are_chosen_apart():
    ids, text, starts = rows(4000, 125, 128, 5.0)
    positions, labels = mask_rows(
        ids, text, words_of(starts), keys(4000), masking(whole_words=False)
    )
    chosen = np.zeros(text.shape, dtype=bool)
    row, slot = np.nonzero(labels != IGNORED)
    chosen[row, positions[row, slot]] = True
    neighbours = (chosen[:, 1:125] & chosen[:, 2:126]).mean()
    assert neighbours == pytest.approx(0.15**2, rel=0.1)


def test_eighty_ten_ten():
    ids, text, starts = rows(6000, 125, 128, 1.4)
    original = ids.copy()
    positions, labels = mask_rows(ids, text, words_of(starts), keys(6000), masking())
    row, slot = np.nonzero(labels != IGNORED)
    shown, true = ids[row, positions[row, slot]], labels[row, slot]
    assert (original[row, positions[row, slot]] == true).all()
    num = len(true)
    masked, kept = (shown == MASK).mean(), (shown == true).mean()
    for share, expected in ((masked, 0.8), (kept, 0.1 + 0.1 / len(ORDINARY))):
        assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / num))
    replaced = shown[(shown != MASK) & (shown != true)]
    assert np.isin(replaced, ORDINARY).all()
    assert len(np.unique(replaced)) > 0.99 * len(ORDINARY)


def test_pieces_of_one_word_are_replaced_each_for_itself():
    ids, text, starts = rows(4000, 120, 123, 1.0)
    starts[:] = False
    starts[:, 1::2] = True
    positions, labels = mask_rows(ids, text, words_of(starts), keys(4000), masking(slots=20))
    ids_at = np.where(labels == IGNORED, -1, np.take_along_axis(ids, positions, axis=1))
    masked = ids_at[:, :18].reshape(-1, 2) == MASK
    assert (masked[:, 0] != masked[:, 1]).mean() == pytest.approx(2 * 0.8 * 0.2, rel=0.1)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    probability=st.floats(0.01, 0.99),
    whole_words=st.booleans(),
    step=st.integers(0, 1000),
)
def test_nothing_but_the_predicted_positions_changes(lengths, probability, whole_words, step):
    ids, text, starts = rows(len(lengths), 30, 33, 1.7, seed=step)
    for row, length in enumerate(lengths):  # short rows: specials after their end
        text[row, 1 + length :] = False
        ids[row, 1 + length :] = 0
    original = ids.copy()
    plan = masking(probability, whole_words, num_slots(probability, 30, lengths_of(starts)))
    positions, labels = mask_rows(ids, text, words_of(starts), keys(len(lengths), step), plan)
    used = labels != IGNORED
    row = np.nonzero(used)[0]
    chosen = np.zeros(text.shape, dtype=bool)
    chosen[row, positions[used]] = True
    assert chosen.sum() == used.sum()  # no position twice
    assert (ids == original)[~chosen].all()
    assert not (chosen & ~text).any()
    assert (labels[used] == original[chosen_order(positions, used)]).all()
    assert (positions[~used] == 0).all()


def chosen_order(positions: np.ndarray, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.nonzero(used)[0], positions[used]


def test_masks_are_drawn_afresh_with_every_key_and_only_then():
    def once(step: int) -> tuple[np.ndarray, np.ndarray]:
        ids, text, starts = rows(16, 125, 128, 1.4)
        positions, labels = mask_rows(ids, text, words_of(starts), keys(16, step), masking())
        return ids, np.where(labels == IGNORED, -1, positions)

    assert (once(0)[0] == once(0)[0]).all()
    same = np.mean([np.isin(a, b).mean() for a, b in zip(once(0)[1], once(1)[1], strict=True)])
    assert same < 0.4


def test_slots_leave_room_for_the_word_at_the_border():
    words = np.full(1000, 3)
    assert num_slots(0.15, 125, words) == 19 + 2
    assert num_slots(0.15, 125, np.ones(1000, np.int64)) == 19
    assert num_slots(0.15, 125, np.zeros(0, np.int64)) == 19
    assert num_slots(0.99, 10, words) == 10


def test_pieces_of_a_word_that_stand_apart_are_predicted_together():
    ids, text, starts = rows(3000, 60, 64, word_length=2.5)
    rng = np.random.default_rng(4)
    order = rng.permuted(np.tile(np.arange(1, 61), (3000, 1)), axis=1)
    words = words_of(starts)
    words[:, 1:61] = np.take_along_axis(words, order, axis=1)
    positions, labels = mask_rows(ids, text, words + (7 << 32), keys(3000), masking(slots=16))
    used = labels != IGNORED
    chosen = np.zeros(text.shape, dtype=bool)
    np.put_along_axis(chosen, np.where(used, positions, 63), True, axis=1)
    chosen[:, 63] = False
    for row in range(200):
        for word in np.unique(words[row, 1:61]):
            pieces = chosen[row, 1:61][words[row, 1:61] == word]
            assert pieces.all() or not pieces.any()
    assert used.sum(axis=1).mean() == pytest.approx(9, abs=0.3)


def replaced(languages: np.ndarray, plan: Masking) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What stands in place of the predictions, what stood there, and their languages."""
    ids, text, starts = rows(len(languages), 125, 128, 1.4)
    positions, labels = mask_rows_of_languages(
        ids, text, words_of(starts), languages, keys(len(languages)), plan
    )
    row, slot = np.nonzero(labels != IGNORED)
    where = positions[row, slot]
    return ids[row, where], labels[row, slot], languages[row, where]


def test_random_replacements_are_uniform_over_the_joint_vocabulary():
    languages = np.zeros((20_000, 128), np.int64)
    shown, true, _ = replaced(languages, masking())
    counts = np.array([(shown == MASK).sum(), (shown == true).sum()])
    counts = np.append(counts, len(shown) - counts.sum())
    kept = 0.1 + 0.1 / len(ORDINARY)
    assert fits(counts, np.array([0.8, kept, 0.2 - kept]))
    random = shown[(shown != MASK) & (shown != true)]
    assert fits(np.bincount(random - FIRST_ORDINARY), np.ones(len(ORDINARY)))


def test_random_replacements_of_the_same_language_are_uniform_over_its_own_entries():
    languages = np.tile(np.arange(128) // 64, (20_000, 1))  # the second half of every row
    tables = (np.arange(20, 80), np.arange(70, 500))
    shown, true, language = replaced(languages, masking(replacements=tables))
    assert fits(np.array([(shown == MASK).sum(), (shown != MASK).sum()]), np.array([0.8, 0.2]))
    random = (shown != MASK) & (shown != true)
    for number, table in enumerate(tables):
        drawn = shown[random & (language == number)]
        assert np.isin(drawn, table).all()
        assert fits(np.bincount(drawn - table[0], minlength=len(table)), np.ones(len(table)))


def test_without_random_replacements_a_fifth_is_kept():
    languages = np.zeros((5000, 128), np.int64)
    shown, true, _ = replaced(languages, masking(replacements=()))
    assert ((shown == MASK) | (shown == true)).all()
    assert fits(np.array([(shown == MASK).sum(), (shown == true).sum()]), np.array([0.8, 0.2]))


def test_the_variants_choose_the_same_positions():
    languages = np.tile(np.arange(128) // 64, (50, 1))
    plans = (masking(), masking(replacements=()), masking(replacements=(ORDINARY, ORDINARY[:9])))
    first, *others = [replaced(languages, plan) for plan in plans]
    for shown, true, _ in others:
        assert np.array_equal(true, first[1])
        assert np.array_equal(shown == MASK, first[0] == MASK)
