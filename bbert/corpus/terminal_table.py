"""Tables for the terminal that lose no digit where it is narrow.

Without frames, so that columns stand close; headings are broken over lines where their columns are
narrower, words where the terminal is, and no number or name ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table


def terminal_table(
    title: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    num_words: int = 1,
    caption: str | None = None,
) -> Table:
    """A table whose first `num_words` columns are words and whose others are numbers.

    Args:
        title: set flush left above it.
        headings: one for each column.
        rows: the first cell of each is a name, which is never broken.
        num_words: how many columns are words.
        caption: below the table.
    """
    table = Table(
        title=f"\n{title}", title_justify="left", caption=caption, caption_justify="left",
        box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    rows = list(rows)
    for i, heading in enumerate(headings):
        cells = [row[i] for row in rows]
        if 0 < i < num_words:
            cells = [word for cell in cells for word in cell.split()]
        whole = max(map(len, [*cells, *heading.split()]), default=0)
        broken = "\n".join(heading.split()) if len(heading) > whole else heading
        justify = "left" if i < num_words else "right"
        table.add_column(broken, justify=justify, min_width=whole, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
