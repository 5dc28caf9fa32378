"""Which recipes a command names: tables of a paper, and of these the tasks and target languages
that are wanted."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bbert.errors import InputError
from bbert.reproduce.recipe import Row, TableRecipe

logger = logging.getLogger(__name__)


def chosen_tables(
    recipes: Mapping[str, Mapping[str, TableRecipe]], paper: str | None, tables: Sequence[str]
) -> list[TableRecipe]:
    """The recipes that a command names.

    Raises:
        InputError: a paper or a table that has no recipe; names those that have.
    """
    if paper is None:
        return [table for found in recipes.values() for table in found.values()]
    if paper not in recipes:
        raise InputError(f"no recipe for {paper!r}; there are {', '.join(recipes)}")
    found = recipes[paper]
    for number in tables:
        if number not in found:
            raise InputError(f"--table {number}: {paper} has recipes for {', '.join(found)}")
    return [found[number] for number in dict.fromkeys(tables)] if tables else list(found.values())


def of_tasks(tables: Sequence[TableRecipe], tasks: Sequence[str]) -> list[TableRecipe]:
    """`tables` with the fine-tunings of these tasks alone, and the probes that look at them.

    Rows without one are left out, and so are tables. Claims stay: one that speaks of another task
    has nothing to compare, and its verdict is that it was not run.

    Raises:
        InputError: a task that none of the tables has; names those they have.
    """
    if not tasks:
        return list(tables)
    known = sorted({transfer["task"] for table in tables for transfer in _transfers(table)})
    for task in tasks:
        if task not in known:
            raise InputError(f"--task {task}: these tables have {', '.join(known) or 'no task'}")
    found = []
    for table in tables:
        rows = [replace(row, transfer=[t for t in row.transfer if t["task"] in tasks])
                for row in table.rows]  # fmt: skip
        rows = [row for row in rows if row.transfer]
        probes = tuple(p for p in table.probes if p.get("task", tasks[0]) in tasks)
        if rows:
            found.append(replace(table, rows=tuple(rows), probes=probes))
    _say_what_is_left_out(tables, found, f"task of --task {' '.join(tasks)}")
    return found


def of_targets(tables: Sequence[TableRecipe], targets: Sequence[str]) -> list[TableRecipe]:
    """`tables` with the rows of these target languages alone, of tables with a row for each target.

    Raises:
        InputError: a language that is the target of none of the rows; names those that are.
    """
    if not targets:
        return list(tables)
    known = sorted({row.variables["target"] for t in tables for row in _with_target(t)})
    for target in targets:
        if target not in known:
            there = (
                f"have {', '.join(known)}"
                if known
                else "have no row for one target language; leave it out"
            )
            raise InputError(f"--target {target}: these tables {there}")
    found = []
    for table in tables:
        rows = tuple(row for row in _with_target(table) if row.variables["target"] in targets)
        if rows:
            found.append(replace(table, rows=rows))
    _say_what_is_left_out(tables, found, f"row of --target {' '.join(targets)}")
    return found


def _say_what_is_left_out(
    tables: Sequence[TableRecipe], found: Sequence[TableRecipe], what: str
) -> None:
    kept = {table.key for table in found}
    if left_out := [table.key for table in tables if table.key not in kept]:
        logger.info("tables with no %s are left out: %s", what, ", ".join(left_out))


def _with_target(table: TableRecipe) -> Iterable[Row]:
    return (row for row in table.rows if "target" in row.variables)


def _transfers(table: TableRecipe) -> Iterable[Mapping[str, Any]]:
    return (transfer for row in table.rows for transfer in row.transfer)
