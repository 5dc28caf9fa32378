"""Curves of a portrait: points lost by random layers, gained by DLFA, over one baseline.

A curve is of one setting: runs of another gate, pool or initialisation are no points of it, and a
set of layers with gaps is no point at all. Intervals are Welch's t over the fine-tuning seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bbert.errors import InputError
from bbert.finetune.layer_sets import ALL, parse_layers
from bbert.probe.finished import FinishedRun, score_of
from bbert.probe.runs_config import PortraitConfig
from bbert.probe.welch import welch_interval
from bbert.stage_config import given_options

DROP, DLFA = "random_init_drop", "dlfa_gain"

_MAY_DIFFER = frozenset(
    {"fusion", "fusion_layer", "fusion_gate", "fusion_pool", "random_init", "init", "seed", "seeds",
     "eval_langs", "eval_set"}
)  # fmt: skip
_ONE_PER_CURVE = {"random layers": ("init",), "DLFA": ("fusion_gate", "fusion_pool")}
"""Curve → options that differ from curve to curve; `PortraitConfig` has them too."""


def baseline_of(runs: Sequence[FinishedRun]) -> FinishedRun | None:
    """The run on the last layer with most seeds, the first by name of several."""
    plain = [
        r for r in runs
        if r.results["fusion"] == "last" and not r.results["random_init"]
        and not r.results.get("freeze") and r.results.get("epochs") != 0
    ]  # fmt: skip
    return max(plain, key=lambda run: len(run.results["seeds"]), default=None)


def comparable(run: FinishedRun, baseline: FinishedRun) -> bool:
    """Whether two runs differ in nothing but what a portrait shows."""
    here, there = (given_options(r.manifest.get("config") or {}) for r in (run, baseline))
    return all(
        here.get(key) == there.get(key) for key in (here.keys() | there.keys()) - _MAY_DIFFER
    )


def has_gaps(run: FinishedRun) -> bool:
    """Whether its random layers are not consecutive, so that first and last do not say which."""
    if run.results["random_init"] in (None, ALL):
        return False
    layers = parse_layers(run.results["random_init"])
    return len(layers) <= layers[-1] - layers[0]


def describe_baseline(baseline: FinishedRun | None, target: str) -> dict[str, Any] | None:
    """What results.json says of the run that the differences are from."""
    if baseline is None:
        return None
    score = score_of(baseline, target)
    return {"run": baseline.name, "mean": score["mean"], "std": score.get("std"),
            "chance": score["chance"], "seeds": len(baseline.results["seeds"])}  # fmt: skip


def drops_of(
    runs: Sequence[FinishedRun],
    baseline: FinishedRun | None,
    target: str,
    config: PortraitConfig,
) -> tuple[list[dict[str, Any]], str | None]:
    """Rows of `portrait.csv` of random layers, and why there are none.

    Raises:
        InputError: the runs are of several initialisations and `config` chooses none.
    """
    random = [
        run for run in runs
        if run.results["fusion"] == "last" and run.results["random_init"] not in (None, ALL)
    ]  # fmt: skip
    if baseline is None or not random:
        option = "--random-init layers" if baseline else ""
        return [], f"no run: `bbert finetune --task {config.task} --fusion last {option}`".rstrip()
    rows = []
    for run in _of_one_curve(random, "random layers", config):
        layers = parse_layers(run.results["random_init"])
        rows.append(_difference(run, baseline, target, DROP, -1, layers[0], layers[-1]))
    return _one_per_set(rows), None


def gains_of(
    runs: Sequence[FinishedRun],
    baseline: FinishedRun | None,
    target: str,
    config: PortraitConfig,
) -> tuple[list[dict[str, Any]], str | None]:
    """Rows of `portrait.csv` of DLFA at every layer, and why there are none.

    Raises:
        InputError: the runs are of several gates or pools and `config` chooses none.
    """
    fused = [
        run for run in runs
        if run.results["fusion"] == "dlfa" and not run.results["random_init"]
    ]  # fmt: skip
    if baseline is None or not fused:
        return [], f"no run: `bbert finetune --task {config.task} --fusion dlfa --fusion-layer 1-…`"
    rows = []
    for run in _of_one_curve(fused, "DLFA", config):
        layer = int(run.results["fusion_layer"])
        rows.append(_difference(run, baseline, target, DLFA, 1, layer, layer))
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
    `has_gaps`.
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
