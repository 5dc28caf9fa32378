"""Training × test languages as one table, and means between groups of languages.

Runs belong to a grid where everything but the training language is the same. The means are those
of `bbert finetune --average`, over pairs of two different languages (Pires et al. 2019, table 5).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from bbert.finetune.averages import Groups, between_groups
from bbert.report.records import RunRecord
from bbert.report.table import Cell, Column, Table, words
from bbert.report.transfer_tables import (
    condition_label,
    group_title,
    metric_label,
    model_name,
    score_cell,
    score_text,
)

_VARIES = ("train_lang", "eval_langs", "average")


def grid_tables(records: Sequence[RunRecord]) -> list[Table]:
    """Two tables a grid at most: languages by languages, groups by groups."""
    tables: list[Table] = []
    for number, grid in enumerate(_grids(records), start=1):
        tables.append(_languages(grid, number))
        groups = {
            name: tuple(average["languages"])
            for run in grid
            for name, average in (run.content.get("averages") or {}).items()
        }
        cells = between_groups([run.content for run in grid], groups)
        if cells:
            tables.append(_groups(grid, number, groups, cells))
    return tables


def _grids(records: Sequence[RunRecord]) -> list[list[RunRecord]]:
    alike: dict[str, dict[str, RunRecord]] = {}
    for run in records:
        if run.stage != "finetune" or run.problem is not None:
            continue
        config = {key: value for key, value in run.config.items() if key not in _VARIES}
        same = [model_name(run), run.content["task"], run.content["metric"], config]
        key = json.dumps(same, sort_keys=True, default=str)
        alike.setdefault(key, {}).setdefault(run.content["train_language"], run)
    return [list(runs.values()) for runs in alike.values() if len(runs) > 1]


def _title(grid: Sequence[RunRecord]) -> str:
    task = group_title(grid, with_metric=False).partition(", fine-tuned on")[0]
    metric = metric_label(str(grid[0].content["metric"]))
    return f"{task}, {model_name(grid[0])}, {condition_label(grid[0])} ({metric})"


def _languages(grid: Sequence[RunRecord], number: int) -> Table:
    languages = dict.fromkeys(name for run in grid for name in run.content["languages"])
    columns = (Column("Fine-tuned on"), *(Column(name, numeric=True) for name in languages))
    rows = [
        (
            Cell(run.content["train_language"], anchor=run.anchor),
            *(score_cell(run, name) for name in languages),
        )
        for run in grid
    ]
    note = "A row is a training language, a column a test language; percent."
    return Table(f"grid-{number}", f"Languages: {_title(grid)}", columns, tuple(rows), note)


def _groups(
    grid: Sequence[RunRecord], number: int, groups: Groups, cells: dict[tuple[str, str], dict]
) -> Table:
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
    title = f"Groups: {_title(grid)}"
    return Table(f"grid-groups-{number}", title, columns, tuple(rows), note)
