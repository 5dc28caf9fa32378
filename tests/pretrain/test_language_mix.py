"""Rows are dealt out to languages in the corpus's shares, evenly, and every counter is complete."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_corpus import random_documents, write_corpus

from bbert.corpus.language_shares import mix, row_units
from bbert.corpus.token_store import TokenStore
from bbert.pretrain.batches import BatchSettings, BatchSource
from bbert.pretrain.language_mix import LanguageMix

sizes = st.lists(st.tuples(st.integers(1, 10**7), st.integers(1, 100)), min_size=1, max_size=5)
UNITS = 1 << 24


def language_mix(languages: list[tuple[int, int]], smoothing: float) -> LanguageMix:
    """Languages of so many sentences, each of so many word-pieces."""
    sentences = [count for count, _ in languages]
    return LanguageMix(row_units(sentences, [n * length for n, length in languages], smoothing))


@settings(max_examples=100, deadline=None)
@given(languages=sizes, smoothing=st.sampled_from([0.0, 0.7, 1.0]), first=st.integers(0, 10**9))
def test_every_stretch_of_rows_holds_each_share_to_within_rounding(languages, smoothing, first):
    mix = language_mix(languages, smoothing)
    language, _ = mix.deal(np.arange(first, first + 500))
    counts = np.bincount(language, minlength=len(languages))
    assert np.abs(counts - 500 * mix.shares).max() < len(languages) + 1


@settings(max_examples=50, deadline=None)
@given(languages=sizes)
def test_a_languages_rows_are_counted_one_by_one(languages):
    language, counter = language_mix(languages, 0.7).deal(np.arange(400))
    for number in range(len(languages)):
        mine = counter[language == number]
        assert mine.tolist() == list(range(len(mine)))


@settings(max_examples=50, deadline=None)
@given(languages=sizes, cycle=st.integers(0, 1 << 14))
def test_two_to_the_24_rows_hold_the_shares_exactly(languages, cycle):
    """Each language's counter at the end of the cycle is its number of units times the cycles."""
    mix = language_mix(languages, 0.7)
    units = np.round(mix.shares * UNITS).astype(int)
    end = (cycle + 1) * UNITS
    language, counter = mix.deal(np.arange(max(0, end - 400_000), end))
    for number in np.unique(language):
        assert counter[language == number][-1] + 1 == (cycle + 1) * units[number]


def test_a_row_is_dealt_the_same_alone_and_among_others():
    mix = language_mix([(3, 9), (5, 9), (7, 9)], 0.7)
    language, counter = mix.deal(np.arange(1000, 1100))
    alone = mix.deal(np.array([1042]))
    assert (language[42], counter[42]) == (alone[0][0], alone[1][0])


def test_arithmetic_is_exact_at_the_end_of_the_largest_run():
    last = 500_000 * 2_048  # K et al. 2020, table 10
    language, counter = LanguageMix([UNITS // 2] * 2).deal(np.arange(last - 4, last))
    assert sorted(counter[language == 0].tolist()) == [last // 2 - 2, last // 2 - 1]
    language, counter = LanguageMix([UNITS - 1, 1]).deal(np.arange(2**38 - 4, 2**38))
    assert (language[-1], counter[-1]) == (0, 2**38 - 2**14 - 1)


def test_the_rows_are_those_that_the_certificate_names(tmp_path):
    """Four languages: pretraining's shares are the corpus's, and sentences come in those."""
    documents = {
        "en": random_documents(300, sentence_length=20, seed=1),
        "es": random_documents(80, sentence_length=10, seed=2),
        "hi": random_documents(30, sentence_length=25, seed=3),
        "ru": random_documents(8, sentence_length=15, seed=4),
    }
    corpus = write_corpus(tmp_path / "corpus", documents)
    stores = [TokenStore.open(corpus, name) for name in documents]
    told = mix(list(documents), [len(s) for s in stores], [len(s.ids) for s in stores], 0.7)
    source = BatchSource(corpus, list(documents), BatchSettings(batch_size=2000, nsp=False), seed=0)
    rows = [told["languages"][name]["rows"] for name in documents]
    assert source.language_shares.tolist() == rows
    dealt = np.bincount(source.batch(0).language_ids_B) / 2000
    assert dealt == pytest.approx(rows, abs=2 / 2000)
    sentences = [  # that rows of so many word-pieces hold
        share * len(store) / len(store.ids) for share, store in zip(dealt, stores, strict=True)
    ]
    sizes = np.array([len(store) for store in stores]) ** 0.7
    assert np.array(sentences) / sum(sentences) == pytest.approx(sizes / sizes.sum(), abs=2e-3)
