"""The batch of a step that came to grief, as arrays and as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tiny_corpus import build_tiny_corpus
from tokenizers import Tokenizer

from bbert.pretrain.batches import BatchSettings, BatchSource
from bbert.pretrain.inspection import save_for_inspection
from bbert.pretrain.masking import IGNORED


def test_the_arrays_and_the_word_pieces_are_those_of_the_batch(tmp_path: Path):
    corpus = build_tiny_corpus(tmp_path, documents=20)
    languages = ["enfake", "en"]
    source = BatchSource(corpus, languages, BatchSettings(batch_size=5, seq_len=24), seed=1)
    batch = source.batch(3)
    folder = tmp_path / "nan" / "step-4"
    save_for_inspection(folder, batch, corpus / "tokenizer", languages)
    stored = np.load(folder / "batch.npz")
    for name, value in vars(batch).items():
        assert value is None or np.array_equal(stored[name], value), name
    ids = Tokenizer.from_file(str(corpus / "tokenizer" / "tokenizer.json")).get_vocab()
    lines = (folder / "batch.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    for row, line in enumerate(lines):
        number, language, text = line.split("\t")
        assert int(number) == row
        assert language == languages[batch.language_ids_B[row]]
        seen = [piece.split("⟨")[0] for piece in text.split(" ")]
        expected = batch.input_ids_BT[row][: len(seen)]
        assert [ids[piece] for piece in seen] == expected.tolist()
        true = [ids[piece.split("⟨")[1][:-1]] for piece in text.split(" ") if "⟨" in piece]
        labels = batch.masked_labels_BK[row]
        assert sorted(true) == sorted(labels[labels != IGNORED].tolist())
