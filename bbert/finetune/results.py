"""`results.json`: every value of every seed and language, and what they mean.

All scores are shares of 1. The standard deviation is that of the sample (n − 1) over seeds, null
for one seed; where every seed failed, the mean is null too. The cross-lingual gap of a language is
the mean on the source minus the mean on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

from bbert.finetune.averages import averages, groups_of
from bbert.finetune.config import resolved
from bbert.finetune.examples import ExampleSet, RunData
from bbert.finetune.plan import Plan
from bbert.finetune.tasks.task import TOO_LONG

SeedScores = Mapping[str, Mapping[str, float]]
"""language → metric → score of one seed."""


def results(
    plan: Plan,
    data: RunData,
    scores: Mapping[int, SeedScores],
    notes: Mapping[str, Any],
    failures: Mapping[str, str],
) -> dict[str, Any]:
    """The content of results.json.

    Args:
        plan: the run.
        data: its examples.
        scores: by seed.
        notes: on the network's start, e.g. whether its pooler is fresh.
        failures: what gave no score, and why.
    """
    config, task = plan.config, plan.task
    languages = {
        name: _language(
            plan, examples, {seed: found[name] for seed, found in scores.items() if name in found}
        )
        for name, examples in data.evaluation.items()
    }
    source = languages.get(plan.learned_from)
    gap = {
        name: source["mean"] - entry["mean"]
        for name, entry in languages.items()
        if source is not None and entry is not source
        if source["mean"] is not None and entry["mean"] is not None
    }
    return {
        "task": task.name,
        "metric": task.metric,
        "metric_definition": task.metric_definition,
        "chance_definition": task.chance_definition,
        "model": plan.model.name,
        "train_language": plan.learned_from,
        "train_languages": plan.training_languages,
        "head": config.head,
        "fusion": config.fusion,
        "fusion_layer": config.fusion_layer,
        "fusion_gate": config.fusion_gate,
        "fusion_pool": config.fusion_pool,
        "random_init": config.random_init,
        "init": config.init,
        "freeze": config.freeze,
        "epochs": config.epochs,
        "recipe": config.recipe,
        "selection": config.selection,
        "seeds": list(scores),
        "labels": list(data.labels),
        "train": counts_of(data.train),
        "dev": counts_of(data.dev) if data.dev else None,
        "network": dict(notes),
        "languages": languages,
        "cross_lingual_gap": gap,
        "averages": averages(
            languages, plan.training_languages, groups_of(config.average, languages)
        ),
        "failures": dict(failures),
        "too_long": config.too_long,
        "truncation": TOO_LONG[resolved(config.too_long)],
        "predictions": {str(s): predictions_folder(s, first=config.seed) for s in scores},
    }


def predictions_folder(seed: int, first: int) -> str:
    """Where a seed's predictions are: the first seed's lie in `predictions/` itself."""
    return "predictions" if seed == first else f"predictions/seed-{seed}"


def _language(
    plan: Plan, examples: ExampleSet, scores: Mapping[int, Mapping[str, float]]
) -> dict[str, Any]:
    metric = plan.task.metric
    values = [score[metric] for score in scores.values()]
    metrics = next(iter(scores.values()), {})
    return {
        "n": len(examples.examples),
        "language": examples.language,
        "second_language": examples.second_language,
        "values": values,
        "seeds": list(scores),
        "mean": fmean(values) if values else None,
        "std": stdev(values) if len(values) > 1 else None,
        "chance": plan.task.chance(examples.gold),
        **({"floors": plan.task.floors(examples.gold)} if plan.task.floors else {}),
        **counts_of(examples),
        "metrics": {name: [score[name] for score in scores.values()] for name in metrics},
    }


def counts_of(examples: ExampleSet) -> dict[str, Any]:
    """How many examples and labels a set has, from which files, and what became of them."""
    return {
        "n": len(examples.examples),
        "split": examples.files.split,
        "files": [file.name for file in examples.files.files],
        "labels": sum(map(len, examples.gold)),
        **examples.encoded.counts,
        "reading": examples.notes,
    }
