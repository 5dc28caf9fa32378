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
from bbert.finetune.layer_sets import ALL, parse_layers
from bbert.finetune.model_folder import ModelFolder, find_model
from bbert.probe.finished import FinishedRun, probe_runs, score_of, transfer_runs
from bbert.probe.results import write_rows
from bbert.probe.runs_config import PortraitConfig
from bbert.probe.welch import welch_interval
from bbert.run_directory import Run, write_json_atomically
from bbert.stage_config import given_options, joined_name, knobs_that_differ

logger = logging.getLogger(__name__)

RESULTS_VERSION = 3
"""Of results.json: from 2 on intervals are Welch's t, and every curve is of one setting; from 3 on
random layers with gaps are left out."""

_MAY_DIFFER = frozenset(
    {"fusion", "fusion_layer", "fusion_gate", "fusion_pool", "random_init", "init", "seed", "seeds",
     "eval_langs", "eval_set"}
)  # fmt: skip
_ONE_PER_CURVE = {"random layers": ("init",), "DLFA": ("fusion_gate", "fusion_pool")}
"""Curve → options that differ from curve to curve; `PortraitConfig` has them too."""

DROP, DLFA, CKA, TRANSLATION = "random_init_drop", "dlfa_gain", "cka", "translation"


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
    baseline = _baseline(plan.runs)
    compared = [run for run in plan.runs if not baseline or _comparable(run, baseline)]
    left_out = {
        run.name: "other settings than the baseline" for run in plan.runs if run not in compared
    } | {
        run.name: f"layers {run.results['random_init']} have gaps: a curve is of sets of "
        "consecutive layers"
        for run in compared
        if _has_gaps(run)
    }
    plan = replace(plan, runs=[run for run in compared if run.name not in left_out])
    drops, drop_reason = _drops(plan, baseline)
    gains, gain_reason = _gains(plan, baseline)
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
        "baseline": _of_baseline(baseline, plan.target),
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


def _baseline(runs: Sequence[FinishedRun]) -> FinishedRun | None:
    """The run on the last layer with most seeds, the first by name of several."""
    plain = [
        r for r in runs
        if r.results["fusion"] == "last" and not r.results["random_init"]
        and not r.results.get("freeze") and r.results.get("epochs") != 0
    ]  # fmt: skip
    return max(plain, key=lambda run: len(run.results["seeds"]), default=None)


def _comparable(run: FinishedRun, baseline: FinishedRun) -> bool:
    """Whether two runs differ in nothing but what a portrait shows."""
    here, there = (given_options(r.manifest.get("config") or {}) for r in (run, baseline))
    return all(
        here.get(key) == there.get(key) for key in (here.keys() | there.keys()) - _MAY_DIFFER
    )


def _has_gaps(run: FinishedRun) -> bool:
    """Whether its random layers are not consecutive, so that first and last do not say which."""
    if run.results["random_init"] in (None, ALL):
        return False
    layers = parse_layers(run.results["random_init"])
    return len(layers) <= layers[-1] - layers[0]


def _of_baseline(baseline: FinishedRun | None, target: str) -> dict[str, Any] | None:
    if baseline is None:
        return None
    score = score_of(baseline, target)
    return {"run": baseline.name, "mean": score["mean"], "std": score.get("std"),
            "chance": score["chance"], "seeds": len(baseline.results["seeds"])}  # fmt: skip


def _drops(
    plan: PortraitPlan, baseline: FinishedRun | None
) -> tuple[list[dict[str, Any]], str | None]:
    random = [
        run for run in plan.runs
        if run.results["fusion"] == "last" and run.results["random_init"] not in (None, ALL)
    ]  # fmt: skip
    if baseline is None or not random:
        option = "--random-init layers" if baseline else ""
        return [], f"no run: `bbert finetune --task {plan.task} --fusion last {option}`".rstrip()
    rows = []
    for run in _of_one_curve(random, "random layers", plan.config):
        layers = parse_layers(run.results["random_init"])
        rows.append(_difference(run, baseline, plan.target, DROP, -1, layers[0], layers[-1]))
    return _one_per_set(rows), None


def _gains(
    plan: PortraitPlan, baseline: FinishedRun | None
) -> tuple[list[dict[str, Any]], str | None]:
    fused = [
        run for run in plan.runs
        if run.results["fusion"] == "dlfa" and not run.results["random_init"]
    ]  # fmt: skip
    if baseline is None or not fused:
        return [], f"no run: `bbert finetune --task {plan.task} --fusion dlfa --fusion-layer 1-…`"
    rows = []
    for run in _of_one_curve(fused, "DLFA", plan.config):
        layer = int(run.results["fusion_layer"])
        rows.append(_difference(run, baseline, plan.target, DLFA, 1, layer, layer))
    return _one_per_set(rows), None


def _of_one_curve(
    runs: Sequence[FinishedRun], curve: str, config: PortraitConfig
) -> Sequence[FinishedRun]:
    """The runs with the options that `config` chooses; raises InputError where it chooses none."""
    for option in _ONE_PER_CURVE[curve]:
        chosen = getattr(config, option)
        found = {str((run.manifest.get("config") or {}).get(option)): run.name for run in runs}
        flag = f"--{option.replace('_', '-')}"
        there = ", ".join(f"{value} ({name})" for value, name in found.items())
        if chosen is None and len(found) > 1:
            raise InputError(f"the runs of {curve} are of several kinds: {there}; choose {flag}")
        if chosen is not None:
            if chosen not in found:
                raise InputError(f"{flag} {chosen}: no run of {curve} has it (there: {there})")
            runs = [r for r in runs if str((r.manifest.get("config") or {}).get(option)) == chosen]
    return runs


def _one_per_set(rows: Sequence[dict[str, Any] | None]) -> list[dict[str, Any]]:
    """The rows in the order of their layers; of several on the same, the one with most seeds.

    The layers of a row are all those from its first to its last, for there are no gaps, see
    `_has_gaps`.
    """
    best: dict[tuple[int, int], dict[str, Any]] = {}
    for row in filter(None, rows):
        layers = row["first_layer"], row["last_layer"]
        if layers not in best or row["seeds"] > best[layers]["seeds"]:
            best[layers] = row
    return [best[layers] for layers in sorted(best)]


def _difference(
    run: FinishedRun, baseline: FinishedRun, target: str, measure: str, sign: int, first: int,
    last: int,
) -> dict[str, Any] | None:  # fmt: skip
    """Difference of mean scores; its 95 % interval where both have several seeds."""
    here, there = score_of(run, target), score_of(baseline, target)
    if here["mean"] is None or there["mean"] is None:
        return None
    low = high = None
    if here.get("std") is not None and there.get("std") is not None:
        means = [(sign * score["mean"], score["std"], _num_known(score)) for score in (here, there)]
        low, high = welch_interval(means[0], means[1])
    return {
        "measure": measure, "first_layer": first, "last_layer": last,
        "value": sign * (here["mean"] - there["mean"]), "low": low, "high": high,
        "score": here["mean"], "floor": None, "chance": here["chance"], "n": here["n"],
        "seeds": len(run.results["seeds"]), "run": run.name,
    }  # fmt: skip


def _num_known(score: dict[str, Any]) -> int:
    return sum(value is not None for value in score["values"])


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
