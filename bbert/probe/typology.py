"""Does transfer follow word order? Zero-shot scores against shared WALS features, and averages.

A point is a transfer run and a test set in a target language. Points are averaged by how many of
the features the two languages share (pairs without a common value are left out, as in Pires et al.
2019, figure 2), and by classes of word order: SVO and SOV, AN and NA (their table 5). Averages and
the rank correlation are over pairs of languages, so that a pair with many runs (seeds) or test sets
counts once; the same language twice is no zero-shot.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from bbert.errors import InputError
from bbert.json_files import write_json_atomically
from bbert.languages import Language
from bbert.probe.correlation import spearman
from bbert.probe.finished import Finished, FinishedRun, transfer_runs
from bbert.probe.results import write_rows
from bbert.probe.runs_config import TypologyConfig
from bbert.probe.wals import ADJECTIVE_NOUN, SUBJECT_VERB_OBJECT, Wals, order_class, shared
from bbert.probe.wals_values import COLUMNS
from bbert.run_directory import Run
from bbert.stage_config import joined_name, knobs_that_differ

logger = logging.getLogger(__name__)

RESULTS_VERSION = 3
"""Of results.json: from 2 on pairs of languages are ranked, no longer runs; from 3 on several test
sets of one language are one pair, and `n` counts pairs."""

_OF_THE_SAMPLE = Path(__file__).parents[1] / "sample" / "word_order.csv"
_SHOWN_BY_THE_SAMPLE = ("81A", "85A", "87A")
_CLASSES = {SUBJECT_VERB_OBJECT: ("SVO", "SOV"), ADJECTIVE_NOUN: ("AN", "NA")}


@dataclass(frozen=True)
class TypologyPlan:
    """Runs and features."""

    config: TypologyConfig
    name: str
    runs: Finished
    wals: Wals

    @property
    def inputs(self) -> list[Path]:
        """Every file that the result depends on."""
        return [*self.wals.files, *(run.file for run in self.runs.runs)]


def _features(typed: TypologyConfig, runs: Finished) -> tuple[Wals, tuple[str, ...]]:
    """What --wals says; of the embedded sample's languages, what its own grammars do."""
    features = typed.features
    if typed.wals is not None:
        path = typed.wals.expanduser().resolve()
    elif all(run.manifest.get("sample") for run in runs.runs):
        path = _OF_THE_SAMPLE
        features = tuple(f for f in features if f in _SHOWN_BY_THE_SAMPLE) or features
    else:
        raise InputError(
            "--wals is needed: the cldf folder of WALS (github.com/cldf-datasets/wals), or a CSV "
            f"with the columns {', '.join(COLUMNS)}"
        )
    return Wals(path, features, dict(text.split("=") for text in typed.wals_code)), features


def make_plan(typed: TypologyConfig) -> TypologyPlan:
    """Find the runs and read the features.

    Raises:
        InputError: no file of features, no usable run, runs of several tasks.
    """
    runs = _of_one_language(transfer_runs(typed.work, typed.runs, typed.task), typed.runs)
    if not typed.runs:
        runs = Finished([r for r in runs.runs if not r.results["random_init"]], runs.problems)
    tasks = sorted({run.results["task"] for run in runs.runs})
    if len(tasks) != 1:
        raise InputError(f"--runs are of the tasks {tasks}: give runs of one task")
    wals, features = _features(typed, runs)
    name = typed.name or joined_name(["typology", *knobs_that_differ(typed, frozenset({"wals"}))])
    return TypologyPlan(
        replace(typed, name=name, wals=wals.path, features=features), name, runs, wals
    )


def _of_one_language(found: Finished, named: Sequence[str]) -> Finished:
    """Without the runs that were fine-tuned on a mixture, of which WALS knows nothing."""
    runs, problems = [], dict(found.problems)
    for run in found.runs:
        learned = run.results["train_language"]
        try:
            Language.parse(learned)
        except InputError:
            problems[run.name] = f"fine-tuned on {learned}, which is no single language"
        else:
            runs.append(run)
    if len(runs) < len(found.runs) and (named or not runs):
        name, why = next(item for item in problems.items() if item[0] not in found.problems)
        raise InputError(f"{name}: {why}; give --runs without it")
    return Finished(runs, problems)


def measure(plan: TypologyPlan, run: Run) -> None:
    """Compare features and scores of every pair, and write the results."""
    rows = [row for finished in plan.runs.runs for row in _rows(finished, plan.wals)]
    if not rows:
        raise InputError("the transfer runs have no target language beside the source")
    usable = [row for row in rows if row["shared"]]
    pairs = _pairs(usable)
    correlation = spearman(
        [pair["shared"] for pair in pairs], [pair["score"] for pair in pairs],
        plan.config.num_samples, plan.config.seed,
    )  # fmt: skip
    by_number = [
        {"shared": number, **_average(usable, lambda row, n=number: row["shared"] == n)}
        for number in range(1, len(plan.config.features) + 1)
    ]
    grids = [
        {
            "feature": feature, "train": train, "eval": tested,
            **_average(rows, lambda row, f=feature, a=train, b=tested:
                       (row[f"train_{f}"], row[f"eval_{f}"]) == (a, b)),
        }
        for feature, classes in _CLASSES.items()
        if feature in plan.config.features
        for train in classes
        for tested in classes
    ]  # fmt: skip
    content = {
        "probe": "typology",
        "version": RESULTS_VERSION,
        "variant": " ".join(plan.config.features),
        "task": plan.runs.runs[0].results["task"],
        "metric": plan.runs.runs[0].results["metric"],
        "model": ", ".join(dict.fromkeys(row["model"] for row in rows)),
        "languages": list(dict.fromkeys(x for row in rows for x in _languages_of(row))),
        "n": len({_languages_of(row) for row in rows}),
        "seed": plan.config.seed,
        "definition": "number of WALS features with the same value; averages and rank correlation "
        "over pairs of languages of the mean score over seeds and test sets, zero-shot only",
        "correlation": asdict(correlation),
        "correlated_pairs": pairs,
        "by_shared_features": by_number,
        "by_order": grids,
        "rows": rows,
        "left_out": plan.runs.problems,
    }
    write_json_atomically(run.path / "results.json", content)
    write_rows(run.path / "pairs.csv", rows)
    write_rows(run.path / "by_shared_features.csv", by_number)
    write_rows(run.path / "by_order.csv", grids)
    run.extra = {"probe": "typology", "runs": [str(r.path) for r in plan.runs.runs]}
    run.counts = {"points": len(rows), "with_features": len(usable)}


def _rows(finished: FinishedRun, wals: Wals) -> list[dict[str, Any]]:
    source = Language.parse(finished.results["train_language"])
    here = wals.of(source)
    rows = []
    for name, score in finished.results["languages"].items():
        if score.get("second_language") or score["mean"] is None:
            continue
        target = Language.parse(score.get("language", name))
        if target.name == source.name:
            continue
        there = wals.of(target)
        same, compared = shared(here, there)
        reason = here.reason or there.reason
        if reason is None and not compared:
            reason = f"{source.name}-{name}: WALS has no feature of both"
        if reason is None and not same:
            reason = f"{source.name}-{name}: no feature in common, left out of the averages"
        rows.append(
            {
                "run": finished.name, "model": finished.results["model"], "train": source.name,
                "eval": name, "eval_language": target.name,
                "shared": same if compared else None, "compared": compared,
                "score": score["mean"], "std": score.get("std"), "chance": score["chance"],
                "n": score["n"], "seeds": len(finished.results["seeds"]),
                **{f"train_{f}": order_class(here, f) for f in _CLASSES},
                **{f"eval_{f}": order_class(there, f) for f in _CLASSES},
                "reason": reason,
            }
        )  # fmt: skip
    return rows


def _pairs(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pairs of languages with their shared features and their mean score over runs, of each run
    over its test sets."""
    found: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        found.setdefault(_languages_of(row), {}).setdefault(row["run"], []).append(row)
    return [
        {"train": train, "eval": tested, "shared": next(iter(of_runs.values()))[0]["shared"],
         "runs": len(of_runs),
         "score": fmean(fmean(row["score"] for row in sets) for sets in of_runs.values())}
        for (train, tested), of_runs in found.items()
    ]  # fmt: skip


def _languages_of(row: dict[str, Any]) -> tuple[str, str]:
    return row["train"], row["eval_language"]


def _average(
    rows: Sequence[dict[str, Any]], belongs: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Mean over pairs of languages of their mean score."""
    means = [pair["score"] for pair in _pairs([row for row in rows if belongs(row)])]
    return {
        "pairs": len(means),
        "mean": fmean(means) if means else None,
        "std": stdev(means) if len(means) > 1 else None,
        "reason": None if means else "no pair of languages of this kind",
    }
