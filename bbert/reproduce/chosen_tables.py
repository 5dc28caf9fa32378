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

    Several values of one variable are alternatives. What others are compared with stays: a row that
    does not have the variable, and one from which a row that stays is printed as the difference.
    Tables without a row of these values are left out, and so are probes of a task without one.

    Raises:
        InputError: no NAME=VALUE; a variable or a value that none of the tables has.
    """
    if not wanted:
        return list(tables)
    values: dict[str, list[str]] = {}
    for text in wanted:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"--rows {text}: write NAME=VALUE, as in --rows target=es")
        values.setdefault(name, []).append(value)
    for name, texts in values.items():
        _refuse_unknown(tables, name, texts)
    found = [part for table in tables if (part := _of_values(table, values)) is not None]
    kept = {table.key for table in found}
    if left_out := [table.key for table in tables if table.key not in kept]:
        logger.info("tables with no row of --rows %s are left out: %s", " ".join(wanted),
                    ", ".join(left_out))  # fmt: skip
    if not found:
        raise InputError(f"--rows {' '.join(wanted)}: no table has a row of all of these")
    return found


def _of_values(table: TableRecipe, values: Mapping[str, Sequence[str]]) -> TableRecipe | None:
    """The table with the rows that `of_rows` keeps; None where none has all of the values."""
    told = [row for row in table.rows if all(_is(row, *wanted) for wanted in values.items())]
    if not told:
        return None
    matching = [
        row for row in table.rows
        if all(name not in row.variables or _is(row, name, texts) for name, texts in values.items())
    ]  # fmt: skip
    bases = [{**row.variables, **row.relative_to} for row in matching if row.relative_to]
    bases = [{k: v for k, v in base.items() if v is not None} for base in bases]
    rows = [row for row in table.rows if row in matching or dict(row.variables) in bases]
    tasks = {transfer["task"] for row in rows for transfer in row.transfer}
    probes = [probe for probe in table.probes if "task" not in probe or probe["task"] in tasks]
    return replace(table, rows=tuple(rows), probes=tuple(probes))


def _refuse_unknown(tables: Sequence[TableRecipe], name: str, texts: Sequence[str]) -> None:
    rows = [row for table in tables for row in table.rows]
    known = {str(row.variables[name]): row for row in rows if name in row.variables}
    if not known:
        names = ", ".join(sorted({name for row in rows for name in row.variables}))
        raise InputError(f"--rows {name}={texts[0]}: these rows differ in {names or 'nothing'}")
    for text in texts:
        if not any(_is(row, name, [text]) for row in known.values()):
            raise InputError(f"--rows {name}={text}: these tables have {', '.join(sorted(known))}")


def _is(row: Row, name: str, texts: Sequence[str]) -> bool:
    """Whether the row has one of these values, which are written as in YAML."""
    if name not in row.variables:
        return False
    value = row.variables[name]
    return any(str(value) == text or value == _read(text) for text in texts)


def _read(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _transfers(table: TableRecipe) -> Iterable[Mapping[str, Any]]:
    return (transfer for row in table.rows for transfer in row.transfer)
