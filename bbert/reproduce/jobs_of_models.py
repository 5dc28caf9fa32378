"""The corpora and pretrainings of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.reproduce.job_languages import source_of
from bbert.reproduce.jobs import Job, Plan, label, named_job, options_that_change, words_of
from bbert.reproduce.recipe import Row
from bbert.reproduce.scale import Scale


def model_of_row(plan: Plan, row: Row, seed: int, data: Path | None) -> Job:
    """The pretraining of a row under one seed; its corpus is the same under all seeds."""
    if row.model is not None:
        return named_model(plan, row.model, seed, data)
    return _pretraining(plan, row.corpus, row.pretrain, seed, data)


def named_model(plan: Plan, name: str, seed: int, data: Path | None) -> Job:
    if name not in plan.scale.models:
        raise InputError(f"--scale {plan.scale.name} says nothing of the model {name}")
    given = plan.scale.models[name]
    if "pretrained" in given:  # made elsewhere: no command here
        return Job("", given["pretrained"], {})
    return _pretraining(plan, given["corpus"], given.get("pretrain", {}), seed, data)


def _pretraining(
    plan: Plan,
    corpus_options: Mapping[str, Any],
    pretrain_options: Mapping[str, Any],
    seed: int,
    data: Path | None,
) -> Job:
    from bbert.pretrain.config import PretrainConfig
    from bbert.pretrain.presets import preset_options

    corpus = _corpus(plan, corpus_options, data)
    preset = pretrain_options.get("preset", "")
    of_scale = dict(plan.scale.pretrain)
    if preset in plan.scale.presets:
        others = {k: v for k, v in pretrain_options.items() if k != "preset"}
        pretrain_options = {**others, **plan.scale.presets[preset]}
    else:  # as published: the command would take the scale's sizes for given, and they would win
        of_scale = {k: v for k, v in of_scale.items() if k not in preset_options(preset or None)}
    pretrain_options = options_that_change(pretrain_options, of_scale, PretrainConfig)
    options = {**of_scale, **pretrain_options}
    words = [label(corpus), *words_of(pretrain_options), f"seed{seed}"]
    options = {**options, "seed": seed, "corpus": corpus.name}
    return plan.add(named_job("pretrain", words, options, (corpus,)))


def _corpus(plan: Plan, chosen: Mapping[str, Any], data: Path | None) -> Job:
    from bbert.corpus.config import CorpusConfig

    languages = list(chosen["languages"])
    chosen = {
        "languages": languages,
        **options_that_change(chosen, plan.scale.corpus, CorpusConfig),
    }
    files = _text_files(plan.scale, languages, data) if data is not None else {}
    of_scale = dict(plan.scale.corpus)
    if chosen.get("tokenization", "wordpiece") != "wordpiece":
        of_scale.pop("vocab_size", None)  # which counts word-pieces: there are fewer characters
    options = {**of_scale, **chosen, **files}
    words = ["-".join(languages), *words_of({k: v for k, v in chosen.items() if k != "languages"})]
    return plan.add(named_job("corpus", words, options, ()))


def _text_files(scale: Scale, languages: Sequence[str], data: Path) -> dict[str, list[str]]:
    """What a corpus reads, as its options `text` and `dump`."""
    files: dict[str, list[str]] = {}
    for needed in scale.data:
        if needed.as_corpus:
            for source in dict.fromkeys(map(source_of, languages)):
                pattern = needed.pattern_in(data, source)
                kind = "dump" if ".xml" in pattern else "text"
                files.setdefault(kind, []).append(f"{source}={data / pattern}")
    return files
