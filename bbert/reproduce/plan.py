"""Recipes and a scale as a plan: which bbert commands run, and which run fills which cell.

Every run is named by its languages and a hash of its options and of what it is made from, so that
two tables that need the same run share it, and a changed option makes another run, which takes what
depends on it along.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.reproduce.cells import OF_CELLS, cells_of, learned_from, left_out
from bbert.reproduce.files_of_probe import files_of_probe
from bbert.reproduce.job_languages import source_languages, source_of, with_its_treebanks
from bbert.reproduce.recipe import PROBES_OF_A_MODEL, Row, TableRecipe
from bbert.reproduce.scale import Scale

_COMMANDS = {"corpus": "corpus build", "pretrain": "pretrain", "finetune": "finetune"}
"""Stage → its command; a probe's is in its options."""
_ARCHITECTURE = ("preset", "depth", "heads", "hidden", "intermediate")
_WORD_PIECES = ("tokenization", "segmentation")
_LONGEST_LABEL = 100


@dataclass(frozen=True)
class Job:
    """One bbert command: its stage, the name of its run, its options, and the jobs before it."""

    stage: str
    name: str
    options: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    probe: str = ""

    @property
    def command(self) -> str:
        return _COMMANDS.get(self.stage) or f"probe {self.probe}"

    @property
    def key(self) -> str:
        return f"{self.stage}/{self.name}"


@dataclass
class Plan:
    """All jobs by key, in an order in which they can run, and the tables that they fill."""

    scale: Scale
    jobs: dict[str, Job] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)

    def add(self, job: Job) -> Job:
        return self.jobs.setdefault(job.key, job)


def make_plan(recipes: Iterable[TableRecipe], scale: Scale, data: Path | None) -> Plan:
    """The runs that fill the cells of `recipes` at `scale`, and the cells.

    Args:
        data: folder with the files that the scale needs; None where it needs none.
    """
    plan = Plan(scale)
    for recipe in recipes:
        plan.tables.append(_planned_table(plan, recipe, data))
    return plan


def _planned_table(plan: Plan, recipe: TableRecipe, data: Path | None) -> dict[str, Any]:
    cells: list[dict[str, Any]] = []
    floors: dict[str, dict[str, Any]] = {}
    tuned: dict[int, list[Job]] = {seed: [] for seed in plan.scale.seeds}
    for row in recipe.rows:
        models = {seed: _model(plan, row, seed, data) for seed in plan.scale.seeds}
        for transfer in row.transfer:
            learned = learned_from(transfer)
            if isinstance(learned, (list, tuple)):
                singles = {language: {**transfer, "train_lang": language} for language in learned}
            else:
                singles = {learned: transfer}
            runs: dict[str, str] = {}
            for train, single in singles.items():
                for seed, model in models.items():
                    tuned[seed].append(_transfer(plan, recipe.paper, model, single, seed, data))
                    runs[tuned[seed][-1].name] = train
            source = row.train_as or learned
            sets = [transfer.get("train_set", source), *transfer.get("eval_set", ())]
            words = [transfer["task"], *sets, *transfer["eval_langs"], *_kind(plan, row, models)]
            kind = " ".join(words)
            cells += cells_of(row, transfer, runs, kind)
            if kind not in floors:
                of_floor = {
                    _floor(plan, recipe.paper, models, s, data).name: t for t, s in singles.items()
                }
                floors[kind] = {
                    "name": kind, "groups": transfer.get("groups", {}),
                    "runs": list(of_floor), "without": left_out(row, of_floor),
                }  # fmt: skip
    probes = probe_jobs(plan, recipe, tuned, data)
    return {
        "paper": recipe.paper, "table": recipe.number, "title": recipe.title,
        "scale": plan.scale.name, "scale_says": plan.scale.says, "cells": cells,
        "floors": list(floors.values()), "claims": [dict(claim) for claim in recipe.claims],
        "probes": [job.name for job in probes],
    }  # fmt: skip


def _kind(plan: Plan, row: Row, models: Mapping[int, Job]) -> Iterator[str]:
    """What tells random encoders apart: which of the scale's models (the word-pieces of English
    alone cut other scripts badly), or architecture and word-pieces."""
    if row.model is not None:
        yield row.model
        return
    model = next(iter(models.values()))
    corpus = plan.jobs[f"corpus/{model.options['corpus']}"]
    for options, names in ((model.options, _ARCHITECTURE), (corpus.options, _WORD_PIECES)):
        yield from (f"{name} {options[name]}" for name in names if name in options)


def _floor(
    plan: Plan,
    paper: str,
    models: Mapping[int, Job],
    transfer: Mapping[str, Any],
    data: Path | None,
) -> Job:
    """The same fine-tuning from a random encoder, all seeds; one model of a kind is as good as
    another."""
    first, model = next(iter(models.items()))
    options = {k: v for k, v in transfer.items() if k not in ("fusion", "fusion_layer")}
    of_scale = plan.scale.fine_tuning(paper, transfer["task"])
    seeds = max(len(models), {**of_scale, **options}.get("seeds", 1))
    options |= {"random_init": "all", "seeds": seeds}
    return _transfer(plan, paper, model, options, first, data)


def _model(plan: Plan, row: Row, seed: int, data: Path | None) -> Job:
    """The pretraining of a row under one seed; its corpus is the same under all seeds."""
    if row.model is not None:
        return _named_model(plan, row.model, seed, data)
    return _pretraining(plan, row.corpus, row.pretrain, seed, data)


def _named_model(plan: Plan, name: str, seed: int, data: Path | None) -> Job:
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
    pretrain_options = _other(pretrain_options, of_scale, PretrainConfig)
    options = {**of_scale, **pretrain_options}
    words = [_label(corpus), *_words(pretrain_options), f"seed{seed}"]
    options = {**options, "seed": seed, "corpus": corpus.name}
    return plan.add(_job("pretrain", words, options, (corpus,)))


def _corpus(plan: Plan, chosen: Mapping[str, Any], data: Path | None) -> Job:
    from bbert.corpus.config import CorpusConfig

    languages = list(chosen["languages"])
    chosen = {"languages": languages, **_other(chosen, plan.scale.corpus, CorpusConfig)}
    files: dict[str, list[str]] = {"text": [], "dump": []}
    for needed in plan.scale.data:
        kind = "text" if needed.as_text else "dump" if needed.as_dump else None
        if kind is not None and data is not None:
            files[kind] += [f"{source}={data / needed.pattern_in(data, source)}"
                            for source in dict.fromkeys(map(source_of, languages))]  # fmt: skip
    of_scale = dict(plan.scale.corpus)
    if chosen.get("tokenization", "wordpiece") != "wordpiece":
        of_scale.pop("vocab_size", None)  # which counts word-pieces: there are fewer characters
    options = {**of_scale, **chosen, **{k: v for k, v in files.items() if v}}
    words = ["-".join(languages), *_words({k: v for k, v in chosen.items() if k != "languages"})]
    return plan.add(_job("corpus", words, options, ()))


def _transfer(
    plan: Plan, paper: str, model: Job, chosen: Mapping[str, Any], seed: int, data: Path | None
) -> Job:
    task = chosen["task"]
    options = {**plan.scale.fine_tuning(paper, task), **chosen, "model": model.name}
    options = with_its_treebanks({k: v for k, v in options.items() if k not in OF_CELLS})
    options.setdefault("seeds", 1)
    if data is not None:
        options["data"] = str(data / options.get("data", ""))
    named = ("task", "train_lang", "train_set", "eval_langs", "eval_set", *OF_CELLS)
    left = {k: v for k, v in chosen.items() if k not in named}
    words = [task, learned_from(chosen), *_words(left), _label(model)]
    return plan.add(_job("finetune", words, {**options, "seed": seed}, (model,)))


def probe_jobs(
    plan: Plan, recipe: TableRecipe, tuned: Mapping[int, Sequence[Job]], data: Path | None
) -> list[Job]:
    """The probes of a table: of a model once a seed, of finished runs once.

    Args:
        tuned: seed → the table's fine-tunings.
    """
    jobs: list[Job] = []
    for wanted in recipe.probes:
        kind = wanted["probe"]
        told = ("probe", "model", "beside")
        options = {key: value for key, value in wanted.items() if key not in told}
        runs = [job for runs in tuned.values() for job in runs]
        spoken = wanted.get("languages") or source_languages([job.options for job in runs])
        options |= files_of_probe(plan.scale, kind, spoken, data)
        if "model" not in wanted:
            task = options.pop("task", None)
            before = [job for job in runs if task in (None, job.options["task"])]
            if not before:  # without names it would take every run of the folder
                continue
            options["runs"] = [job.name for job in before]
            task_words = [str(task)] if kind == "gap" else []
            if kind == "gap":
                of_models = [job for job in jobs if job.probe in PROBES_OF_A_MODEL]
                options["similarity"] = [job.name for job in of_models]
                before += of_models
            jobs.append(
                plan.add(_job("probe", [kind, recipe.key, *task_words], options, before, kind))
            )
            continue
        if kind in PROBES_OF_A_MODEL:
            options = {**plan.scale.probe, **options}
        for seed, of_seed in tuned.items():
            model = _named_model(plan, wanted["model"], seed, data)
            before = [model]
            given = {**options, "model": model.name, "seed": seed}
            if wanted.get("beside") == "transfer":
                first = next(iter(wanted.get("languages", ())), None)
                own = [job for job in of_seed if first in (None, job.options["train_lang"])]
                given["beside"] = [job.name for job in own]
                before += own
            elif kind == "portrait":
                before += [*of_seed, *jobs]
            jobs.append(
                plan.add(_job("probe", [kind, recipe.key, f"seed{seed}"], given, before, kind))
            )
    return jobs


def _other(chosen: Mapping[str, Any], of_scale: Mapping[str, Any], command: type) -> dict[str, Any]:
    """The options that change something: neither what the scale says nor what is so anyway.

    Rows that name the usual value ("without language ids") share the runs of those that do not.
    """
    usual = {field.name: field.default for field in fields(command)} | dict(of_scale)
    return {k: v for k, v in chosen.items() if k not in usual or usual[k] != v}


def _job(
    stage: str,
    words: Sequence[str],
    options: Mapping[str, Any],
    before: Sequence[Job],
    probe: str = "",
) -> Job:
    """A job whose name ends in a hash of its options; those name what it is made from."""
    canonical = json.dumps(options, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(f"{stage} {canonical}".encode()).hexdigest()[:8]
    name = f"{'-'.join(words)[:_LONGEST_LABEL]}-{digest}"
    needs = tuple(job.key for job in before if job.stage)
    return Job(stage, name, dict(options), needs, probe)


def _label(job: Job) -> str:
    """A run's name without its hash; of a model made elsewhere, the last part of its name."""
    return job.name.rsplit("-", 1)[0] if job.stage else job.name.rsplit("/", 1)[-1]


def _words(options: Mapping[str, Any]) -> Iterator[str]:
    """Options as words of a run's name."""
    for key, value in options.items():
        items = value if isinstance(value, (list, tuple)) else [value]
        if isinstance(value, bool):
            yield key.replace("_", "-") if value else f"no-{key.replace('_', '-')}"
        elif key == "preset":
            yield str(value)
        else:
            yield f"{key.replace('_', '-')}-{'+'.join(map(str, items))}".replace("/", "_")
