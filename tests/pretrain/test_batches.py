"""Batches against a slow reading of them: layout, pairs, languages, purity and held-out text."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_corpus import CLS, FIRST_ORDINARY_ID, MASK, PAD, SEP, random_documents, write_corpus

from bbert.corpus.token_store import TokenStore
from bbert.errors import InputError
from bbert.pretrain.batch import Batch
from bbert.pretrain.batches import BatchSettings, BatchSource
from bbert.pretrain.masking import IGNORED

LANGUAGES = ["enfake", "it", "ru"]
SHARE = 7_500  # ids of each language: every word-piece has one of its own


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three languages of long documents, so that every row is full."""
    return write_corpus(
        tmp_path_factory.mktemp("corpora") / "long",
        {
            "enfake": random_documents(26, sentences=16, seed=1),
            "it": random_documents(14, sentences=16, seed=2),
            "ru": random_documents(8, sentences=16, seed=3),
        },
        vocab_size=FIRST_ORDINARY_ID + 3 * SHARE,
        distinct=True,
    )


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two languages of too little text to fill every row."""
    return write_corpus(
        tmp_path_factory.mktemp("corpora") / "small",
        {"enfake": [[9, 4], [6]], "it": [[30, 20, 25], [11]]},
    )


def source(corpus: Path, seed: int = 0, split="train", languages=LANGUAGES, **options):
    settings_ = BatchSettings(**({"batch_size": 24, "seq_len": 64} | options))
    return BatchSource(corpus, languages, settings_, seed, split)


def unmasked(batch: Batch) -> np.ndarray:
    """The rows with the true ids in their places."""
    ids = batch.input_ids_BT.copy()
    row, slot = np.nonzero(batch.masked_labels_BK != IGNORED)
    ids[row, batch.masked_positions_BK[row, slot]] = batch.masked_labels_BK[row, slot]
    return ids


def segments(row: np.ndarray, separators: set[int]) -> tuple[np.ndarray, np.ndarray]:
    ends = [i for i, token in enumerate(row) if int(token) in separators]
    assert len(ends) == 2
    assert row[0] == CLS
    assert (row[ends[1] + 1 :] == PAD).all()
    return row[1 : ends[0]], row[ends[0] + 1 : ends[1]]


class Text:
    """Where a segment stands in the corpus."""

    def __init__(self, corpus: Path) -> None:
        self.stores = {name: TokenStore.open(corpus, name) for name in LANGUAGES}
        self.flat = {n: np.asarray(s.ids).astype(np.int64) for n, s in self.stores.items()}

    def find(self, segment: np.ndarray) -> tuple[str, int]:
        number, start = divmod(int(segment[0]) - FIRST_ORDINARY_ID, SHARE)
        name = LANGUAGES[number]
        assert self.flat[name][start : start + len(segment)].tolist() == segment.tolist()
        return name, start

    def document(self, name: str, token: int) -> int:
        store = self.stores[name]
        sentence = np.searchsorted(store.sentence_offsets, token, side="right") - 1
        return int(np.searchsorted(store.document_offsets, sentence, side="right") - 1)


@pytest.fixture(scope="module")
def text(corpus: Path) -> Text:
    return Text(corpus)


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


def test_without_next_sentence_prediction_rows_are_contiguous(corpus, text):
    batch = source(corpus, nsp=False).batch(0)
    assert batch.next_sentence_labels_B is None
    for row in unmasked(batch):
        first, second = segments(row, {SEP})
        name, start = text.find(first)
        assert text.find(np.concatenate([first, second])) == (name, start)


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


def test_a_language_that_the_corpus_lacks_is_named(corpus):
    with pytest.raises(InputError, match="'hi'"):
        source(corpus, languages=["enfake", "hi"])


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
