"""The printed tables of the papers, one cell a line, with what is known of every cell's reading.

Carried over from the papers: figures and their keys, no sentence. A cell that was read or keyed
uncertainly is kept and marked, so that a page can show it as such; only cells that are `safe` are
compared with a measurement.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from bbert.errors import InputError

PAPERS = {
    "k2020": "K et al. 2020, Cross-Lingual Ability of Multilingual BERT",
    "chen2022": "Chen et al. 2022, feature aggregation (DLFA)",
    "pires2019": "Pires et al. 2019, How Multilingual is Multilingual BERT?",
    "muller2021": "Muller et al. 2021, First Align, then Predict",
}
"""Key → author, year and subject."""

DOUBTS = {
    "doubtful": "the digits could not be read with certainty",
    "sign_unverified": "unusual gain: a lost minus sign cannot be excluded",
    "missing": "not legible",
    "inconsistent": "another place of the same paper prints another value",
    "key_doubtful": "the printed language or layer is probably not the one meant",
}
"""Flag → what a reader has to know; the other flags (repaired, copied, key_inferred) are safe."""


@dataclass(frozen=True)
class PublishedCell:
    """One printed number.

    `value` and `std` are as printed (percent for scores), None where the paper has none;
    `condition` holds the knobs of the cell, `doubts` why it must not be relied upon.
    """

    paper: str
    table: str
    row_id: str
    model: str
    train_language: str
    test_language: str
    task: str
    metric: str
    condition: Mapping[str, str]
    text: str
    value: float | None
    std: float | None
    significant: bool
    doubts: tuple[str, ...]

    @property
    def safe(self) -> bool:
        """Whether the value may be compared with."""
        return not self.doubts and self.value is not None

    def matches(self, wanted: Mapping[str, str]) -> bool:
        """Whether every wanted key has the wanted value; numbers are compared as numbers."""
        return all(_equal(self._key(key), value) for key, value in wanted.items())

    def _key(self, key: str) -> str | None:
        known = ("row_id", "model", "train_language", "test_language", "task", "metric")
        return getattr(self, key) if key in known else self.condition.get(key)


@cache
def published(paper: str, table: str | None = None) -> Sequence[PublishedCell]:
    """The cells of a paper, or of one of its tables, in printed order.

    Raises:
        InputError: no such paper or table.
    """
    if paper not in PAPERS:
        raise InputError(f"no paper {paper!r}; there are {', '.join(PAPERS)}")
    cells = [cell for cell in _read(paper) if table is None or cell.table == table]
    if not cells:
        raise InputError(f"{paper} has no table {table}; it has {', '.join(tables_of(paper))}")
    return cells


def tables_of(paper: str) -> list[str]:
    """The numbers of a paper's tables; `text` for what it prints outside of tables."""
    return list(dict.fromkeys(cell.table for cell in _read(paper)))


@cache
def _read(paper: str) -> tuple[PublishedCell, ...]:
    text = (files("bbert.report.published") / f"{paper}.csv").read_text(encoding="utf-8")
    return tuple(_cell(paper, row) for row in csv.DictReader(text.splitlines()))


def _cell(paper: str, row: Mapping[str, str]) -> PublishedCell:
    condition = dict(part.split("=", 1) for part in row["condition"].split(";") if part)
    return PublishedCell(
        paper,
        row["table"],
        row["row_id"],
        row["model"],
        row["train_lang"],
        row["test_lang"],
        row["task"],
        row["metric"],
        MappingProxyType(condition),
        row["value"],
        float(row["value"]) if row["value"] else None,
        float(row["std"]) if row["std"] else None,
        row["significant"] == "1",
        tuple(DOUBTS[flag] for flag in row["flag"].split("|") if flag in DOUBTS),
    )


def _equal(printed: str | None, wanted: str) -> bool:
    if printed is None:
        return False
    try:
        return float(printed) == float(wanted)
    except ValueError:
        return printed == wanted
