"""Hand-made run directories: a corpus, a model of it and its transfer runs, nothing trained."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest


def write_run(work: Path, stage: str, name: str, file: str, content: str, **manifest: Any) -> Path:
    """A complete run directory with the manifest keys of the stage contract."""
    folders = {"corpus": "corpora", "pretrain": "models", "finetune": "transfer",
               "probe": "probes"}  # fmt: skip
    path = work / folders[stage] / name
    path.mkdir(parents=True)
    (path / file).write_text(content, encoding="utf-8")
    full = {
        "stage": stage,
        "name": name,
        "config": {},
        "config_hash": f"{abs(hash(name)):064x}"[:64],
        "inputs": [{"path": f"/data/{name}.txt", "sha256": "ab" * 32}],
        "seed": 0,
        "versions": {"python": "3.11.7", "bbert": "0.1.0", "torch": "2.13.0"},
        "git_revision": "0123456789abcdef0123456789abcdef01234567",
        "host": {"name": "laptop", "platform": "Linux", "processors": 2},
        "started": "2025-01-01T10:00:00.000Z",
        "finished": "2025-01-01T10:01:00.000Z",
        "seconds": 60.0,
        "counts": {},
        "metrics": {},
        **manifest,
    }
    (path / "manifest.json").write_text(json.dumps(full), encoding="utf-8")
    return path


def write_corpus(work: Path, name: str = "sample-enfake-en") -> Path:
    steps = [
        {"step": "select", "read": 4100, "kept": 4000, "unit": "documents"},
        {"step": "tokens", "documents": 4000, "sentences": 60000},
    ]
    size = {
        "steps": steps,
        "documents": 4000,
        "sentences": 60000,
        "words": 411234,
        "word_pieces": 433001,
    }
    certificate = {
        "languages": {
            "enfake": {
                **size,
                "unk_rate": 0.0,
                "interventions": [{"name": "fake", "variant": "corrected"}],
            },
            "en": {**size, "unk_rate": 0.0004, "interventions": []},
        },
        "pairs": {
            "enfake-en": {
                "shared_characters": 0,
                "shared_vocabulary_entries": 0,
                "same_segmentation_rate": 1.0,
            }
        },
        "promises": ["enfake-en have 0 shared characters (0 promised)"],
    }
    counts = {"documents": 8000, "sentences": 120000}
    return write_run(
        work, "corpus", name, "certificate.json", json.dumps(certificate), counts=counts,
        languages=["enfake", "en"], sample=None,
    )  # fmt: skip


def write_model(work: Path, corpus: Path, name: str = "sample-enfake-en-depth3") -> Path:
    rows = []
    for step in range(10, 4001, 10):
        base = 1.2 + 5.5 * math.exp(-step / 700)
        row: dict[str, Any] = {
            "step": step,
            "loss": base + 0.1,
            "mlm_loss": base,
            "learning_rate": 1e-3,
            "grad_norm": 0.7,
            "tokens_per_second": 61000 + step % 70,
            "loss/enfake": base + 0.05 * math.sin(step / 30),
            "loss/en": base - 0.04 * math.cos(step / 50),
        }
        if step % 500 == 0:
            row["validation_perplexity/enfake"] = math.exp(base * 0.9)
            row["validation_perplexity/en"] = math.exp(base * 0.85)
        rows.append(row)
    config = {"depth": 3, "heads": 4, "hidden": 64, "nsp": False, "lang_id": True, "steps": 4000}
    return write_run(
        work, "pretrain", name, "metrics.jsonl", "".join(json.dumps(r) + "\n" for r in rows),
        config=config, languages=["enfake", "en"], corpus=str(corpus), parameters=163456,
        metrics={"unigram_perplexity/enfake": 71.5, "unigram_perplexity/en": 70.25},
    )  # fmt: skip


def write_transfer(
    work: Path, model: Path, name: str, values: dict[str, list[float]], **results: Any
) -> Path:
    """Scores per language; the first language is the training language."""
    source, *targets = values

    def mean(numbers: list[float]) -> float:
        return sum(numbers) / len(numbers)

    def deviation(numbers: list[float]) -> float | None:
        if len(numbers) < 2:
            return None
        return math.sqrt(sum((x - mean(numbers)) ** 2 for x in numbers) / (len(numbers) - 1))

    content = {
        "task": "ner",
        "model": model.name,
        "metric_definition": "strict entity F1",
        "metric": "f1",
        "train_language": source,
        "fusion": "last",
        "fusion_layer": None,
        "head": "linear",
        "random_init": None,
        "init": "bert" if results.get("random_init") else None,
        "seeds": list(range(len(values[source]))),
        "languages": {
            language: {"n": 500, "values": v, "mean": mean(v), "std": deviation(v), "chance": 0.031}
            for language, v in values.items()
        },
        "cross_lingual_gap": {t: mean(values[source]) - mean(values[t]) for t in targets},
        **results,
    }
    config = {"learning_rate": 1e-3, "epochs": 3, "fusion_gate": "paper", "fusion_pool": "masked"}
    return write_run(
        work, "finetune", name, "results.json", json.dumps(content), config=config,
        model=str(model / "model"), task=content["task"],
    )  # fmt: skip


def write_probe(work: Path, name: str, values: list[float]) -> Path:
    """CKA of a model at its layers, and of a random encoder, far below it."""
    entries = [
        {
            "model": model, "transfer": None, "random_init": None, "languages": ["enfake", "en"],
            "measure": "cka", "n": 500, "chance": None, "fused": None,
            "layers": [
                {"layer": i, "value": v * scale, "floor": -1e-4, "low": v * scale - 0.02,
                 "high": v * scale + 0.02, "floor_high": 0.01, "reason": None}
                for i, v in enumerate(values)
            ],
        }
        for model, scale in (("sample", 1.0), ("sample, random encoder", 0.2))
    ]  # fmt: skip
    content = {
        "probe": "cka", "variant": "debiased", "model": "sample", "languages": ["enfake", "en"],
        "measure": "cka", "n": 500, "seed": 0, "chance": None, "definition": "CKA of sentences",
        "layers": entries[0]["layers"], "measurements": entries,
    }  # fmt: skip
    return write_run(work, "probe", name, "results.json", json.dumps(content))


def write_many(work: Path, amount: int) -> list[Path]:
    """So many runs: for every 15 of them one corpus, four models, eight transfer and two probe
    runs."""
    paths: list[Path] = []
    for group in range(amount // 15):
        corpus = write_corpus(work, f"corpus-{group}")
        models = [write_model(work, corpus, f"model-{group}-{i}") for i in range(4)]
        scores = {"enfake": [0.9, 0.8], "en": [0.5, 0.6]}
        transfers = [
            write_transfer(work, models[i % 4], f"run-{group}-{i}", scores, task=task)
            for i, task in enumerate(("ner", "pos") * 4)
        ]
        probes = [write_probe(work, f"probe-{group}-{i}", [0.1 * i] * 13) for i in range(2)]
        paths += [corpus, *models, *transfers, *probes]
    return paths


class MadeRuns:
    """The writers above, for tests that need another run."""

    corpus = staticmethod(write_corpus)
    model = staticmethod(write_model)
    transfer = staticmethod(write_transfer)
    probe = staticmethod(write_probe)
    many = staticmethod(write_many)


@pytest.fixture
def made() -> type[MadeRuns]:
    return MadeRuns


@pytest.fixture
def laboratory(work: Path) -> Path:
    """A work folder with one corpus, one model, and last, dlfa and the random-encoder floor."""
    model = write_model(work, write_corpus(work))
    write_transfer(work, model, "ner-last", {"enfake": [0.97, 0.98, 0.96], "en": [0.81, 0.7, 0.9]})
    write_transfer(
        work, model, "ner-dlfa", {"enfake": [0.98, 0.98, 0.97], "en": [0.85, 0.8, 0.91]},
        fusion="dlfa", fusion_layer=2,
    )  # fmt: skip
    write_transfer(
        work, model, "ner-random", {"enfake": [0.71, 0.7, 0.72], "en": [0.05, 0.04, 0.06]},
        random_init="all",
    )  # fmt: skip
    return work
