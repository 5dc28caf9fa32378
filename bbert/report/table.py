"""A table as data: from one description come HTML, Markdown, CSV and the terminal's table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from bbert.report.records import is_number

NOTHING = "–"
"""What an empty cell shows."""


@dataclass(frozen=True)
class Column:
    """A heading; `numeric` columns are set flush right, `detail` ones are not on the terminal."""

    header: str
    numeric: bool = False
    detail: bool = False


@dataclass(frozen=True)
class Cell:
    """What is shown, what it is exactly (for CSV), and the entry of the page it traces to.

    `emphasis` is "" or "floor" (a row or value to compare with, such as chance). `also` holds exact
    values by name that the text shows beside the first or that stand in the note (a standard
    deviation, the ends of an interval, each seed's score); each is a column of its own in CSV.
    """

    text: str
    value: Any = None
    anchor: str = ""
    note: str = ""
    emphasis: str = ""
    also: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exact(self) -> Any:
        return self.text if self.value is None else self.value


@dataclass(frozen=True)
class Table:
    """A captioned table; the first cell of every row is the row's heading.

    `note` stands below it everywhere, `definitions` only where there is room: not on the terminal.
    `prose` says that the cells are text to be read: on a narrow page they stand below each other.
    """

    identifier: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    definitions: str = ""
    prose: bool = False

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.identifier

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Table:
        """The table that `asdict` and JSON wrote."""
        return cls(
            content["identifier"],
            content["caption"],
            tuple(Column(**column) for column in content["columns"]),
            tuple(tuple(Cell(**cell) for cell in row) for row in content["rows"]),
            content.get("note", ""),
            content.get("definitions", ""),
            content.get("prose", False),
        )

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads; of a cell only what is not its default."""
        shallow = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **shallow,
            "columns": [asdict(column) for column in self.columns],
            "rows": [[_cell_to_json(cell) for cell in row] for row in self.rows],
        }

    def to_csv(self) -> str:
        """Exact values, one heading line, RFC 4180."""
        stream = io.StringIO()
        writer = csv.writer(stream)
        cells_of_columns = list(zip(*self.rows, strict=True)) or [()] * len(self.columns)
        further = [dict.fromkeys(key for cell in cells for key in cell.also)
                   for cells in cells_of_columns]  # fmt: skip
        heading = []
        for column, keys in zip(self.columns, further, strict=True):
            heading += [column.header, *(f"{column.header} {key}" for key in keys)]
        writer.writerow(heading)
        for row in self.rows:
            written = []
            for cell, keys in zip(row, further, strict=True):
                written.append("" if cell.text == NOTHING else cell.exact)
                written += [cell.also.get(key) for key in keys]
            writer.writerow(written)
        return stream.getvalue()

    def to_markdown(self) -> str:
        """A pipe table under its caption."""
        lines = [f"**{markdown_text(self.caption)}**", ""]
        lines.append("| " + " | ".join(markdown_text(c.header) for c in self.columns) + " |")
        lines.append("|" + "|".join("---:" if c.numeric else "---" for c in self.columns) + "|")
        for row in self.rows:
            lines.append("| " + " | ".join(markdown_text(cell.text) for cell in row) + " |")
        for text in filter(None, (self.note, self.definitions)):
            lines += ["", markdown_text(text)]
        return "\n".join(lines) + "\n"

    def to_rich(self) -> Any:
        """What rich prints in a terminal of any width."""
        from bbert.report.terminal import TerminalTable

        shown = [index for index, column in enumerate(self.columns) if not column.detail]
        return TerminalTable(
            self.caption,
            self.note,
            [self.columns[index].header for index in shown],
            [self.columns[index].numeric for index in shown],
            [[row[index].text for index in shown] for row in self.rows],
            [any(cell.emphasis == "floor" for cell in row) for row in self.rows],
        )


def _cell_to_json(cell: Cell) -> dict[str, Any]:
    kept = {"text": cell.text} | ({} if cell.value is None else {"value": cell.value})
    for key in ("anchor", "note", "emphasis", "also"):
        kept |= {key: getattr(cell, key)} if getattr(cell, key) else {}
    return kept


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    for character in "\\|*_`<>[]":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def deviation(std: Any) -> dict[str, Any]:
    """A standard deviation for a cell's `also`; none where there is no number."""
    return {"std": std} if is_number(std) else {}


def number(value: Any, digits: int | None = None, anchor: str = "") -> Cell:
    """A number as a cell; None, NaN and what is no number are shown as nothing."""
    if not is_number(value):
        return Cell(NOTHING, anchor=anchor)
    if digits is None:
        digits = 0 if isinstance(value, int) or abs(value) >= 1000 else 2
    return Cell(fixed(value, digits), value, anchor)


def fixed(value: float, digits: int) -> str:
    """A number with so many decimals; one that rounds to zero has no sign."""
    shown = f"{value:,.{digits}f}"
    return shown.lstrip("-") if not shown.strip("-0.,") else shown


def p_value(p: float) -> str:
    """A p value as text, never as zero."""
    return f"p {p:.3f}" if p >= 0.001 else "p < 0.001"


def words(value: Any, anchor: str = "") -> Cell:
    """Text as a cell; None and "" are shown as nothing."""
    return Cell(str(value) if value not in (None, "") else NOTHING, anchor=anchor)


def share(value: Any, digits: int = 2) -> Cell:
    """A share between 0 and 1 as a percentage."""
    if not is_number(value):
        return Cell(NOTHING)
    return Cell(f"{100 * value:.{digits}f} %", value)
