"""Does similarity go with transfer? Rank correlation of similarity and cross-lingual gap.

A point is a transfer run and a test set in a target language: its gap (score on the source less
score on the target) and the similarity of source and target in the encoder, which a probe run has
measured. The similarity is that of the pretrained model, or of the fine-tuned one (Muller et al.
2021, table 4 and figure 3). A close pair transfers well, so the correlation is expected to be
negative; the paper prints it without its sign.

What is ranked are pairs of languages: runs that differ in nothing but their seeds repeat one pair,
and count as their mean, and so do several test sets of one language (`--eval-set`). Drawn as points
of their own they would make the p and the interval of a few languages those of many. The same pair
under another setting (another model, another fusion) is a pair of its own. Test sets of two
languages (`--eval-langs en-es`) are no points: their gap is that of neither.

Runs with layers drawn afresh take part only where they are named: their gap is that intervention's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from bbert.errors import InputError
from bbert.json_files import write_json_atomically
from bbert.probe.correlation import Correlation, spearman
from bbert.probe.finished import Finished, FinishedRun, probe_runs, setting_of, transfer_runs
from bbert.probe.results import write_rows
from bbert.probe.runs_config import GapConfig
from bbert.run_directory import Run
from bbert.stage_config import joined_name, knobs_that_differ

logger = logging.getLogger(__name__)

RESULTS_VERSION = 3
"""Of results.json: from 2 on seeds are averaged before ranking, from 3 on test sets of one language
too."""

_KIND = ("probe", "variant", "pool", "measure", "minibatch")
"""What similarities that are ranked together have in common."""

PRETRAINED, FINE_TUNED = "pretrained", "fine-tuned"
MEAN = "mean"


@dataclass(frozen=True)
class Point:
    """A gap and the similarities, layer by layer (None where they are missing).

    `target` is the row of the run's results, `language` that of its sentences; `setting` is the
    same for runs that differ in nothing but their seeds.
    """

    run: str
    model: str
    setting: str
    source: str
    target: str
    language: str
    gap: float
    similarity: dict[str, list[float | None]]


@dataclass(frozen=True)
class LanguagePair:
    """The mean of the points of one pair of languages in one setting, as one encoder has it; a run
    with several test sets of the language counts as one with their mean."""

    encoder: str
    source: str
    target: str
    setting: str
    runs: int
    gap: float
    similarity: list[float | None]


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
        InputError: none that can be used; runs of several tasks; similarities of several kinds.
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
    similarity = _of_one_kind(similarity, transfer.runs)
    name = typed.name or joined_name(["gap", *knobs_that_differ(typed)])
    return GapPlan(replace(typed, name=name), name, transfer, similarity)


def _of_one_kind(found: Finished, transfer: Sequence[FinishedRun]) -> Finished:
    """The probe runs that measured what the transfer runs started or ended with.

    Raises:
        InputError: they are of several variants or poolings, which do not compare.
    """
    kept = [probe for probe in found.runs
            if any(_measured([probe], run, target) for run in transfer for target in _gaps(run))
            ]  # fmt: skip
    kinds: dict[tuple[str, ...], str] = {}
    for probe in kept:
        kind = tuple(f"{key} {probe.results.get(key)}" for key in _KIND if probe.results.get(key))
        kinds.setdefault(kind, probe.name)
    if len(kinds) > 1:
        lines = [f"{name}: {', '.join(kind)}" for kind, name in kinds.items()]
        raise InputError("\n".join([
            "the similarities are of several kinds, which do not compare:", *lines,
            "name runs of one kind with --similarity",
        ]))  # fmt: skip
    return Finished(kept or found.runs[:1], found.problems)


def points_of(plan: GapPlan) -> list[Point]:
    """All points for which some similarity is known."""
    points = []
    for run in plan.transfer.runs:
        source, setting = run.results["train_language"], setting_of(run, plan.config.work)
        for target, gap in _gaps(run).items():
            known = _measured(plan.similarity.runs, run, target)
            if known:
                model, language = run.results["model"], _language(run, target)
                points.append(Point(run.name, model, setting, source, target, language, gap, known))
    return points


def pairs_of(points: Sequence[Point], kind: str) -> list[LanguagePair]:
    """The pairs of languages of the points whose similarity is known in this encoder."""
    repeats: dict[tuple[Any, ...], dict[str, list[Point]]] = {}
    for point in points:
        if layers := point.similarity[kind]:
            key = (point.source, point.language, point.setting, len(layers))
            repeats.setdefault(key, {}).setdefault(point.run, []).append(point)
    return [
        LanguagePair(
            kind, source, language, setting, len(runs),
            fmean(fmean(point.gap for point in sets) for sets in runs.values()),
            [_mean(layer) for layer in
             zip(*(sets[0].similarity[kind] for sets in runs.values()), strict=True)],
        )
        for (source, language, setting, _), runs in repeats.items()
    ]  # fmt: skip


def measure(plan: GapPlan, run: Run) -> None:
    """Correlate, layer by layer and for the mean of the layers, and write the results."""
    points = points_of(plan)
    if not points:
        raise InputError(
            "no probe run has measured the languages and models of the transfer runs: "
            "give `bbert probe cka --model M --beside TRANSFER_RUN --parallel …` first"
        )
    correlations = []
    pairs = {kind: pairs_of(points, kind) for kind in (PRETRAINED, FINE_TUNED)}
    for kind, usable in pairs.items():
        depth = max((len(pair.similarity) for pair in usable), default=0)
        for layer in [*range(depth), MEAN]:
            found = _correlation(usable, kind, layer, plan.config)
            correlations.append({"encoder": kind, "layer": layer, **asdict(found)})
    content = {
        "probe": "gap",
        "version": RESULTS_VERSION,
        "variant": plan.similarity.runs[0].results["variant"],
        "pool": plan.similarity.runs[0].results.get("pool"),
        "similarity": plan.similarity.runs[0].results["probe"],
        "task": plan.transfer.runs[0].results["task"],
        "metric": plan.transfer.runs[0].results["metric"],
        "model": ", ".join(dict.fromkeys(p.model for p in points)),
        "languages": list(dict.fromkeys(x for p in points for x in (p.source, p.language))),
        "n": len({(p.source, p.language, p.setting) for p in points}),
        "seed": plan.config.seed,
        "num_samples": plan.config.num_samples,
        "definition": "Spearman's rho of similarity and cross-lingual gap over pairs of languages, "
        "each the mean over its seeds and test sets; negative where similar languages transfer "
        "better",
        "correlations": correlations,
        "pairs": [asdict(pair) for usable in pairs.values() for pair in usable],
        "points": [asdict(point) for point in points],
        "left_out": {**plan.transfer.problems, **plan.similarity.problems},
    }
    write_json_atomically(run.path / "results.json", content)
    write_rows(run.path / "correlations.csv", correlations)
    write_rows(run.path / "points.csv", _point_rows(points))
    write_rows(run.path / "pairs.csv", _pair_rows(pairs))
    run.extra = {"probe": "gap", "runs": [str(r.path) for r in plan.transfer.runs]}
    run.counts = {"points": len(points), "transfer_runs": len(plan.transfer.runs)}


def _correlation(
    pairs: Sequence[LanguagePair], kind: str, layer: int | str, config: GapConfig
) -> Correlation:
    ranked = []
    for pair in pairs:
        values = pair.similarity
        if layer == MEAN:
            value = _mean(values)
        else:
            value = values[int(layer)] if int(layer) < len(values) else None
        if value is not None:
            ranked.append((value, pair.gap))
    if not ranked:
        return Correlation(0, reason=f"no probe run has measured the {kind} encoders")
    similarities, gaps = zip(*ranked, strict=True)
    return spearman(similarities, gaps, config.num_samples, config.seed)


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of values that are all there; else None."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _gaps(run: FinishedRun) -> dict[str, float]:
    """Test sets of one other language than the source → gap."""
    return {
        target: gap
        for target, gap in run.results["cross_lingual_gap"].items()
        if isinstance(gap, float)
        and not run.results["languages"][target].get("second_language")
        and _language(run, target) != run.results["train_language"]
    }


def _language(run: FinishedRun, target: str) -> str:
    return run.results["languages"][target].get("language", target)


def _measured(
    probes: Sequence[FinishedRun], run: FinishedRun, target: str
) -> dict[str, list[float | None]]:
    """Encoder → similarity of source and target at every layer; {} where there is none of both."""
    pair = run.results["train_language"], _language(run, target)
    known = {kind: _similarities(probes, run, pair, kind) for kind in (PRETRAINED, FINE_TUNED)}
    return known if any(known.values()) else {}


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
        {"run": p.run, "model": p.model, "setting": p.setting, "source": p.source,
         "target": p.target, "language": p.language, "gap": p.gap, "encoder": kind,
         "layer": layer, "similarity": value}
        for p in points
        for kind, values in p.similarity.items()
        for layer, value in enumerate(values)
    ]  # fmt: skip


def _pair_rows(pairs: Mapping[str, Sequence[LanguagePair]]) -> list[dict[str, Any]]:
    return [
        {**asdict(pair), "layer": layer, "similarity": value}
        for usable in pairs.values()
        for pair in usable
        for layer, value in enumerate(pair.similarity)
    ]
