"""Tiny models and task files that the tests of this room share."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tiny_task_files import NAMES, WORDS, ner_sentences, write_columns


@pytest.fixture(scope="session")
def ner_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PAN-X files: train, dev and test of en; only dev of es."""
    folder = tmp_path_factory.mktemp("data") / "panx"
    for seed, (name, number) in enumerate(
        {"train-en": 80, "dev-en": 30, "test-en": 30, "dev-es": 20}.items()
    ):
        write_columns(folder / f"{name}.tsv", ner_sentences(number, seed))
    return folder


@pytest.fixture(scope="session")
def xnli_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MultiNLI as translated for XNLI, and XNLI-1.0 with en and es in one file."""
    folder = tmp_path_factory.mktemp("data") / "xnli"
    folder.mkdir()
    rng = random.Random(5)
    labels = ["contradictory", "entailment", "neutral"]
    texts = dict(zip(labels, ["Anna left .", "Boris saw Rome .", "the old ."], strict=True))
    rows = ["premise\thypo\tlabel"]
    for _ in range(40):
        label = rng.choice(labels)
        rows.append(f"{rng.choice(NAMES)} visited Rome .\t{texts[label]}\t{label}")
    (folder / "multinli.train.en.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for split in ("dev", "test"):
        rows = ["language\tgold_label\tsentence1\tsentence2\tpairID"]
        for number in range(40):
            label = rng.choice(labels)
            gold = "contradiction" if label == "contradictory" else label
            language = ("en", "es")[number % 2]
            rows.append(f"{language}\t{gold}\tAnna visited Paris .\t{texts[label]}\t{number}")
        (folder / f"xnli.{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT that calls itself a bilingual model of enfake and en."""
    from tiny_models import save_bert

    own = {"languages": ["enfake", "en"], "lang_id": False, "nsp": True}
    return save_bert(tmp_path_factory.mktemp("models") / "tiny-bert", WORDS, own=own)


@pytest.fixture(scope="session")
def bert_with_language_ids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_models import BERT_SPECIALS, save_bert

    separators = {
        "enfake": BERT_SPECIALS.index("[unused0]"),
        "en": BERT_SPECIALS.index("[unused1]"),
    }
    own = {"languages": ["enfake", "en"], "lang_id": True, "language_separators": separators}
    return save_bert(tmp_path_factory.mktemp("models") / "with-ids", WORDS, own=own)


@pytest.fixture(scope="session")
def foreign_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT that bbert did not make."""
    from tiny_models import save_bert

    return save_bert(tmp_path_factory.mktemp("models") / "foreign-bert", WORDS)


@pytest.fixture(scope="session")
def xlm_roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_models import save_xlm_roberta

    return save_xlm_roberta(tmp_path_factory.mktemp("models") / "tiny-xlmr", WORDS)
