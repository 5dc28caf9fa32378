"""Masks of batches: where they lie, what stands in them, and when they come again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from batch_reading import LANGUAGES, SHARE, source
from random_corpus import FIRST_ORDINARY_ID, MASK, random_documents, write_corpus

from bbert.corpus.token_store import TokenStore
from bbert.pretrain.batches import BatchSource
from bbert.pretrain.masking import IGNORED


def test_masks_lie_on_text_and_carry_their_language(corpus):
    batch = source(corpus, batch_size=500).batch(2)
    row, slot = np.nonzero(batch.masked_labels_BK != IGNORED)
    labels = batch.masked_labels_BK[row, slot]
    assert (labels >= FIRST_ORDINARY_ID).all()
    languages = (labels - FIRST_ORDINARY_ID) // SHARE
    assert (languages == batch.masked_languages_BK[row, slot]).all()
    assert batch.num_masked == len(labels)
    assert len(labels) / (500 * 61) == pytest.approx(0.15, abs=0.002)
    shown = batch.input_ids_BT[row, batch.masked_positions_BK[row, slot]]
    assert (shown == MASK).mean() == pytest.approx(0.8, abs=0.03)


def test_masks_are_drawn_afresh_at_every_pass(corpus):
    loader = source(corpus, batch_size=8)
    first_pass = loader.batch(0)
    assert not np.array_equal(first_pass.masked_positions_BK, loader.batch(500).masked_positions_BK)


def rows_of_passes(loader: BatchSource, passes: int) -> list[list[tuple]]:
    """Of each pass over a single language: every row's ids as they are fed, and its pair label."""
    (size,) = loader.rows_per_pass
    found = []
    for number in range(passes):
        batch = loader.rows(np.arange(number * size, (number + 1) * size))
        labels = [0] * size if batch.next_sentence_labels_B is None else (
            batch.next_sentence_labels_B.tolist())  # fmt: skip
        found.append([(*ids, label) for ids, label in
                      zip(batch.input_ids_BT.tolist(), labels, strict=True)])  # fmt: skip
    return found


@pytest.mark.parametrize("nsp", [True, False])
def test_released_masks_come_again_after_five_passes_in_another_order(corpus, nsp):
    loader = source(corpus, languages=["it"], masks="released", nsp=nsp)
    passes = rows_of_passes(loader, 10)
    for number in range(5):
        assert sorted(passes[number]) == sorted(passes[number + 5])
        assert passes[number] != passes[number + 5]
    assert len(set(itertools.chain(*passes[:5]))) > 0.99 * 5 * len(passes[0])
    size = len(passes[0])
    keys = [loader.rows(np.arange(n * size, (n + 1) * size)).row_keys_B for n in range(10)]
    assert len(set(np.concatenate(keys).tolist())) == 10 * size  # dropout is never the same
    other = rows_of_passes(source(corpus, seed=1, languages=["it"], masks="released", nsp=nsp), 1)
    assert sorted(other[0]) != sorted(passes[0])


def test_fresh_masks_never_come_again(corpus):
    passes = rows_of_passes(source(corpus, languages=["it"]), 7)
    assert len(set(itertools.chain(*passes))) > 0.99 * 7 * len(passes[0])


def test_random_replacements_of_the_same_language_stay_in_it(corpus):
    loader = source(corpus, mlm_random="same-language", batch_size=3000)
    batch = loader.batch(0)
    row, slot = np.nonzero(batch.masked_labels_BK != IGNORED)
    shown = batch.input_ids_BT[row, batch.masked_positions_BK[row, slot]]
    random = shown != MASK
    language = batch.masked_languages_BK[row, slot]
    assert ((shown[random] - FIRST_ORDINARY_ID) // SHARE == language[random]).all()
    for number, name in enumerate(LANGUAGES):
        used = np.unique(np.asarray(TokenStore.open(corpus, name).ids))
        drawn = shown[random & (language == number)]
        assert np.isin(drawn, used).all()
    joint = source(corpus, batch_size=3000).batch(0)
    shown = joint.input_ids_BT[row, joint.masked_positions_BK[row, slot]]
    foreign = (shown != MASK) & ((shown - FIRST_ORDINARY_ID) // SHARE != language)
    assert foreign.mean() == pytest.approx(0.1 * 2 / 3, abs=0.01)


def test_random_replacements_are_never_specials_or_reserved(tmp_path):
    small = write_corpus(tmp_path / "small", {"en": random_documents(20)}, FIRST_ORDINARY_ID + 30)
    batch = source(small, languages=["en"], batch_size=2000).batch(0)
    row, slot = np.nonzero(batch.masked_labels_BK != IGNORED)
    shown = batch.input_ids_BT[row, batch.masked_positions_BK[row, slot]]
    assert (shown[shown != MASK] >= FIRST_ORDINARY_ID).all()
