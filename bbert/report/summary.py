"""What the terminal shows of a finished report: its transfer tables and where the page is."""

from __future__ import annotations

from typing import Any

from bbert.report.run import tables_of
from bbert.run_directory import RunDirectory


def summary(run: RunDirectory) -> Any:
    """The transfer tables (else the table of runs), then the page's path."""
    from rich.console import Group
    from rich.text import Text

    tables = tables_of(run)
    shown = [t for t in tables if t.identifier.startswith(("comparison", "transfer-"))]
    shown = shown or [t for t in tables if t.identifier == "runs"]
    page = Text(f"page: {run.path / 'report.html'}", no_wrap=True, overflow="ignore")
    return Group(*(table.to_rich() for table in shown), page)
