"""Transfer and probe runs as the other probes and the report read them, written in a moment."""

from __future__ import annotations

import json
from pathlib import Path


def write_transfer(work: Path, name: str, **results: object) -> Path:
    """A transfer run as the probes read it: manifest and results, nothing else."""
    languages = results.pop("scores")
    assert isinstance(languages, dict)
    source = str(results.setdefault("train_language", "en"))
    content = {
        "task": "pos", "metric": "accuracy", "model": "tiny", "fusion": "last",
        "fusion_layer": None, "random_init": None, "seeds": [0, 1],
        "languages": {
            language: {
                "n": 100, "language": language, "values": [mean - 0.01, mean + 0.01], "mean": mean,
                "std": 0.01414, "chance": 0.2,
            }
            for language, mean in languages.items()
        },
        "cross_lingual_gap": {
            language: languages[source] - mean
            for language, mean in languages.items()
            if language != source
        },
        **results,
    }  # fmt: skip
    path = work / "transfer" / name
    path.mkdir(parents=True)
    (path / "results.json").write_text(json.dumps(content))
    (path / "manifest.json").write_text(json.dumps({"stage": "finetune", "finished": name}))
    return path


def write_probe(work: Path, name: str, probe: str = "cka", **measurements) -> Path:
    """A probe run: (model, transfer, source, target) → values of the layers."""
    entries = [
        {
            "model": model, "transfer": transfer, "random_init": None, "languages": [a, b],
            "measure": "cka", "n": 50, "chance": None, "fused": None,
            "layers": [
                {"layer": i, "value": v, "floor": 0.0, "low": v and v - 0.1, "high": v and v + 0.1,
                 "floor_high": 0.1, "reason": None}
                for i, v in enumerate(values)
            ],
        }
        for (model, transfer, a, b), values in measurements["values"].items()
    ]  # fmt: skip
    content = {
        "probe": probe, "variant": "debiased", "model": "tiny", "languages": ["en", "es"],
        "measure": "cka", "n": 50, "seed": 0, "chance": None, "definition": "",
        "layers": entries[0]["layers"], "measurements": entries,
    }  # fmt: skip
    path = work / "probes" / name
    path.mkdir(parents=True)
    (path / "results.json").write_text(json.dumps(content))
    (path / "manifest.json").write_text(json.dumps({"stage": "probe", "finished": "y"}))
    return path


def results(directory) -> dict:
    """What a probe wrote of such runs."""
    return json.loads((directory.path / "results.json").read_text())
