"""Recipes and a scale as a plan: which bbert commands run, and which run fills which cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bbert.reproduce.cells import OF_CELLS, cells_of, learned_from, left_out
from bbert.reproduce.job_languages import with_its_treebanks
from bbert.reproduce.jobs import Job, Plan, label, named_job, words_of
from bbert.reproduce.jobs_of_models import model_of_row
from bbert.reproduce.jobs_of_probes import probe_jobs
from bbert.reproduce.recipe import Row, TableRecipe
from bbert.reproduce.scale import Scale

_ARCHITECTURE = ("preset", "depth", "heads", "hidden", "intermediate")
_WORD_PIECES = ("tokenization", "segmentation")


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
        models = {seed: model_of_row(plan, row, seed, data) for seed in plan.scale.seeds}
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
    words = [task, learned_from(chosen), *words_of(left), label(model)]
    return plan.add(named_job("finetune", words, {**options, "seed": seed}, (model,)))
