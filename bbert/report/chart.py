"""A figure as data: lines over a quantity, or scores as dots; `svg.py` draws it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MOST_POINTS = 240
"""A line is thinned to this many points, each the mean of its bucket."""


@dataclass(frozen=True)
class Line:
    """One named line; `points_XY` in ascending x."""

    label: str
    points_XY: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class LineChart:
    """Lines over one horizontal axis from 0 on; `log_x` and `log_y` make an axis logarithmic."""

    identifier: str
    title: str
    description: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    log_y: bool = False
    log_x: bool = False


@dataclass(frozen=True)
class Dots:
    """Scores of one run on one language, in percent: every seed, their mean and deviation.

    `printed` is the published score that they stand beside; None where there is none.
    """

    label: str
    values: tuple[float, ...]
    mean: float
    std: float | None
    floor: bool = False
    printed: float | None = None


@dataclass(frozen=True)
class DotGroup:
    """The runs compared on one language, and the chance level there (None where unknown)."""

    label: str
    rows: tuple[Dots, ...]
    chance: float | None


@dataclass(frozen=True)
class DotChart:
    """Groups of scores on one axis from 0 to 100 percent."""

    identifier: str
    title: str
    description: str
    x_label: str
    groups: tuple[DotGroup, ...]


@dataclass(frozen=True)
class Measure:
    """A measured number beside the one that was to be expected (None where nothing was)."""

    label: str
    value: float
    expected: float | None


@dataclass(frozen=True)
class MeasureChart:
    """Groups of (label, measures) on one axis from 0, or less, to `reaches`, or more."""

    identifier: str
    title: str
    description: str
    x_label: str
    groups: tuple[tuple[str, tuple[Measure, ...]], ...]
    reaches: float = 0.0


@dataclass(frozen=True)
class MatrixChart:
    """What every two of some things have in common.

    `cells[i][j]` is (text, share from 0 to 1); the share shades the cell.
    """

    identifier: str
    title: str
    description: str
    labels: tuple[str, ...]
    cells: tuple[tuple[tuple[str, float], ...], ...]


@dataclass(frozen=True)
class PointSet:
    """Points of one kind."""

    label: str
    points_XY: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ScatterChart:
    """Points of several kinds over two axes, each drawn by a mark of its own."""

    identifier: str
    title: str
    description: str
    x_label: str
    y_label: str
    sets: tuple[PointSet, ...]


MOST_LINES = 8
"""Lines of a figure that colours and dashes tell apart."""


def told_apart(lines: Sequence[Line], also: Sequence[Line] = ()) -> tuple[tuple[Line, ...], str]:
    """At most `MOST_LINES` lines, those of `also` among them as the last; and which are left out,
    as a sentence for the figure's description."""
    room = MOST_LINES - len(also)
    left_out = [line.label for line in lines[room:]]
    said = f" Not drawn, for lack of colours: {', '.join(left_out)}." if left_out else ""
    return (*lines[:room], *also), said


Chart = LineChart | DotChart | MeasureChart | MatrixChart | ScatterChart


def thinned(points_XY: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """At most `MOST_POINTS` points: means of equal runs of neighbours, the last point kept."""
    if len(points_XY) <= MOST_POINTS:
        return tuple(points_XY)
    size = math.ceil(len(points_XY) / (MOST_POINTS - 1))
    buckets = [points_XY[i : i + size] for i in range(0, len(points_XY), size)]
    means = [
        (sum(x for x, _ in bucket) / len(bucket), sum(y for _, y in bucket) / len(bucket))
        for bucket in buckets
    ]
    return (*means, points_XY[-1]) if means[-1] != points_XY[-1] else tuple(means)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) that cover `low` to `high`."""
    assert low < high
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten that cover `low` to `high`, with 2 and 5 times them where few are enough."""
    assert 0 < low <= high
    multiples = (1.0, 2.0, 5.0) if high / low < 1000 else (1.0,)
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    values = [multiple * 10.0**exponent for exponent in exponents for multiple in multiples]
    start = max(i for i, v in enumerate(values) if v <= low * (1 + 1e-9))
    end = min(i for i, v in enumerate(values) if v >= high * (1 - 1e-9))
    end = max(end, start + 1)
    return values[start : end + 1]
