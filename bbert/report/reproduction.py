"""A reproduced table: which runs fill which cells, read from the plan of `bbert reproduce`.

A plan names runs; a cell's measurement is what those runs' results hold, one value a seed. A run
that is missing or failed leaves its cell with the values there are, and with a reason.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from bbert.errors import InputError
from bbert.json_files import read_json
from bbert.report.over_seeds import OverSeeds
from bbert.report.published.cells import PublishedCell, published
from bbert.report.records import RunRecord, is_number
from bbert.report.reproduced_probes import ProbedCell, probed_cells

SCORES = {"accuracy", "f1", "las"}
WAS_NOT_RUN = "was not run"
"""End of the reason of a run that is missing."""
_FIGURE = "figure-"
_Found = TypeVar("_Found")
_REQUIRED_OF_CELLS = ("floor", "score")
_REQUIRED = ("paper", "table", "title", "scale", "scale_says", "cells", "floors", "claims")


@dataclass(frozen=True)
class MeasuredCell(OverSeeds):
    """One cell of a reproduced table, scores in percent.

    `values` is by seed of the whole chain (pretraining and fine-tuning), `source_values` the score
    on the training language of the same runs; `printed` the published cells that it stands beside
    (one, or none where the paper has no such cell); `missing` says why a run gave no value; `floor`
    names the random encoders that stand beside it (none beside a difference); `score` is which of
    the run's `metrics` the values are, empty for the task's own; `one_model` says that all its
    seeds fine-tuned one and the same encoder.
    """

    row: str
    variables: Mapping[str, Any]
    train: str
    test: str
    task: str
    printed: PublishedCell | None
    values: Mapping[int, float]
    source_values: Mapping[int, float]
    num_examples: int | None
    chance: float | None
    missing: Mapping[str, str]
    anchor: str
    floor: str
    score: str = ""
    one_model: bool = False

    @property
    def measure(self) -> str:
        """The task, with the score where it is not the task's own."""
        return f"{self.task} ({self.score})" if self.score else self.task


@dataclass(frozen=True)
class Reproduction:
    """A table's plan with the measurements that exist.

    `floors`: name of a floor, test set and score → seed → the score of random encoders.
    `probed` are the printed cells that are no scores.
    """

    paper: str
    table: str
    title: str
    scale: str
    scale_says: str
    cells: Sequence[MeasuredCell]
    floors: Mapping[tuple[str, str, str], Mapping[int, float]]
    claims: Sequence[Mapping[str, Any]]
    probed: Sequence[ProbedCell] = ()

    def floor(self, cell: MeasuredCell) -> Mapping[int, float]:
        """Seed → the score of random encoders of the cell's kind; empty where none ran."""
        return self.floors.get((cell.floor, cell.test, cell.score), {})

    @property
    def key(self) -> str:
        return f"{self.paper}-{self.table}"

    @property
    def name(self) -> str:
        """As one speaks of it: "k2020 table 3", "muller2021 figure 2"."""
        kind = "" if self.table.startswith(_FIGURE) else "table "
        return f"{self.paper} {kind}{self.table.replace('-', ' ')}"


def read_reproductions(file: Path, records: Sequence[RunRecord]) -> list[Reproduction]:
    """The tables of a plan file, filled from the transfer runs among `records`.

    Raises:
        InputError: no plan file, or one of another version.
    """
    content = read_json(file)
    if not isinstance(content.get("tables"), list):
        raise InputError(f"{file}: no plan of `bbert reproduce`; run that command again")
    failed = set(content.get("failed", ()))  # a run of before may stand in their place
    runs, probes = (
        {r.name: r for r in records if r.stage == stage and f"{stage}/{r.name}" not in failed}
        for stage in ("finetune", "probe")
    )
    reproductions = []
    for table in content["tables"]:
        missing = [key for key in _REQUIRED if key not in table]
        missing += [
            key for cell in table.get("cells", ()) for key in _REQUIRED_OF_CELLS if key not in cell
        ]
        if missing:
            raise InputError(f"{file}: no {missing[0]!r}; made by another version, "
                             "run `bbert reproduce` again")  # fmt: skip
        filled = _filled(table, runs, file.parent)
        own = [probes[name] for name in table.get("probes", ()) if name in probes]
        probed = tuple(probed_cells(table, _printed(table), own))
        reproductions.append(replace(filled, probed=probed))
    return reproductions


def run_names(file: Path) -> list[str]:
    """The names of all transfer and probe runs that a plan's cells, floors and figures need."""
    names: dict[str, None] = {}
    for table in read_json(file).get("tables", ()):
        names.update(dict.fromkeys(table.get("probes", ())))
        for cell in (*table["cells"], *table["floors"]):
            names.update(dict.fromkeys(cell["runs"]))
    return list(names)


def _filled(table: Mapping[str, Any], runs: Mapping[str, RunRecord], folder: Path) -> Reproduction:
    printed = _printed(table)
    cells = [_cell(cell, printed, runs, folder) for cell in table["cells"]]
    bases = {_place(cell, {}): cell for cell in cells}
    wanted = [cell["relative_to"] for cell in table["cells"]]
    cells = [_minus(cell, bases[_place(cell, relative_to)]) if relative_to else cell
             for cell, relative_to in zip(cells, wanted, strict=True)]  # fmt: skip
    # seed → language learned from → score
    floors: dict[tuple[str, str, str], dict[int, dict[str, float]]] = {}
    wanted_scores = {(cell.floor, cell.score) for cell in cells}
    for floor in table["floors"]:
        asked_for = [score for name, score in wanted_scores if name == floor["name"]]
        for name in floor["runs"]:
            record = runs.get(name)
            if record is None or record.problem is not None:
                continue
            languages = record.content["languages"]
            tests = {test: [test] for test in languages} | floor["groups"]
            for test, members in tests.items():
                counted = [m for m in members if m != floor["without"].get(name)]
                scores = [languages[member] for member in counted if member in languages]
                for score in asked_for if scores else ():
                    of_seeds = floors.setdefault((floor["name"], test, score), {})
                    learned = floor["without"].get(name, "")
                    for seed, value in _by_seed(record.content["seeds"], scores, score).items():
                        of_seeds.setdefault(seed, {})[learned] = value
    means = {key: {seed: statistics.fmean(own) for seed, own in _complete(found).items()}
             for key, found in floors.items()}  # fmt: skip
    return Reproduction(
        table["paper"], table["table"], table["title"], table["scale"], table["scale_says"],
        cells, means, table["claims"],
    )  # fmt: skip


def _printed(table: Mapping[str, Any]) -> Sequence[PublishedCell]:
    """What the paper prints; figures are printed without numbers."""
    is_figure = table["table"].startswith(_FIGURE)
    return [] if is_figure else published(table["paper"], table["table"])


def _cell(
    cell: Mapping[str, Any],
    printed: Sequence[PublishedCell],
    runs: Mapping[str, RunRecord],
    folder: Path,
) -> MeasuredCell:
    # seed → language learned from → value, chance (of the task's own score), n
    found: dict[int, dict[str, tuple[float, float, int]]] = {}
    score_name = cell["score"]
    source_values: dict[int, float] = {}
    missing: dict[str, str] = {}
    models: set[str] = set()
    anchor = ""
    for name in cell["runs"]:
        record = runs.get(name)
        if record is None or record.problem is not None:
            missing[name] = _why_missing(name, record, folder)
            continue
        languages = record.content["languages"]
        members = [m for m in cell["members"] if m != cell["without"].get(name)]
        if not members:
            continue  # trained on the only language of its group
        if absent := [member for member in members if member not in languages]:
            missing[name] = f"run {name} has no score for {absent[0]}"
            continue
        scores = [languages[member] for member in members]
        if failed := _failed(record, members):
            missing[name] = f"{name}: {failed}"
        models.add(str(record.manifest.get("model", name)))
        anchor = anchor or record.anchor
        seeds = record.content["seeds"]
        chance = 100 * statistics.fmean(score["chance"] for score in scores)
        count = sum(score["n"] for score in scores)
        learned = cell["without"].get(name, cell["train"])
        for seed, value in _by_seed(seeds, scores, score_name).items():
            found.setdefault(seed, {})[learned] = (value, chance, count)
        if source := languages.get(cell["train"]):
            source_values.update(_by_seed(seeds, [source], score_name))
    counted = _complete(found)
    values = {seed: [value for value, _, _ in runs] for seed, runs in counted.items()}
    first = next(iter(counted.values()), [])
    wanted = {"delta"} if cell["relative_to"] else SCORES
    beside = [p for p in printed if p.metric in wanted and p.matches(cell["published"])]
    return MeasuredCell(
        cell["row"], cell["variables"], cell["train"], cell["test"], cell["variables"]["task"],
        beside[0] if beside else None,
        {seed: statistics.fmean(runs) for seed, runs in values.items()}, source_values,
        sum(n for _, _, n in first) or None,
        statistics.fmean(chance for _, chance, _ in first) if first and not score_name else None,
        missing, anchor, cell["floor"], score_name, len(models) == 1 < len(values),
    )  # fmt: skip


def _complete(found: Mapping[int, Mapping[str, _Found]]) -> dict[int, list[_Found]]:
    """Seed → what its runs gave, for the seeds with the most runs: one of which a run is missing
    would be the mean of another set."""
    most = max((found[seed] for seed in sorted(found)), key=len, default={})
    return {seed: [of_seed[learned] for learned in most]
            for seed, of_seed in found.items() if of_seed.keys() >= most.keys()}  # fmt: skip


def _failed(record: RunRecord, members: Sequence[str]) -> str:
    """Which seeds of a run gave no score on one of the test sets, and why; "" where all did."""
    failures: Mapping[str, str] = record.content.get("failures") or {}
    own = {what: why for what, why in failures.items()
           if what.partition(", ")[2] in ("", *members)}  # fmt: skip
    return "; ".join(f"{what} failed: {why}" for what, why in own.items())


def _by_seed(
    seeds: Sequence[int], scores: Sequence[Mapping[str, Any]], name: str
) -> dict[int, float]:
    """Seed → mean over test sets, in percent; a seed that failed on one of them has none.

    Args:
        seeds: of the run; a test set on which one of them failed says which it has.
        scores: the results of each test set.
        name: of the score; the task's own where it is empty.
    """
    of_sets = []
    for score in scores:
        values = score["metrics"].get(name, ()) if name else score["values"]
        own = score.get("seeds", seeds)
        of_sets.append({s: v for s, v in zip(own, values, strict=bool(values)) if is_number(v)})
    shared = [seed for seed in seeds if all(seed in values for values in of_sets)]
    return {seed: 100 * statistics.fmean(values[seed] for values in of_sets) for seed in shared}


def _place(cell: MeasuredCell, variables: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells a cell from the others of its table, with some variables replaced or, if None,
    left out."""
    keys = sorted({**cell.variables, **variables}.items())
    return (cell.train, cell.test, *((k, str(value)) for k, value in keys if value is not None))


def _minus(cell: MeasuredCell, base: MeasuredCell) -> MeasuredCell:
    """The cell as the difference from another one, seed by seed."""

    def difference(mine: Mapping[int, float], other: Mapping[int, float]) -> dict[int, float]:
        return {seed: value - other[seed] for seed, value in mine.items() if seed in other}

    return replace(
        cell,
        values=difference(cell.values, base.values),
        source_values=difference(cell.source_values, base.source_values),
        missing={**base.missing, **cell.missing},
        chance=None,
        floor="",
    )


def _why_missing(name: str, record: RunRecord | None, folder: Path) -> str:
    log = folder.parent / "logs" / "finetune" / f"{name}.log"
    if record is not None and record.problem:
        return f"{name}: {record.problem}"
    return f"{name} failed: see {log}" if log.is_file() else f"{name} {WAS_NOT_RUN}"
