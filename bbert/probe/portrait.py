"""The portrait of a model's layers: four measurements, one figure, from finished runs.

    random layers   points lost on the target when a set of layers is drawn afresh before
                    fine-tuning (RANDOM-INIT, Muller et al. 2021); drawn at every layer of the
                    set, which has no gaps: a run of layers 1 and 3 is left out
    DLFA            points gained on the target by fusing a layer with the last (Chen et al. 2022)
    CKA             of source and target, at every layer
    translation     nearest-neighbour accuracy of sentences, at every layer

Nothing is computed here but differences of means, with Welch's t over the seeds as their interval.
Runs of another gate, pool or initialisation are no points of one curve. What no run has measured is
left empty, with the command that would measure it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.finetune.model_folder import ModelFolder, find_model
from bbert.json_files import write_json_atomically
from bbert.probe.finished import FinishedRun, probe_runs, score_of, transfer_runs
from bbert.probe.portrait_curves import (
    DLFA,
    DROP,
    baseline_of,
    comparable,
    describe_baseline,
    drops_of,
    gains_of,
    has_gaps,
)
from bbert.probe.results import write_rows
from bbert.probe.runs_config import PortraitConfig
from bbert.run_directory import Run
from bbert.stage_config import joined_name, knobs_that_differ

logger = logging.getLogger(__name__)

RESULTS_VERSION = 3
"""Of results.json: from 2 on intervals are Welch's t, and every curve is of one setting; from 3 on
random layers with gaps are left out."""

CKA, TRANSLATION = "cka", "translation"


@dataclass(frozen=True)
class PortraitPlan:
    """The runs of one model, task and pair of languages; `similar` by probe."""

    config: PortraitConfig
    name: str
    model: ModelFolder
    task: str | None
    source: str
    target: str
    runs: Sequence[FinishedRun]
    similar: dict[str, FinishedRun]

    @property
    def inputs(self) -> list[Path]:
        """Every file that the result depends on."""
        return [run.file for run in (*self.runs, *self.similar.values())]


def make_plan(typed: PortraitConfig) -> PortraitPlan:
    """Find the model's runs.

    Raises:
        InputError: no such model, or nothing has been measured of it.
    """
    model = find_model(typed.work, typed.model)
    runs = [run for run in _or_none(transfer_runs, typed.work, (), None)
            if run.results["model"] == model.name]  # fmt: skip
    tasks = Counter(run.results["task"] for run in runs)
    task = typed.task or (max(sorted(tasks), key=lambda t: tasks[t]) if tasks else None)
    runs = [run for run in runs if run.results["task"] == task]
    source, target = _languages(typed, model, runs)
    runs = [run for run in runs if run.results["train_language"] == source
            and target in run.results["languages"]]  # fmt: skip
    similar = {}
    for probe in ("cka", "retrieval"):
        for run in _or_none(probe_runs, typed.work, (), probe):
            if _measured(run, model.name, source, target):
                similar[probe] = run  # the last by name, where there are several
    if not runs and not similar:
        raise InputError(
            f"nothing has been measured of {model.name} on {source} and {target}: run `bbert "
            "finetune` and `bbert probe cka` first"
        )
    name = typed.name or joined_name(
        [model.name, "portrait", *knobs_that_differ(typed, frozenset({"model"}))]
    )
    options: dict[str, Any] = {"model": model.reference, "task": task, "language": target}
    config = replace(typed, **options, name=name)
    return PortraitPlan(config, name, model, task, source, target, runs, similar)


def measure(plan: PortraitPlan, run: Run) -> None:
    """Put the measurements of the runs together and write them.

    Raises:
        InputError: the runs of a curve are of several gates, pools or initialisations.
    """
    baseline = baseline_of(plan.runs)
    compared = [run for run in plan.runs if not baseline or comparable(run, baseline)]
    left_out = {
        run.name: "other settings than the baseline" for run in plan.runs if run not in compared
    } | {
        run.name: f"layers {run.results['random_init']} have gaps: a curve is of sets of "
        "consecutive layers"
        for run in compared
        if has_gaps(run)
    }
    plan = replace(plan, runs=[run for run in compared if run.name not in left_out])
    drops, drop_reason = drops_of(plan.runs, baseline, plan.target, plan.config)
    gains, gain_reason = gains_of(plan.runs, baseline, plan.target, plan.config)
    best = max((row for row in gains), key=lambda row: row["score"], default=None)
    rows = [*drops, *gains]
    reasons = {DROP: drop_reason, DLFA: gain_reason}
    for name, probe in ((CKA, "cka"), (TRANSLATION, "retrieval")):
        found = plan.similar.get(probe)
        reasons[name] = (
            None if found else f"no run: `bbert probe {probe} --model {plan.model.name}`"
        )
        if found:
            rows += _layers(found, plan, name)
    content = {
        "probe": "portrait",
        "version": RESULTS_VERSION,
        "variant": plan.similar["cka"].results["variant"] if "cka" in plan.similar else "",
        "model": plan.model.name,
        "depth": plan.model.depth,
        "languages": [plan.source, plan.target],
        "task": plan.task,
        "metric": plan.runs[0].results["metric"] if plan.runs else None,
        "n": score_of(plan.runs[0], plan.target)["n"] if plan.runs else None,
        "seed": plan.config.seed,
        "baseline": describe_baseline(baseline, plan.target),
        "best_dlfa_layer": best["first_layer"] if best else None,
        "rows": rows,
        "reasons": {name: reason for name, reason in reasons.items() if reason},
        "definition": "points of the score on the target lost by random layers and gained by DLFA "
        "against the same fine-tuning of the last layer (interval: Welch's t over seeds); CKA and "
        "translation as their probes define them",
        "left_out": left_out,
        "from_runs": [str(r.path) for r in (*plan.runs, *plan.similar.values())],
    }
    write_json_atomically(run.path / "results.json", content)
    write_rows(run.path / "portrait.csv", rows)
    run.extra = {"probe": "portrait", "model": str(plan.model.path)}
    run.counts = {"runs": len(plan.runs) + len(plan.similar)}


def _or_none(find: Any, *arguments: Any) -> list[FinishedRun]:
    try:
        return find(*arguments).runs
    except InputError:
        return []


def _languages(
    typed: PortraitConfig, model: ModelFolder, runs: Sequence[FinishedRun]
) -> tuple[str, str]:
    source = runs[0].results["train_language"] if runs else next(iter(model.languages), "")
    known = [n for run in runs for n in run.results["languages"]] or list(model.languages)
    others = [name for name in dict.fromkeys(known) if name != source]
    if typed.language is not None:
        if typed.language not in others:
            raise InputError(
                f"--language {typed.language}: nothing was tested on it (there: "
                f"{', '.join(others) or 'none'})"
            )
        return source, typed.language
    if not others:
        raise InputError(f"{model.name}: no language beside {source or 'the source'}; give more")
    return source, others[0]


def _measured(run: FinishedRun, model: str, source: str, target: str) -> bool:
    return any(True for _ in _entries(run, model, source, target))


def _entries(run: FinishedRun, model: str, source: str, target: str) -> list[dict[str, Any]]:
    return [
        entry
        for entry in run.results["measurements"]
        if entry["model"] == model
        and entry["transfer"] is None
        and not entry["random_init"]
        and entry["measure"] == run.results["measure"]
        and set(entry["languages"]) == {source, target}
    ]


def _layers(run: FinishedRun, plan: PortraitPlan, measure: str) -> list[dict[str, Any]]:
    entry = _entries(run, plan.model.name, plan.source, plan.target)[0]
    return [
        {
            "measure": measure, "first_layer": layer["layer"], "last_layer": layer["layer"],
            "value": layer["value"], "low": layer["low"], "high": layer["high"], "score": None,
            "floor": layer["floor"], "chance": entry["chance"], "n": entry["n"], "seeds": 1,
            "run": run.name,
        }
        for layer in entry["layers"]
    ]  # fmt: skip
