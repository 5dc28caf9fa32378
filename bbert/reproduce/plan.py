"""Recipes and a scale as a plan: which bbert commands run, and which run fills which cell.

Every run is named by its languages and a hash of its options and of what it is made from, so that
two tables that need the same run share it, and a changed option makes another run, which takes what
depends on it along.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.reproduce.recipe import Row, TableRecipe
from bbert.reproduce.scale import Scale

COMMANDS = {"corpus": "corpus build", "pretrain": "pretrain", "finetune": "finetune"}
"""Stage → its command."""
_LONGEST_LABEL = 100


@dataclass(frozen=True)
class Job:
    """One bbert command: its stage, the name of its run, its options, and the jobs before it."""

    stage: str
    name: str
    options: Mapping[str, Any]
    needs: tuple[str, ...] = ()

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
    for row in recipe.rows:
        models = {seed: _model(plan, row, seed, data) for seed in plan.scale.seeds}
        for transfer in row.transfer:
            runs = [_transfer(plan, model, transfer, seed, data) for seed, model in models.items()]
            cells += _cells(row, transfer, runs)
            kind = " ".join([transfer["task"], transfer["train_lang"], *transfer["eval_langs"]])
            if kind not in floors:
                floors[kind] = {
                    "task": transfer["task"],
                    "train": transfer["train_lang"],
                    "groups": transfer.get("groups", {}),
                    "runs": [_floor(plan, models, transfer, data).name],
                }
    return {
        "paper": recipe.paper, "table": recipe.number, "title": recipe.title,
        "scale": plan.scale.name, "scale_says": plan.scale.says, "cells": cells,
        "floors": list(floors.values()), "claims": [dict(claim) for claim in recipe.claims],
    }  # fmt: skip


def _cells(row: Row, transfer: Mapping[str, Any], runs: Sequence[Job]) -> Iterator[dict[str, Any]]:
    source = transfer["train_lang"]
    tests = {test: [test] for test in transfer["eval_langs"]} | transfer.get("groups", {})
    for test, members in tests.items():
        yield {
            "row": row.label,
            "variables": {
                **row.variables, "task": transfer["task"], "role": _role(test, members, source)
            },
            "train": source,
            "test": test,
            "members": list(members),
            "published": {
                "task": transfer["task"],
                "train_language": source,
                "test_language": test.replace("-", "+"),
                **row.published,
            },
            "relative_to": dict(row.relative_to),
            "runs": [job.name for job in runs],
        }  # fmt: skip


def _floor(
    plan: Plan, models: Mapping[int, Job], transfer: Mapping[str, Any], data: Path | None
) -> Job:
    """The same fine-tuning from a random encoder: one model is as good as another, all seeds."""
    first, model = next(iter(models.items()))
    options = {k: v for k, v in transfer.items() if k not in ("fusion", "fusion_layer")}
    seeds = max(len(models), options.get("seeds", 1))
    return _transfer(plan, model, {**options, "random_init": "all", "seeds": seeds}, first, data)


def _role(test: str, members: Sequence[str], source: str) -> str:
    """What a test language is to the training language; claims speak of roles."""
    if members != [test]:
        return "average"
    first, _, second = test.partition("-")
    if second and second != first:
        return "mixed"
    return "source" if test == source else "target"


def _model(plan: Plan, row: Row, seed: int, data: Path | None) -> Job:
    """The pretraining of a row under one seed; its corpus is the same under all seeds."""
    corpus_options, pretrain_options = row.corpus, row.pretrain
    if row.model is not None:
        if row.model not in plan.scale.models:
            raise InputError(f"--scale {plan.scale.name} says nothing of the model {row.model}")
        given = plan.scale.models[row.model]
        corpus_options, pretrain_options = given["corpus"], given.get("pretrain", {})
    corpus = _corpus(plan, corpus_options, data)
    options = {**plan.scale.pretrain, **pretrain_options}
    if "preset" in options and options["preset"] in plan.scale.presets:
        options |= plan.scale.presets[options.pop("preset")]
    words = [_label(corpus), *_words(pretrain_options), f"seed{seed}"]
    options = {**options, "seed": seed, "corpus": corpus.name}
    return plan.add(_job("pretrain", words, options, (corpus,)))


def _corpus(plan: Plan, chosen: Mapping[str, Any], data: Path | None) -> Job:
    languages = list(chosen["languages"])
    files: dict[str, list[str]] = {"text": [], "dump": []}
    for needed in plan.scale.data:
        kind = "text" if needed.as_text else "dump" if needed.as_dump else None
        if kind is not None and data is not None:
            files[kind] += [f"{source}={data / needed.path.format(language=source)}"
                            for source in dict.fromkeys(map(_source_of, languages))]  # fmt: skip
    options = {**plan.scale.corpus, **chosen, **{k: v for k, v in files.items() if v}}
    words = ["-".join(languages), *_words({k: v for k, v in chosen.items() if k != "languages"})]
    return plan.add(_job("corpus", words, options, ()))


def _transfer(
    plan: Plan, model: Job, chosen: Mapping[str, Any], seed: int, data: Path | None
) -> Job:
    task = chosen["task"]
    options = {**plan.scale.transfer.get(task, {}), **chosen, "model": model.name}
    options.pop("groups", None)
    options.setdefault("seeds", 1)
    if data is not None:
        options["data"] = str(data)
    named = ("task", "train_lang", "eval_langs", "groups")
    left = {k: v for k, v in chosen.items() if k not in named}
    words = [task, chosen["train_lang"], *_words(left), _label(model)]
    return plan.add(_job("finetune", words, {**options, "seed": seed}, (model,)))


def _job(
    stage: str, words: Sequence[str], options: Mapping[str, Any], before: Sequence[Job]
) -> Job:
    """A job whose name ends in a hash of its options; those name what it is made from."""
    canonical = json.dumps(options, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(f"{stage} {canonical}".encode()).hexdigest()[:8]
    name = f"{'-'.join(words)[:_LONGEST_LABEL]}-{digest}"
    return Job(stage, name, dict(options), tuple(job.key for job in before))


def _label(job: Job) -> str:
    """A run's name without its hash."""
    return job.name.rsplit("-", 1)[0]


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


def _source_of(language: str) -> str:
    from bbert.languages import Language

    return Language.parse(language).source
