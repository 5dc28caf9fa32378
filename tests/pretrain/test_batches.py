"""Batches against a slow reading of them: layout, pairs, purity and held-out text."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from batch_reading import LANGUAGES, segments, source, unmasked
from hypothesis import given, settings
from hypothesis import strategies as st
from random_corpus import CLS, FIRST_ORDINARY_ID, PAD, SEP, random_documents, write_corpus

from bbert.corpus.token_store import TokenStore
from bbert.pretrain.batch import Batch
from bbert.pretrain.batches import BatchSettings
from bbert.pretrain.masking import IGNORED


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two languages of too little text to fill every row."""
    return write_corpus(
        tmp_path_factory.mktemp("corpora") / "small",
        {"enfake": [[9, 4], [6]], "it": [[30, 20, 25], [11]]},
    )


def test_rows_are_two_segments_of_real_text(corpus, text):
    for step in range(3):
        batch = source(corpus).batch(step)
        for row, segment_ids in zip(unmasked(batch), batch.segment_ids_BT, strict=True):
            first, second = segments(row, {SEP})
            text.find(first)
            text.find(second)
            border = len(first) + 2
            assert segment_ids.tolist() == [0] * border + [1] * (64 - border)
        assert batch.attention_mask_BT is None
        assert batch.num_tokens == 24 * 64


@pytest.mark.parametrize("negatives", ["any", "same-language"])
def test_pairs_follow_each_other_or_come_from_other_documents(corpus, text, negatives):
    languages = []
    for step in range(6):
        batch = source(corpus, nsp_negatives=negatives).batch(step)
        assert batch.next_sentence_labels_B is not None
        rows = zip(unmasked(batch), batch.next_sentence_labels_B, batch.language_ids_B, strict=True)
        for row, random, language in rows:
            first, second = segments(row, {SEP})
            (name_a, start_a), (name_b, start_b) = text.find(first), text.find(second)
            assert name_a == LANGUAGES[language]
            end_a = start_a + len(first)
            if not random:
                assert (name_b, start_b) == (name_a, end_a)
                assert text.document(name_a, end_a - 1) == text.document(name_b, start_b)
                continue
            languages.append((name_a, name_b))
            if name_a == name_b:
                assert text.document(name_a, end_a - 1) != text.document(name_b, start_b)
    mixed = np.mean([a != b for a, b in languages])
    assert mixed > 0.3 if negatives == "any" else mixed == 0


def test_the_first_piece_of_a_segment_does_not_tell_whether_it_is_random(tmp_path):
    sentences = random_documents(160, sentences=1, sentence_length=300)
    corpus = write_corpus(tmp_path / "c", {"en": sentences}, FIRST_ORDINARY_ID + 60_000,
                          word_length=3, distinct=True)  # fmt: skip
    starts_word = TokenStore.open(corpus, "en").word_starts
    batch = source(corpus, languages=["en"], batch_size=400, short_seq_probability=0.2).batch(0)
    assert batch.next_sentence_labels_B is not None
    inside_words = {0: 0, 1: 0}
    for row, random in zip(unmasked(batch), batch.next_sentence_labels_B, strict=True):
        _, second = segments(row, {SEP})
        if len(second):
            inside_words[int(random)] += not starts_word[second[0] - FIRST_ORDINARY_ID]
    assert inside_words == {0: 0, 1: 0}


def test_half_of_the_pairs_are_random(corpus):
    labels = np.concatenate(
        [source(corpus, batch_size=2000).batch(step).next_sentence_labels_B for step in range(3)]
    )
    assert labels.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(labels)))


def test_without_next_sentence_prediction_rows_are_contiguous(corpus, text):
    batch = source(corpus, nsp=False).batch(0)
    assert batch.next_sentence_labels_B is None
    for row in unmasked(batch):
        first, second = segments(row, {SEP})
        name, start = text.find(first)
        assert text.find(np.concatenate([first, second])) == (name, start)


@settings(max_examples=12, deadline=None)
@given(step=st.integers(0, 10**6), seed=st.integers(0, 10**6), nsp=st.booleans())
def test_a_batch_is_a_pure_function_of_seed_and_step(corpus, step, seed, nsp):
    loader = source(corpus, seed, nsp=nsp, batch_size=8)
    loader.batch(max(0, step - 3))
    again = source(corpus, seed, nsp=nsp, batch_size=8)
    assert_equal(loader.batch(step), again.batch(step))
    other = source(corpus, seed + 1, nsp=nsp, batch_size=8).batch(step)
    assert not np.array_equal(other.input_ids_BT, again.batch(step).input_ids_BT)


@pytest.mark.parametrize("parts", [1, 2, 3, 8])
def test_slices_are_the_batch_whatever_the_number_of_processes(corpus, parts):
    whole = source(corpus).batch(7)
    edges = [24 * i // parts for i in range(parts + 1)]
    pieces = [source(corpus).batch(7).slice(a, b) for a, b in itertools.pairwise(edges)]
    assert {(piece.num_masked, piece.num_pairs) for piece in pieces} == {(whole.num_masked, 24)}
    joined = {
        name: np.concatenate([getattr(piece, name) for piece in pieces])
        for name, value in vars(whole).items()
        if isinstance(value, np.ndarray)
    }
    for name, value in joined.items():
        assert np.array_equal(value, getattr(whole, name)), name
    rows = source(corpus).rows(np.arange(7 * 24, 8 * 24))
    assert_equal(whole, rows)


def test_shapes_are_the_same_at_every_step(corpus):
    loader = source(corpus)
    shapes = {
        tuple(v.shape for v in vars(loader.batch(step)).values() if isinstance(v, np.ndarray))
        for step in (0, 1, 999, 10**6)
    }
    assert len(shapes) == 1


@pytest.mark.parametrize("nsp", [True, False])
def test_short_texts_are_padded(small_corpus, nsp):
    loader = source(small_corpus, languages=["enfake", "it"], nsp=nsp, seq_len=40)
    for step in range(20):
        batch = loader.batch(step)
        mask = batch.attention_mask_BT
        assert mask is not None
        assert (mask == (batch.input_ids_BT != PAD)).all()
        assert batch.num_tokens == mask.sum() < mask.size
        for row in unmasked(batch):
            segments(row, {SEP})
        row, slot = np.nonzero(batch.masked_labels_BK != IGNORED)
        assert mask[row, batch.masked_positions_BK[row, slot]].all()
        assert not batch.segment_ids_BT[~mask].any()


def test_held_out_rows_are_the_same_for_every_seed_and_never_trained_on(corpus, text):
    first, second = (source(corpus, seed, split="validation") for seed in (0, 1))
    assert first.num_batches == second.num_batches
    held = set()
    for step in range(first.num_batches):
        batch = first.batch(step)
        assert_equal(batch, second.batch(step))
        for row in unmasked(batch)[batch.next_sentence_labels_B != IGNORED]:
            for segment in segments(row, {SEP}):
                name, start = text.find(segment)
                held |= {(name, i) for i in range(start, start + len(segment))}
    assert {name for name, _ in held} == set(LANGUAGES)
    training = source(corpus)
    for step in range(20):
        for row in unmasked(training.batch(step)):
            for segment in segments(row, {SEP}):
                name, start = text.find(segment)
                assert (name, start) not in held


def test_a_validation_pass_shows_every_held_out_row_once(corpus):
    loader = source(corpus, split="validation", batch_size=7, nsp=True)
    counted = np.zeros(3, dtype=int)
    for step in range(loader.num_batches):
        batch = loader.batch(step)
        used = (batch.masked_labels_BK != IGNORED).any(axis=1)
        assert (used == (batch.next_sentence_labels_B != IGNORED)).all()
        assert batch.num_pairs == max(1, used.sum())
        counted += np.bincount(batch.language_ids_B[used], minlength=3)
    assert counted.tolist() == [min(512, rows) for rows in loader.rows_per_pass]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"batch_size": 0}, "--batch-size"),
        ({"seq_len": 4}, "--seq-len"),
        ({"mlm_probability": 0.0}, "--mlm-probability"),
        ({"mlm_probability": 1.0}, "--mlm-probability"),
        ({"smoothing": 1.5}, "--smoothing"),
    ],
)
def test_impossible_settings_are_refused(options, named):
    with pytest.raises(ValueError, match=named):
        BatchSettings(**options)


def assert_equal(first: Batch, second: Batch) -> None:
    for name, value in vars(first).items():
        assert np.array_equal(value, getattr(second, name)), name


@pytest.mark.parametrize("lang_id", [True, False])
def test_full_sentences_are_one_long_segment(corpus, text, lang_id):
    loader = source(corpus, nsp=False, packing="full-sentences", lang_id=lang_id)
    ends = loader.language_separators if lang_id else dict.fromkeys(LANGUAGES, SEP)
    batch = loader.batch(1)
    assert batch.next_sentence_labels_B is None
    assert not batch.segment_ids_BT.any()
    assert batch.attention_mask_BT is None
    for row in unmasked(batch):
        name, _ = text.find(row[1:-1])
        assert row[0] == CLS
        assert row[-1] == ends[name]
    assert batch.num_masked / (24 * 62) == pytest.approx(0.15, abs=0.02)


def test_short_full_sentences_are_padded(small_corpus):
    loader = source(small_corpus, languages=["enfake", "it"], nsp=False, packing="full-sentences")
    for row, mask in zip(*(lambda b: (unmasked(b), b.attention_mask_BT))(loader.batch(0)),
                         strict=True):  # fmt: skip
        end = mask.sum()
        assert row[end - 1] == SEP
        assert (row[end:] == PAD).all()
        assert (row[1 : end - 1] >= FIRST_ORDINARY_ID).all()


def test_the_end_of_a_short_row_does_not_tell_whether_it_is_random(corpus, text):
    batch = source(corpus, short_seq_probability=1.0, batch_size=2000).batch(0)
    lengths = batch.attention_mask_BT.sum(axis=1) - 3
    whole, filled = {0: [], 1: []}, {0: [], 1: []}
    for row, random, length in zip(
        unmasked(batch), batch.next_sentence_labels_B, lengths, strict=True
    ):
        _, second = segments(row, {SEP})
        filled[int(random)].append(length == 61)
        if length < 61 and len(second):
            name, start = text.find(second)
            whole[int(random)].append(start + len(second) in text.stores[name].sentence_offsets)
    assert all(whole[0])
    assert all(whole[1])
    assert abs(np.mean(filled[0]) - np.mean(filled[1])) < 0.1


@pytest.mark.parametrize("nsp", [True, False])
def test_short_rows_end_with_a_sentence_and_have_random_lengths(corpus, text, nsp):
    loader = source(corpus, short_seq_probability=0.5, batch_size=3000, nsp=nsp)
    batch = loader.batch(0)
    lengths = batch.attention_mask_BT.sum(axis=1) - 3
    short = lengths < 61
    # A length of 2 to 61 is drawn; a sentence of about 15 more is finished, so fewer stay short.
    assert 0.3 < short.mean() < 0.5
    labels = batch.next_sentence_labels_B if nsp else np.zeros(3000)
    for row in unmasked(batch)[short & (labels == 0)]:
        first, second = segments(row, {SEP})
        name, start = text.find(np.concatenate([first, second]))
        assert start + len(first) + len(second) in text.stores[name].sentence_offsets
    ends = np.sort(lengths[short & (labels == 0)])
    quarters = np.searchsorted(ends, [16, 31, 46, 61])
    assert (np.diff([0, *quarters]) > 0.1 * len(ends)).all()
    assert (source(corpus, split="validation", short_seq_probability=1.0)
            .batch(0).attention_mask_BT is None)  # fmt: skip
