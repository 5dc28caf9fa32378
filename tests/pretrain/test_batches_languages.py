"""Languages of batches: their shares, their separators, and batches of one language."""

from __future__ import annotations

import numpy as np
import pytest
from batch_reading import LANGUAGES, segments, source, unmasked
from random_corpus import SEP

from bbert.corpus.token_store import TokenStore
from bbert.errors import InputError
from bbert.pretrain.batches import BatchSource
from bbert.pretrain.masking import IGNORED


def test_random_segments_are_of_every_language_in_its_share(corpus):
    loader = source(corpus, batch_size=6000)
    batch = loader.batch(0)
    random = batch.next_sentence_labels_B == 1
    last = batch.masked_languages_BK[random]
    segment_ids = batch.segment_ids_BT[random]
    in_second = np.take_along_axis(segment_ids, batch.masked_positions_BK[random], axis=1) == 1
    in_second &= batch.masked_labels_BK[random] != IGNORED
    shares = np.bincount(last[in_second], minlength=3) / in_second.sum()
    assert np.abs(shares - loader.language_shares).max() < 0.03


def test_language_ids_end_each_segment_with_the_languages_separator(corpus, text):
    loader = source(corpus, lang_id=True)
    assert loader.language_separators == {"enfake": 5, "it": 6, "ru": 7}
    for step in range(3):
        for row in unmasked(loader.batch(step)):
            first, second = segments(row, {5, 6, 7})
            (name_a, _), (name_b, _) = text.find(first), text.find(second)
            assert row[1 + len(first)] == loader.language_separators[name_a]
            assert row[2 + len(first) + len(second)] == loader.language_separators[name_b]
            assert SEP not in row


def test_languages_are_mixed_by_smoothed_shares(corpus):
    loader = source(corpus, smoothing=0.7, batch_size=3000)
    tokens = np.array([len(TokenStore.open(corpus, name).ids) for name in LANGUAGES])
    expected = tokens**0.7 / (tokens**0.7).sum()
    counts = np.bincount(loader.batch(0).language_ids_B) / 3000
    assert np.abs(counts - expected).max() < 0.02  # the held-out share differs a little


def test_a_language_that_the_corpus_lacks_is_named(corpus):
    with pytest.raises(InputError, match="'hi'"):
        source(corpus, languages=["enfake", "hi"])


def test_half_of_many_pairs_are_random_and_their_languages_follow_the_mix(corpus, text):
    loader = source(corpus, batch_size=4000)
    batch = loader.batch(0)
    random = batch.next_sentence_labels_B == 1
    assert random.mean() == pytest.approx(0.5, abs=4 * 0.5 / 4000**0.5)
    shares = loader.language_shares
    crossed = 0
    for row in unmasked(batch)[random]:
        first, second = segments(row, {SEP})
        crossed += text.find(first)[0] != text.find(second)[0]
    expected = 1 - (shares**2).sum()  # two languages drawn apart from each other
    error = (expected * (1 - expected) / random.sum()) ** 0.5
    assert crossed / random.sum() == pytest.approx(expected, abs=4 * error)


@pytest.mark.parametrize("nsp", [True, False])
def test_a_batch_of_one_language_has_no_other(corpus, text, nsp):
    loader = source(corpus, batching="one-language", nsp=nsp, nsp_negatives="same-language")
    seen = []
    for step in range(60):
        batch = loader.batch(step)
        (language,) = set(batch.language_ids_B)
        assert (batch.masked_languages_BK[batch.masked_labels_BK != IGNORED] == language).all()
        if step < 5:
            for row in unmasked(batch):
                names = {text.find(segment)[0] for segment in segments(row, {SEP})}
                assert names == {LANGUAGES[language]}
        seen.append(language)
    counts = np.bincount(seen, minlength=3)
    assert np.abs(counts - 60 * loader.language_shares).max() <= 2  # spread evenly, not drawn


def test_one_language_and_mixed_batches_show_each_language_the_same_rows(corpus):
    mixed, apart = source(corpus, nsp=False), source(corpus, nsp=False, batching="one-language")

    def windows(loader: BatchSource, steps: int) -> list[list[int]]:
        found: list[list[list[int]]] = [[], [], []]
        for step in range(steps):
            batch = loader.batch(step)
            for row, language in zip(unmasked(batch), batch.language_ids_B, strict=True):
                first, second = segments(row, {SEP})  # the border is drawn anew for every row
                found[language].append([*first, *second])
        return found

    for one, other in zip(windows(mixed, 6), windows(apart, 6), strict=True):
        both = min(len(one), len(other))
        assert one[:both] == other[:both]
