"""Training × test languages as one table, and means between groups of languages.

Runs belong to a grid where everything but the training language is the same. The means are those
of `bbert finetune --average`, over pairs of two different languages (Pires et al. 2019, table 5).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bbert.finetune.averages import Groups, between_groups
from bbert.report.records import RunRecord
from bbert.report.run_labels import condition_label, model_name
from bbert.report.table import Cell, Column, Table, words
from bbert.report.transfer_tables import group_title, metric_label, score_cell, score_text

_VARIES = ("train_lang", "eval_langs", "average")


def grid_tables(records: Sequence[RunRecord]) -> list[Table]:
    """Two tables a grid at most: languages by languages, groups by groups."""
    tables: list[Table] = []
    for number, grid in enumerate(_grids(records), start=1):
        title = _title(next(iter(grid.values()))[0])
        tables.append(_languages(grid, title, number))
        groups = {
            name: tuple(average["languages"])
            for runs in grid.values()
            for run in runs
            for name, average in (run.content.get("averages") or {}).items()
        }
        cells = between_groups(list(map(_together, grid.values())), groups)
        if cells:
            tables.append(_groups(title, number, groups, cells))
    return tables


_Grid = Mapping[str, Sequence[RunRecord]]
"""Training language → its runs: several where they were tested on different languages."""


def _grids(records: Sequence[RunRecord]) -> list[_Grid]:
    alike: dict[str, dict[str, list[RunRecord]]] = {}
    for run in records:
        if run.stage != "finetune" or run.problem is not None:
            continue
        config = {key: value for key, value in run.config.items() if key not in _VARIES}
        same = [model_name(run), run.content["task"], run.content["metric"], config]
        key = json.dumps(same, sort_keys=True, default=str)
        alike.setdefault(key, {}).setdefault(run.content["train_language"], []).append(run)
    return [grid for grid in alike.values() if len(grid) > 1]


def _together(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """The results of the runs of one training language as if they were one run's."""
    languages = {name: score for run in reversed(runs)
                 for name, score in run.content["languages"].items()}  # fmt: skip
    return {**runs[0].content, "languages": languages}


def _title(run: RunRecord) -> str:
    task = group_title([run], with_metric=False).partition(", fine-tuned on")[0]
    metric = metric_label(str(run.content["metric"]))
    return f"{task}, {model_name(run)}, {condition_label(run)} ({metric})"


def _languages(grid: _Grid, title: str, number: int) -> Table:
    languages = dict.fromkeys(
        name for runs in grid.values() for run in runs for name in run.content["languages"]
    )
    columns = (Column("Fine-tuned on"), *(Column(name, numeric=True) for name in languages))
    rows = [
        (Cell(train, anchor=runs[0].anchor), *(_score(runs, name) for name in languages))
        for train, runs in grid.items()
    ]
    note = "A row is a training language, a column a test language; percent."
    return Table(f"grid-{number}", f"Languages: {title}", columns, tuple(rows), note)


def _score(runs: Sequence[RunRecord], language: str) -> Cell:
    tested = (run for run in runs if language in run.content["languages"])
    return score_cell(next(tested, runs[0]), language)


def _groups(title: str, number: int, groups: Groups, cells: dict[tuple[str, str], dict]) -> Table:
    columns = (Column("Fine-tuned on"), *(Column(name, numeric=True) for name in groups))
    rows = []
    for first in groups:
        row = [words(f"{first} ({', '.join(groups[first])})")]
        for second in groups:
            cell = cells.get((first, second))
            if cell is None:
                row.append(words(None))
                continue
            pairs = ", ".join(cell["languages"])
            text = f"{score_text(cell)} ({cell['num_languages']})"
            row.append(Cell(text, cell["mean"], note=f"pairs: {pairs}"))
        rows.append(tuple(row))
    note = (
        "Zero-shot means over pairs of a training and another test language, in percent; in "
        "brackets the number of pairs. The spread is that over seeds, not over languages."
    )
    return Table(f"grid-groups-{number}", f"Groups: {title}", columns, tuple(rows), note)
