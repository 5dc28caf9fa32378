"""Passages and windows: full rows of one document, even coverage, nothing of the held-out text."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_corpus import random_documents, write_corpus

from bbert.corpus.token_store import TokenStore
from bbert.counter_random import draw, stream_key
from bbert.errors import InputError
from bbert.pretrain.packing import TextStream, held_out, passage_bounds

documents = st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=12), max_size=150)


def offsets(texts: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    lengths = [n for text in texts for n in text]
    return (
        np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64),
        np.concatenate([[0], np.cumsum([len(t) for t in texts], dtype=np.int64)]).astype(np.int64),
    )


def stream(folder: Path, texts: list[list[int]], row_length: int, split="train") -> TextStream:
    corpus = folder / "corpus"
    if not corpus.exists():
        write_corpus(corpus, {"en": texts})
    store = TokenStore.open(corpus, "en")
    return TextStream(store, "en", row_length, split, stream_key(0, "test"))


@settings(max_examples=150, deadline=None)
@given(texts=documents, row_length=st.integers(5, 60))
def test_passages_are_whole_sentences_and_fill_a_row(texts, row_length):
    sentences, docs = offsets(texts)
    bounds = passage_bounds(sentences, docs, row_length)
    assert bounds[0] == 0
    assert bounds[-1] == len(sentences) - 1
    assert (np.diff(bounds) > 0).all()
    lengths = np.diff(sentences[bounds])
    if sentences[-1] >= 4 * row_length and max(map(sum, texts)) < 2 * row_length:
        assert (lengths >= row_length).all()


def test_long_documents_are_passages_of_their_own():
    texts = random_documents(200, sentences=12, sentence_length=20)
    sentences, docs = offsets(texts)
    bounds = passage_bounds(sentences, docs, row_length=29)
    alone = {int(b) for b in docs} & {int(b) for b in bounds}
    assert len(alone) > 195


def test_a_single_long_document_is_cut_so_that_one_percent_can_be_held_out():
    sentences, docs = offsets([[20] * 5000])
    lengths = np.diff(sentences[passage_bounds(sentences, docs, 125)])
    assert len(lengths) >= 90
    assert (lengths >= 2 * 125 - 20).all()
    share = lengths[held_out(lengths, 125)].sum() / lengths.sum()
    assert 0.01 <= share <= 0.05


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 100_000), min_size=2, max_size=300))
def test_some_passages_are_held_out_and_some_are_not(lengths):
    chosen = held_out(np.array(lengths), 125)
    assert chosen.any()
    assert not chosen.all()
    if len(lengths) >= 100 and max(lengths) <= 2 * min(lengths):
        assert chosen @ np.array(lengths) <= 0.05 * sum(lengths)


def test_training_and_validation_share_no_word_piece(tmp_path):
    texts = random_documents(150)
    seen = {}
    for split in ("train", "validation"):
        text = stream(tmp_path, texts, 29, split)
        start, length = text.windows(np.arange(6 * text.rows_per_pass))
        seen[split] = {int(i) for s, n in zip(start, length, strict=True) for i in range(s, s + n)}
        key = draw(stream_key(1, "keys"), np.arange(500))
        start, length = text.random_segments(np.full(500, 17), key, 0, np.ones(500, dtype=bool))
        pieces = {int(i) for s, n in zip(start, length, strict=True) for i in range(s, s + n)}
        assert pieces <= seen[split] | {i for s in start for i in range(int(s) - 29, int(s) + 29)}
        seen[split] |= pieces
    assert not seen["train"] & seen["validation"]
    total = sum(map(sum, texts))
    assert len(seen["validation"]) + len(seen["train"]) >= 0.97 * total


def test_rows_are_full_and_begin_with_a_sentence(tmp_path):
    texts = random_documents(300, sentence_length=12)
    text = stream(tmp_path, texts, 61)
    start, length = text.windows(np.arange(5 * text.rows_per_pass))
    assert text.always_full
    assert (length == 61).all()
    sentences, _ = offsets(texts)
    assert np.isin(start, sentences).mean() > 0.8  # the others end with their document


def test_a_row_lies_in_one_document_where_documents_are_long(tmp_path):
    text = stream(tmp_path, random_documents(120, sentences=20), 61)
    start, length = text.windows(np.arange(3 * text.rows_per_pass))
    assert (text.document_of(start) == text.document_of(start + length - 1)).all()


def test_short_documents_are_joined_until_they_fill_a_row(tmp_path):
    text = stream(tmp_path, random_documents(1000, sentences=1, sentence_length=10), 61)
    _, length = text.windows(np.arange(2 * text.rows_per_pass))
    assert (length == 61).all()


def test_many_passes_cover_the_text_evenly(tmp_path):
    texts = random_documents(150, sentences=30)
    text = stream(tmp_path, texts, 29)
    passes = 60
    start, length = text.windows(np.arange(passes * text.rows_per_pass))
    count = np.zeros(sum(map(sum, texts)))
    for s, n in zip(start, length, strict=True):
        count[s : s + n] += 1 / passes
    trained = count[count > 0]
    assert trained.mean() == pytest.approx(1, abs=0.01)
    assert trained.std() < 0.3
    assert (trained > 0.25).mean() > 0.99
    # No document is favoured: its share of the rows is its share of the text.
    bounds = np.concatenate([[0], np.cumsum([sum(t) for t in texts])])
    means = np.array([count[a:b].mean() for a, b in itertools.pairwise(bounds)])
    assert means[means > 0].std() < 0.05


def test_a_pass_visits_every_part_before_the_next_begins(tmp_path):
    text = stream(tmp_path, [[10] * 400 for _ in range(120)], 50)
    start, _ = text.windows(np.arange(text.rows_per_pass))
    again, _ = text.windows(np.arange(text.rows_per_pass, 2 * text.rows_per_pass))
    gaps = np.diff(np.sort(start))
    assert (gaps == 50).mean() > 0.95
    assert start.tolist() != again.tolist()
    assert set(start.tolist()) != set(again.tolist())  # the borders fall elsewhere


def test_splits_fall_between_sentences_of_one_document(tmp_path):
    texts = random_documents(400, sentences=3, sentence_length=9)
    text = stream(tmp_path, texts, 61)
    start, length = text.windows(np.arange(800))
    key = draw(stream_key(0, "keys"), np.arange(800))
    sentences, docs = offsets(texts)
    begins_document = sentences[docs]
    first, at_sentence = text.split_points(start, length, key, within_document=True)
    border = start + first
    assert at_sentence.mean() > 0.95
    assert np.isin(border[at_sentence], sentences).all()
    assert not np.isin(border[at_sentence], begins_document).any()
    assert ((first > 0) & (first < length)).all()
    free, _ = text.split_points(start, length, key, within_document=False)
    assert np.isin(start + free, begins_document).any()


def test_sentences_longer_than_a_row_are_split_before_a_word(tmp_path):
    text = stream(tmp_path, [[400] for _ in range(120)], 61)
    start, length = text.windows(np.arange(600))
    key = draw(stream_key(0, "keys"), np.arange(600))
    first, at_sentence = text.split_points(start, length, key, within_document=True)
    assert (length == 61).all()
    assert not at_sentence.any()
    assert text.word_starts[(start + first)[first < length]].all()
    assert ((first >= 15) & (first <= 61)).all()


def test_random_segments_begin_with_a_word_where_the_others_do(tmp_path):
    text = stream(tmp_path, [[300, 40]] * 60 + [[50]] * 60, 61)
    sentences, _ = offsets([[300, 40]] * 60 + [[50]] * 60)
    key = draw(stream_key(0, "keys"), np.arange(3000))
    at_sentence, wanted = np.arange(3000) % 2 == 0, 20 + np.arange(3000) % 30
    start, length = text.random_segments(wanted, key, 0, at_sentence)
    assert (length == wanted).all()
    assert text.word_starts[start].all()
    assert np.isin(start[at_sentence], sentences).all()
    assert np.isin(start[~at_sentence], sentences).mean() < 0.1
    passage = np.searchsorted(text._begins_P, start, side="right") - 1
    assert (start + length <= text._ends_P[passage]).all()


def test_random_segments_that_begin_a_sentence_are_those_of_earlier_versions(tmp_path):
    text = stream(tmp_path, [[12, 7, 30] * 5] * 150, 61)
    key = draw(stream_key(0, "keys"), np.arange(1000))
    at_sentence = np.arange(1000) % 2 == 0  # what the other rows are changes nothing
    start, length = text.random_segments(np.full(1000, 30), key, 1, at_sentence)
    assert start[:8:2].tolist() == [2156, 8048, 14847, 6242]
    assert (length == 30).all()


def test_text_without_words_for_long_is_no_obstacle(tmp_path):
    text = stream(tmp_path, [[200]] * 60, 61)
    text.word_starts = np.zeros_like(text.word_starts)
    key = draw(stream_key(0, "keys"), np.arange(500))
    start, length = text.random_segments(np.full(500, 30), key, 0, np.zeros(500, dtype=bool))
    assert (length == 30).all()
    assert (start % 200 <= 170).all()  # inside one passage


@pytest.mark.parametrize("texts", [[], [[7]], [[30, 0, 0]], [[0], [0]]])
def test_a_language_without_text_to_hold_out_is_refused(tmp_path, texts):
    with pytest.raises(InputError, match=r"'en' has .* at least two"):
        stream(tmp_path, texts, 29)


@pytest.mark.parametrize("texts", [[[7, 3]], [[3, 40]], [[5], [6]], [[500, 1]], [[1, 1, 1]]])
def test_two_sentences_are_enough(tmp_path, texts):
    for split in ("train", "validation"):
        text = stream(tmp_path, texts, 29, split)
        start, length = text.windows(np.arange(10))
        assert (length >= 1).all()
        assert (start + length <= sum(map(sum, texts))).all()
