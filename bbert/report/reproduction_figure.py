"""A reproduced table as a figure: its scores on other languages, what was printed, the floors."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bbert.report.chart import DotChart, DotGroup, Dots
from bbert.report.figures import MOST_ROWS
from bbert.report.reproduction import MeasuredCell, Reproduction


def reproduction_chart(reproduction: Reproduction) -> DotChart | None:
    """Target languages, averages and mixed pairs; None where there is nothing to compare, or more
    than a figure can hold."""
    places: dict[tuple[str, str, str], list[MeasuredCell]] = {}
    for cell in reproduction.cells:
        # a difference from another row has no floor, and no place between 0 and 100
        if cell.values and cell.floor and cell.variables["role"] != "source":
            places.setdefault((cell.measure, cell.train, cell.test), []).append(cell)
    groups = [
        _group(f"{measure}, {train} → {test}", cells, reproduction)
        for (measure, train, test), cells in places.items()
    ]
    num_rows = sum(len(group.rows) for group in groups)
    if not 1 < num_rows <= MOST_ROWS:
        return None
    return DotChart(
        f"figure-reproduced-{reproduction.key}",
        f"Figure: {reproduction.name}, other languages than that of training",
        "Every seed as a ring, the mean as a filled dot with its standard deviation; diamonds are "
        "the published numbers, squares random encoders of all sizes, the dashed line is chance.",
        "percent",
        tuple(groups),
    )


def _group(label: str, cells: Sequence[MeasuredCell], reproduction: Reproduction) -> DotGroup:
    rows = [_dots(cell.row, list(cell.values.values()), printed=_printed(cell)) for cell in cells]
    floors = {cell.floor: reproduction.floor(cell) for cell in cells}
    random = [value for of_kind in floors.values() for value in of_kind.values()]
    if random:
        rows.append(_dots("random encoder", random, floor=True))
    return DotGroup(label, tuple(rows), cells[0].chance)


def _dots(
    label: str, values: Sequence[float], floor: bool = False, printed: float | None = None
) -> Dots:
    std = statistics.stdev(values) if len(values) > 1 else None
    return Dots(label, tuple(values), statistics.fmean(values), std, floor, printed)


def _printed(cell: MeasuredCell) -> float | None:
    return cell.printed.value if cell.printed and cell.printed.safe else None
