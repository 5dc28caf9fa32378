"""What `bbert reproduce --list` shows: tables with a recipe, their cost, what was run here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bbert.report.table import Cell, Column, Table
from bbert.reproduce.cost import cost_of
from bbert.reproduce.plan import make_plan
from bbert.reproduce.recipe import TableRecipe
from bbert.reproduce.scale import Scale

if TYPE_CHECKING:
    from rich.console import RenderableType


def listing(
    recipes: Sequence[TableRecipe], scale: Scale, work: Path, data: Path | None
) -> RenderableType:
    """A table for the terminal: one row a published table."""
    columns = (Column("Paper"), Column("Table"), Column("Subject"), Column("Claims", True),
               Column("Runs", True), Column("Done here", True),
               Column("Minutes left, 1 slot", True))  # fmt: skip
    rows = []
    for recipe in recipes:
        if unknown := [r.model for r in recipe.rows if r.model and r.model not in scale.models]:
            cells = (Cell(f"no {unknown[0]} at this scale"), Cell("0", 0), Cell("–"))
        else:
            plan = make_plan([recipe], scale, data)
            cost = cost_of(plan, work, slots=1)
            cells = (
                Cell(str(len(plan.jobs)), len(plan.jobs)),
                Cell(str(cost.done), cost.done),
                Cell(f"{cost.seconds / 60:.0f}", cost.seconds / 60),
            )
        claims = len(recipe.claims)
        rows.append((Cell(recipe.paper), Cell(recipe.number), Cell(recipe.title),
                     Cell(str(claims), claims), *cells))  # fmt: skip
    note = "Runs that several tables need are counted with each and run once."
    title = f"Tables with a recipe, scale {scale.name}"
    return Table("recipes", title, columns, tuple(rows), note).to_rich()
