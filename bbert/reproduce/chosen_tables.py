"""Which recipes a command names: tables of a paper, and those of their tasks and rows that are
wanted."""

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
    kept = {table.key for table in found}
    if left_out := [table.key for table in tables if table.key not in kept]:
        names = ", ".join(left_out)
        logger.info("tables with no task of --task %s are left out: %s", " ".join(tasks), names)
    return found


def of_rows(tables: Sequence[TableRecipe], wanted: Sequence[str]) -> list[TableRecipe]:
    """`tables` with those rows alone whose variables have these values (`target=es`).

    Several values of one variable are alternatives. A row that does not have a variable stays, as
    it is what others are compared with; a table none of whose rows has it is left out.

    Raises:
        InputError: no NAME=VALUE; a variable or a value that none of the tables has.
    """
    values: dict[str, list[str]] = {}
    for text in wanted:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"--rows {text}: write NAME=VALUE, as in --rows target=es")
        values.setdefault(name, []).append(value)
    for name, texts in values.items():
        _refuse_unknown(tables, name, texts)
        left_out = [table.key for table in tables if not _has(table, name)]
        if left_out:
            names = ", ".join(left_out)
            logger.info("tables with no %s, of --rows, are left out: %s", name, names)
        tables = [
            replace(table, rows=tuple(row for row in table.rows if _matches(row, name, texts)))
            for table in tables if _has(table, name)
        ]  # fmt: skip
    return list(tables)


def _refuse_unknown(tables: Sequence[TableRecipe], name: str, texts: Sequence[str]) -> None:
    rows = [row for table in tables for row in table.rows]
    known = {str(row.variables[name]): row for row in rows if name in row.variables}
    if not known:
        names = ", ".join(sorted({name for row in rows for name in row.variables}))
        raise InputError(f"--rows {name}={texts[0]}: these rows differ in {names or 'nothing'}")
    for text in texts:
        if not any(_matches(row, name, [text]) for row in known.values()):
            raise InputError(f"--rows {name}={text}: these tables have {', '.join(sorted(known))}")


def _has(table: TableRecipe, name: str) -> bool:
    return any(name in row.variables for row in table.rows)


def _matches(row: Row, name: str, texts: Sequence[str]) -> bool:
    """Whether the row has one of the values, written as in YAML, or has no such variable."""
    import yaml

    if name not in row.variables:
        return True
    value = row.variables[name]
    return any(str(value) == text or value == yaml.safe_load(text) for text in texts)


def _transfers(table: TableRecipe) -> Iterable[Mapping[str, Any]]:
    return (transfer for row in table.rows for transfer in row.transfer)
