"""Batches read slowly: rows with their true ids, and where a segment stands in the corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from random_corpus import CLS, FIRST_ORDINARY_ID, PAD

from bbert.corpus.token_store import TokenStore
from bbert.pretrain.batch import Batch
from bbert.pretrain.batches import BatchSettings, BatchSource
from bbert.pretrain.masking import IGNORED

LANGUAGES = ["enfake", "it", "ru"]
SHARE = 7_500  # ids of each language: every word-piece has one of its own


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
