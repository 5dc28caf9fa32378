"""Cards say what the run says, and the Hugging Face library reads them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import DatasetCard, ModelCard

from bbert.cards.card import CARD, write_corpus_card, write_model_card, write_transfer_card
from bbert.corpus.config import CorpusConfig
from bbert.finetune.config import FinetuneConfig
from bbert.pretrain.config import PretrainConfig
from bbert.pretrain.leave_behind import write_model_cards
from bbert.run_directory import Run


def opened(stage: str, config, tmp_path: Path) -> Run:
    run = Run(stage, "a-name", config, [], tmp_path / "a-name")
    (run.path / "model").mkdir(parents=True)
    return run


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    measured = {"documents": 12, "sentences": 3456, "words": 78901, "word_pieces": 99999,
                "unk_rate": 0.00012}  # fmt: skip
    certificate = {
        "languages": {
            "enfake": {**measured, "interventions": [{"name": "fake", "variant": "corrected"},
                                                     {"name": "permute", "p": 0.5}]},
            "es": {**measured, "interventions": []},
        },
        "pairs": {"enfake-es": {"shared_characters": 0, "shared_vocabulary_entries": 7}},
        "promises": ["enfake-es have 0 shared characters (0 promised)"],
    }  # fmt: skip
    run = opened("corpus", CorpusConfig(), tmp_path)
    write_corpus_card(run, certificate)
    return run.path / CARD


def test_a_data_card_names_real_languages_and_counts(corpus: Path):
    card = DatasetCard.load(corpus)
    assert card.data.to_dict()["language"] == ["en", "es"]
    assert "| enfake | fake (corrected), permute | 12 | 3,456 | 78,901 | 99,999 |" in card.text
    assert "| es | none |" in card.text
    assert "| enfake-es | 0 | 7 |" in card.text
    assert "* enfake-es have 0 shared characters" in card.text


def test_a_model_card_has_sizes_losses_and_perplexities(tmp_path: Path):
    config = PretrainConfig(depth=2, heads=3, hidden=48, steps=10, batch_size=4, seq_len=32)
    run = opened("pretrain", config, tmp_path)
    run.extra = {"languages": ["enfake", "ru"], "corpus": "corpora/c", "parameters": 123456}
    run.counts = {"tokens": 1280, "passes": {"enfake": 0.5, "ru": 0.25}}
    run.metrics = {"first_loss": 9.0, "loss": 4.5, "validation_perplexity/ru": 99.5,
                   "unigram_perplexity/ru": 1234.5}  # fmt: skip
    write_model_card(run, run.path / "model", 10, run.metrics)
    card = ModelCard.load(run.path / "model" / CARD)
    assert card.data.to_dict()["language"] == ["en", "ru"]
    assert "| layers × hidden size, heads | 2 × 48, 3 |" in card.text
    assert "| parameters | 123,456 |" in card.text
    assert "| these weights | after step 10 |" in card.text
    assert "| loss, first and at this step | 9.000, 4.500 |" in card.text
    assert "pieces, ru | 99.50 (from the counts of word-pieces alone: 1,234.50) |" in card.text
    assert 'from_pretrained("a-name/model")' in card.text


def test_the_card_of_the_best_weights_is_of_their_step(tmp_path: Path):
    config = PretrainConfig(depth=2, heads=3, hidden=48, steps=10, batch_size=4, seq_len=32)
    run = opened("pretrain", config, tmp_path)
    (run.path / "model-best").mkdir()
    run.extra = {"languages": ["en", "ru"], "corpus": "corpora/c", "parameters": 123456}
    run.counts = {"tokens": 1280, "passes": {"en": 0.5, "ru": 0.25}}
    run.metrics = {"first_loss": 9.0, "loss": 4.5, "validation_perplexity/ru": 99.5, "best_step": 5}
    rows = [{"step": 5, "loss": 4.75, "validation_perplexity/ru": 88.25}, {"step": 10, "loss": 4.5}]
    metrics = run.path / "metrics.jsonl"
    metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan: Any = SimpleNamespace(config=config)
    write_model_cards(plan, run)
    best = (run.path / "model-best" / CARD).read_text()
    assert "after step 5, the lowest validation loss of the run |" in best
    assert "| loss, first and at this step | 9.000, 4.750 |" in best
    assert "pieces, ru | 88.25 |" in best
    assert 'from_pretrained("a-name/model-best")' in best
    last = (run.path / "model" / CARD).read_text()
    assert "| these weights | after step 10 |" in last
    assert "pieces, ru | 99.50 |" in last
    metrics.unlink()  # its rows waited for a disk that stayed full
    write_model_cards(plan, run)
    best = (run.path / "model-best" / CARD).read_text()
    assert "after step 5, the lowest" in best
    assert "loss, first" not in best


def test_a_transfer_card_has_every_score_with_its_spread_also_for_the_hub(tmp_path: Path):
    score = {"n": 500, "split": "test", "chance": 0.25}
    results = {
        "task": "ner", "metric": "entity_f1", "metric_definition": "F1 of entities",
        "chance_definition": "O everywhere", "model": "m", "train_language": "enfake",
        "head": "linear", "fusion": "dlfa", "random_init": None, "seeds": [0, 1],
        "train": {"n": 2000},
        "languages": {
            "enfake": {**score, "mean": 0.98, "std": 0.01},
            "es": {**score, "mean": 0.71, "std": None},
            "hi": {**score, "mean": None, "std": None},
        },
    }  # fmt: skip
    run = opened("finetune", FinetuneConfig(task="ner"), tmp_path)
    write_transfer_card(run, run.path / "model", results)
    card = ModelCard.load(run.path / "model" / CARD)
    found = {e.dataset_config: e.metric_value for e in card.data.eval_results}
    assert found == {"enfake": 0.98, "es": 0.71}
    assert "| enfake | 98.0% | 1.0% | 25.0% | 500 | test |" in card.text
    assert "| hi | – | – | 25.0% | 500 | test |" in card.text
    assert "layers drawn at" not in card.text
    assert "on `enfake` alone (2,000 examples): of no\nother language below" in card.text


@pytest.mark.parametrize(
    ("shared_text", "languages", "said"),
    [
        ("same", ["en", "enfake", "es"], "The text of en and enfake is of the same documents"),
        ("same", ["enfake", "es"], None),
        ("disjoint", ["en", "enfake"], None),
    ],
)
def test_a_model_card_says_where_two_languages_read_the_same_documents(
    tmp_path: Path, shared_text: str, languages: list[str], said: str | None
):
    corpus = tmp_path / "corpora" / "c"
    corpus.mkdir(parents=True)
    (corpus / "manifest.json").write_text(json.dumps({"config": {"shared_text": shared_text}}))
    run = opened("pretrain", PretrainConfig(depth=2, heads=3, hidden=48, steps=10), tmp_path)
    run.extra = {"languages": languages, "corpus": str(corpus), "parameters": 123456}
    run.counts = {"tokens": 1280, "passes": dict.fromkeys(languages, 0.5)}
    run.metrics = {"first_loss": 9.0, "loss": 4.5}
    write_model_card(run, run.path / "model", 10, run.metrics)
    text = (run.path / "model" / CARD).read_text()
    assert "no parallel" not in text, "nobody has looked for it"
    assert ("same documents" in text) == (said is not None)
    assert said is None or said in text
    assert "which sentence translates which." in text
