"""Tables for the terminal: one that is wider than it goes on below, never a number cut off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

_FRAME = 3
"""Columns of the terminal that a column's frame and padding take."""
_LONGEST_WORD = 24
"""A longer word is broken."""


@dataclass(frozen=True)
class TerminalTable:
    """Headings and cells as text, shown as it is; `numeric` columns are never broken.

    Where not all columns fit, the first ones (up to the first number) are repeated in every part.
    """

    title: str
    note: str
    headings: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[str]]
    dim: Sequence[bool]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        parts = list(self._parts(options.max_width))
        for number, columns in enumerate(parts):
            last = number == len(parts) - 1
            title = self.title if number == 0 else f"{self.title} (goes on)"
            yield self._table(columns, title, self.note if last else "")

    def _parts(self, width: int) -> Iterator[list[int]]:
        every = list(range(len(self.headings)))
        num_names = self.numeric.index(True) if True in self.numeric else len(every)
        names = every[: max(num_names, 1)]
        part = list(names)
        for column in every[len(names) :]:
            needed = sum(self._least(c) + _FRAME for c in (*part, column)) + 1
            if needed > width and len(part) > len(names):
                yield part
                part = list(names)
            part.append(column)
        yield part

    def _least(self, column: int) -> int:
        """The narrowest a column can be: whole numbers, whole words up to a length."""
        cells = [row[column] for row in self.rows]
        if self.numeric[column]:
            words = [*cells, *self.headings[column].split()]
            return max(map(cell_len, words), default=0)
        words = [word for cell in (*cells, self.headings[column]) for word in cell.split()]
        return min(max(map(cell_len, words), default=0), _LONGEST_WORD)

    def _table(self, columns: Sequence[int], title: str, note: str) -> RichTable:
        # As `Text`, in which "[a, b]" is no markup.
        table = RichTable(
            title=Text(title, "table.title") if title else None,
            caption=Text(note, "table.caption") if note else None,
            title_justify="left", caption_justify="left",
        )  # fmt: skip
        for column in columns:
            justify = "right" if self.numeric[column] else "left"
            table.add_column(Text(self.headings[column]), justify=justify, overflow="fold",
                             min_width=self._least(column))  # fmt: skip
        for row, dim in zip(self.rows, self.dim, strict=True):
            table.add_row(*(Text(row[column]) for column in columns), style="dim" if dim else None)
        return table
