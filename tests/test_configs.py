"""The configurations that a user copies: they parse, they are complete, their options are new."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from bbert.stage_config import StageConfig, identity, load_yaml

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
CLASSES = {
    "corpus": ("bbert.corpus.config", "CorpusConfig"),
    "pretrain": ("bbert.pretrain.config", "PretrainConfig"),
    "finetune": ("bbert.finetune.config", "FinetuneConfig"),
}
PROBES = {
    "cka": "CkaConfig", "retrieval": "RetrievalConfig", "translation": "TranslationConfig",
    "cosine": "CosineConfig", "overlap": "OverlapConfig", "typology": "TypologyConfig",
    "gap": "GapConfig", "portrait": "PortraitConfig", "code-switch": "CodeSwitchConfig",
}  # fmt: skip
SCALES = ("sample", "laptop", "small", "paper")
FURTHER = (
    "paper/pretrain-table10.yaml",
    "paper/pretrain-released.yaml",
    *(f"sample/probe-{probe}.yaml" for probe in PROBES),
)
"""Complete files beside those of every scale; the name begins with the stage."""


def config_class_of(path: Path) -> type[StageConfig]:
    """The configuration of a file, whose name begins with its stage; every probe has its own."""
    stage, _, probe = path.stem.partition("-")
    if stage != "probe":
        return config_class(stage)
    import bbert.probe.config
    import bbert.probe.runs_config

    modules = (bbert.probe.config, bbert.probe.runs_config)
    return next(getattr(m, PROBES[probe]) for m in modules if hasattr(m, PROBES[probe]))


def config_class(stage: str) -> type[StageConfig]:
    module, name = CLASSES[stage]
    return getattr(import_module(module), name)


FILES = [f"{scale}/{stage}.yaml" for scale in SCALES for stage in CLASSES]


@pytest.mark.parametrize("name", [*FILES, *FURTHER])
def test_the_file_parses_and_is_complete(name: str):
    path = CONFIGS / name
    found = config_class_of(path)
    load_yaml(found, path)
    shared = {field.name for field in fields(StageConfig)} - {"name", "seed"}
    expected = {field.name for field in fields(found)} - shared
    written = set(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert written == expected


def test_there_are_no_other_files():
    found = {str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob("*.yaml")}
    assert found == {*FILES, *FURTHER}


def test_the_sample_files_say_what_the_demo_does():
    from bbert.corpus.config import CorpusConfig
    from bbert.corpus.config import resolve as resolve_corpus
    from bbert.finetune.recipes import preset
    from bbert.pretrain.config import PretrainConfig
    from bbert.pretrain.resolve import Machine
    from bbert.pretrain.resolve import resolve as resolve_pretrain

    corpus = load_yaml(CorpusConfig, CONFIGS / "sample" / "corpus.yaml")
    assert identity(resolve_corpus(CorpusConfig())) == identity(corpus)

    pretrain = load_yaml(PretrainConfig, CONFIGS / "sample" / "pretrain.yaml")
    settings = ("sample", {"sample": "sample"}, Machine())
    resolved = identity(resolve_pretrain(PretrainConfig(nsp=False), *settings))
    assert resolved == identity(resolve_pretrain(pretrain, *settings))
    chosen = {**identity(pretrain), "precision": resolved["precision"]}
    assert resolved == chosen

    finetune = identity(load_yaml(config_class("finetune"), CONFIGS / "sample" / "finetune.yaml"))
    expected = preset(None, "ner", on_sample=True) | {"fusion": "dlfa"}
    assert {key: finetune[key] for key in expected} == expected
