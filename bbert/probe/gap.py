"""Does similarity go with transfer? Rank correlation of similarity and cross-lingual gap.

A point is a transfer run and a target language: its gap (score on the source less score on the
target) and the similarity of source and target in the encoder, which a probe run has measured. The
similarity is that of the pretrained model, or of the fine-tuned one (Muller et al. 2021, table 4
and figure 3). A close pair transfers well, so the correlation is expected to be negative; the paper
prints it without its sign.

Runs with layers drawn afresh take part only where they are named: their gap is that intervention's.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.probe.correlation import Correlation, spearman
from bbert.probe.finished import Finished, FinishedRun, probe_runs, transfer_runs
from bbert.probe.results import write_rows
from bbert.probe.runs_config import GapConfig
from bbert.run_directory import Run, write_json_atomically
from bbert.stage_config import joined_name, knobs_that_differ

logger = logging.getLogger(__name__)

PRETRAINED, FINE_TUNED = "pretrained", "fine-tuned"
MEAN = "mean"


@dataclass(frozen=True)
class Point:
    """A gap and the similarities, layer by layer (None where they are missing)."""

    run: str
    model: str
    source: str
    target: str
    gap: float
    similarity: dict[str, list[float | None]]


@dataclass(frozen=True)
class GapPlan:
    """The runs to correlate."""

    config: GapConfig
    name: str
    transfer: Finished
    similarity: Finished

    @property
    def inputs(self) -> list[Path]:
        """Every file that the result depends on."""
        return [run.file for run in (*self.transfer.runs, *self.similarity.runs)]


def make_plan(typed: GapConfig) -> GapPlan:
    """Find the runs.

    Raises:
        InputError: none that can be used; runs of several tasks.
    """
    transfer = transfer_runs(typed.work, typed.runs, typed.task)
    if not typed.runs:
        kept = [run for run in transfer.runs if not run.results["random_init"]]
        transfer = Finished(kept, transfer.problems)
    tasks = sorted({run.results["task"] for run in transfer.runs})
    if len(tasks) > 1:
        raise InputError(f"--runs are of several tasks ({', '.join(tasks)}): gaps do not compare")
    if not transfer.runs:
        raise InputError(f"every transfer run of {typed.task} has random layers; name --runs")
    similarity = probe_runs(typed.work, typed.similarity, typed.probe)
    name = typed.name or joined_name(["gap", *knobs_that_differ(typed)])
    return GapPlan(replace(typed, name=name), name, transfer, similarity)


def points_of(plan: GapPlan) -> list[Point]:
    """All points for which some similarity is known."""
    points = []
    for run in plan.transfer.runs:
        source = run.results["train_language"]
        for target, gap in run.results["cross_lingual_gap"].items():
            language = run.results["languages"][target].get("language", target)
            if language == source or not isinstance(gap, float):
                continue
            known = {
                kind: _similarities(plan.similarity.runs, run, (source, language), kind)
                for kind in (PRETRAINED, FINE_TUNED)
            }
            if any(known.values()):
                points.append(Point(run.name, run.results["model"], source, target, gap, known))
    return points


def measure(plan: GapPlan, run: Run) -> None:
    """Correlate, layer by layer and for the mean of the layers, and write the results."""
    points = points_of(plan)
    if not points:
        raise InputError(
            "no probe run has measured the languages and models of the transfer runs: "
            "give `bbert probe cka --model M --beside TRANSFER_RUN --parallel …` first"
        )
    correlations = []
    for kind in (PRETRAINED, FINE_TUNED):
        usable = [p for p in points if p.similarity[kind]]
        depth = max((len(p.similarity[kind]) for p in usable), default=0)
        for layer in [*range(depth), MEAN]:
            found = _correlation(usable, kind, layer, plan.config)
            correlations.append({"encoder": kind, "layer": layer, **asdict(found)})
    content = {
        "probe": "gap",
        "variant": plan.similarity.runs[0].results["variant"],
        "similarity": plan.similarity.runs[0].results["probe"],
        "task": plan.transfer.runs[0].results["task"],
        "metric": plan.transfer.runs[0].results["metric"],
        "model": ", ".join(dict.fromkeys(p.model for p in points)),
        "languages": list(dict.fromkeys(x for p in points for x in (p.source, p.target))),
        "n": len(points),
        "seed": plan.config.seed,
        "num_samples": plan.config.num_samples,
        "definition": "Spearman's rho of similarity and cross-lingual gap over points (transfer "
        "run, target language); negative where similar languages transfer better",
        "correlations": correlations,
        "points": [asdict(point) for point in points],
        "left_out": {**plan.transfer.problems, **plan.similarity.problems},
    }
    write_json_atomically(run.path / "results.json", content)
    write_rows(run.path / "correlations.csv", correlations)
    write_rows(run.path / "points.csv", _point_rows(points))
    run.extra = {"probe": "gap", "runs": [str(r.path) for r in plan.transfer.runs]}
    run.counts = {"points": len(points), "transfer_runs": len(plan.transfer.runs)}


def _correlation(
    points: Sequence[Point], kind: str, layer: int | str, config: GapConfig
) -> Correlation:
    pairs = []
    for point in points:
        values = point.similarity[kind]
        if layer == MEAN:
            known = [v for v in values if v is not None]
            value = sum(known) / len(known) if len(known) == len(values) else None
        else:
            value = values[int(layer)] if int(layer) < len(values) else None
        if value is not None:
            pairs.append((value, point.gap))
    if not pairs:
        return Correlation(0, reason=f"no probe run has measured the {kind} encoders")
    similarities, gaps = zip(*pairs, strict=True)
    return spearman(similarities, gaps, config.num_samples, config.seed)


def _similarities(
    probes: Sequence[FinishedRun], run: FinishedRun, pair: tuple[str, str], kind: str
) -> list[float | None]:
    """Similarity of two languages at every layer, in the encoder that a run started or ended with;
    [] where nobody has measured it."""
    for probe in probes:
        for entry in probe.results["measurements"]:
            if entry["random_init"] or set(entry["languages"]) != set(pair):
                continue
            if entry["measure"] != probe.results["measure"]:
                continue  # only the headline: another distance, one direction, the table
            wanted = run.name if kind == FINE_TUNED else None
            if entry["transfer"] != wanted:
                continue
            if kind == PRETRAINED and entry["model"] != run.results["model"]:
                continue
            return [layer["value"] for layer in entry["layers"]]
    return []


def _point_rows(points: Sequence[Point]) -> list[dict[str, Any]]:
    return [
        {"run": p.run, "model": p.model, "source": p.source, "target": p.target, "gap": p.gap,
         "encoder": kind, "layer": layer, "similarity": value}
        for p in points
        for kind, values in p.similarity.items()
        for layer, value in enumerate(values)
    ]  # fmt: skip
