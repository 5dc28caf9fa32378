"""Fine-tuning sees the word-pieces that pretraining saw."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_models import save_bert

from bbert.cli import main
from bbert.corpus.token_store import TokenStore
from bbert.fake import fake
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import encode_examples
from bbert.finetune.model_folder import find_model
from bbert.finetune.tasks.task import Sentence
from bbert.languages import Language

TEXT = [
    "Anna visited Rome in 1999, didn't she?",
    "The U.S. and the U.K. left (again)!",
    "Boris — the old man — saw 東京 and 42.5 % of it.",
    "Dmitri's mother-in-law's co-operation: naïve café, रोम में.",
] * 8


@pytest.mark.parametrize("segmentation", ["greedy", "unigram"])
def test_words_are_cut_as_in_the_token_store(tmp_path: Path, segmentation: str):
    (tmp_path / "en.txt").write_text("\n".join(TEXT) + "\n", encoding="utf-8")
    work = tmp_path / "work"
    typed = ["corpus", "build", "--work", str(work), "--name", "c", "--languages", "enfake", "en",
             "--text", f"en={tmp_path / 'en.txt'}", "--presplit", "--shared-text", "same",
             "--vocab-size", "250", "--segmentation", segmentation, "--quiet"]  # fmt: skip
    assert main(typed) == 0
    corpus = work / "corpora" / "c"
    folder = save_bert(tmp_path / "model", ["x"], own={"languages": ["enfake", "en"]})
    for file in (corpus / "tokenizer").iterdir():
        shutil.copy(file, folder / file.name)
    config = json.loads((folder / "config.json").read_text())
    pieces = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": len(pieces)}))
    ids = PieceIds(find_model(work, str(folder)))
    for name in ("enfake", "en"):
        store = TokenStore.open(corpus, name)
        assert len(store) > 0
        stored = {tuple(np.asarray(store[i]).tolist()) for i in range(len(store))}
        sentences = [Sentence(tuple(line.split()), ("O",) * len(line.split()), tmp_path, 1)
                     for line in TEXT]  # fmt: skip
        encoded = encode_examples(sentences, Language.parse(name), ids, ("O",), 512)
        cut = {tuple(row[1:-1].tolist()) for row in encoded.ids}
        assert stored <= cut


def test_fake_words_of_a_code_switched_set_stay_fake(tmp_path: Path):
    """`bbert probe code-switch --into enfake` writes such sets, in the plain language."""
    word = fake("Rome")
    folder = tmp_path / "model"
    save_bert(folder, [word], languages=["en"], own={"languages": ["enfake", "en"]})
    pieces = PieceIds(find_model(tmp_path, str(folder)))
    ((found,),) = pieces.cut([word], Language.parse("en"))
    assert found == pieces.tokenizer.convert_tokens_to_ids(word)
    assert found != pieces.unk_id
