"""Which positions of a row are one word: across borders, and where permutation tore words apart."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from batch_reading import segments, source, unmasked
from random_corpus import FIRST_ORDINARY_ID, SEP, write_corpus

from bbert.corpus.token_store import TokenStore, TokenStoreWriter
from bbert.pretrain.masking import IGNORED
from bbert.pretrain.rows import Segments, Specials, assemble

SPECIALS = Specials(0, 2, np.array([SEP]))


def words_of_row(stream: SimpleNamespace, first: tuple[int, int], second: tuple[int, int]):
    """The word numbers of the two segments (first token, number of tokens) of one row."""
    a, b = (Segments(*(np.array([n]) for n in (0, *segment))) for segment in (first, second))
    rows = assemble(a, b, [stream], SPECIALS, seq_len=first[1] + second[1] + 3)
    numbers = rows.words_NT[0][rows.text_NT[0]].tolist()
    return numbers[: first[1]], numbers[first[1] :]


def test_what_a_border_cuts_off_is_a_word_of_its_own():
    """Word starts at 0, 3 and 7; the segments are tokens 1 to 4 and 5 to 9."""
    starts = np.isin(np.arange(10), (0, 3, 7)).astype(np.uint8)
    stream = SimpleNamespace(ids=np.arange(10) + 9, word_starts=starts, word_ids=None)
    a, b = words_of_row(stream, (1, 4), (5, 5))
    assert (a[0] == a[1], a[1] == a[2], a[2] == a[3]) == (True, False, True)
    assert (b[0] == b[1], b[1] == b[2], b[2] == b[3] == b[4]) == (True, False, True)
    assert not set(a) & set(b), "the word that the border cuts is not predicted from its own end"


def test_pieces_of_a_word_share_a_number_wherever_they_stand():
    word_ids = np.array([4, 5, 4, 6, 5, 6, 4, 7], np.uint32)
    stream = SimpleNamespace(ids=np.arange(8) + 9, word_starts=np.ones(8, np.uint8),
                             word_ids=word_ids)  # fmt: skip
    a, b = words_of_row(stream, (0, 5), (5, 3))
    for numbers, ids in ((a, word_ids[:5]), (b, word_ids[5:])):
        same = np.equal.outer(numbers, numbers)
        assert (same == np.equal.outer(ids, ids)).all()
    assert not set(a) & set(b), "a word in both segments counts once in each"


def test_words_that_permutation_tore_apart_are_predicted_whole(tmp_path: Path):
    corpus = write_corpus(tmp_path / "c", {"en": [[24] * 6] * 40}, FIRST_ORDINARY_ID + 6000,
                          distinct=True)  # fmt: skip
    rng = np.random.default_rng(0)
    lengths = np.full(240, 24)
    word_ids = np.concatenate([8 * n + rng.permutation(np.arange(24) // 3) for n in range(240)])
    ids = FIRST_ORDINARY_ID + np.arange(24 * 240)
    with TokenStoreWriter(corpus / "tokens" / "en", FIRST_ORDINARY_ID + 6000, True) as store:
        store.append(ids, np.ones(len(ids)), lengths, np.arange(240) % 6 == 0, word_ids)
    assert TokenStore.open(corpus, "en").word_ids is not None
    batch = source(corpus, languages=["en"], batch_size=200).batch(0)
    together = apart = 0
    for row, positions, labels in zip(
        unmasked(batch), batch.masked_positions_BK, batch.masked_labels_BK, strict=True
    ):
        chosen = set(row[positions[labels != IGNORED]].tolist())
        for segment in segments(row, {SEP}):
            words = word_ids[segment - FIRST_ORDINARY_ID]
            for word in np.unique(words):
                pieces = segment[words == word].tolist()
                if len(pieces) == 3:
                    found = len(chosen.intersection(pieces))
                    together += found == 3
                    apart += 0 < found < 3
    assert together > 200
    assert apart == 0
