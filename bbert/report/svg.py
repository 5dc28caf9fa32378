"""Draws a `Chart` as SVG: text stays text, colours are classes, dashes tell lines apart too.

Colours come from `palette.css` (light and dark), so a figure follows the page it stands in; one
that is a file of its own carries that style sheet inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files

from bbert.report.chart import (
    MOST_LINES,
    Chart,
    DotChart,
    Dots,
    LineChart,
    MatrixChart,
    Measure,
    MeasureChart,
    ScatterChart,
    log_ticks,
    thinned,
    ticks,
)
from bbert.report.svg_text import fitting, lines_of, short_number, text_at, width_of

WIDTH = 410  # on a page of 400 pixels text is then 12 pixels high
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 22, 12, 44
_DOT_LEFT = 164
_LABEL = _DOT_LEFT - 10  # of a row
_PLOT_HEIGHT = 220
_LEGEND_ROW, _DOT_ROW, _GROUP_HEAD, _LINE = 20, 22, 24, 15
_NUM_STYLES = MOST_LINES
_MARKS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", "M-4 -4h8v8h-8Z", "M0 -5l5 5l-5 5l-5 -5Z",
    "M0 -5l5 9h-10Z", "M-4 -4l8 8m0 -8l-8 8", "M0 -5v10m-5 -5h10",
)  # fmt: skip


def draw(chart: Chart, standalone: bool = False) -> str:
    """The figure as one `<svg>` element; `standalone` adds namespace and style sheet."""
    body, height = _body(chart)
    name = chart.identifier
    head = (
        f'<svg class="figure" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{name}-title {name}-description"'
    )
    if standalone:
        head += f' xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
    style = f"<style>{palette()}svg{{background:var(--page)}}</style>" if standalone else ""
    return (
        f'{head}>{style}<title id="{name}-title">{escape(chart.title)}</title>'
        f'<desc id="{name}-description">{escape(chart.description)}</desc>{body}</svg>'
    )


def _body(chart: Chart) -> tuple[str, int]:
    """What is inside the element, and its height."""
    if isinstance(chart, LineChart):
        return _lines(chart)
    if isinstance(chart, DotChart):
        return _dots(chart)
    if isinstance(chart, ScatterChart):
        return _scatter(chart)
    return _measures(chart) if isinstance(chart, MeasureChart) else _matrix(chart)


def palette() -> str:
    """The style sheet of figures."""
    return (files("bbert.report") / "palette.css").read_text(encoding="utf-8")


def _lines(chart: LineChart) -> tuple[str, int]:
    points = [point for line in chart.lines for point in line.points_XY]
    assert points, chart.identifier
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    x_ticks = _log_x_ticks(left, right) if chart.log_x else ticks(*_spread(min(0.0, left), right))
    lowest, highest = min(y for _, y in points), max(y for _, y in points)
    if -0.02 * highest < lowest < 0:  # a floor a little below zero needs no axis below zero
        lowest = 0.0
    y_ticks = log_ticks(lowest, highest) if chart.log_y else ticks(*_spread(lowest, highest))
    x_of = _scale(x_ticks[0], x_ticks[-1], _LEFT, WIDTH - _RIGHT, log=chart.log_x)
    bottom = _TOP + _PLOT_HEIGHT
    y_of = _scale(y_ticks[0], y_ticks[-1], bottom, _TOP, log=chart.log_y)
    parts = _axes(x_ticks, y_ticks, x_of, y_of, chart.x_label, chart.y_label)
    for index, line in enumerate(chart.lines):
        if len(line.points_XY) == 1:  # a line of one point would not be seen
            ((x, y),) = line.points_XY
            parts.append(_mark(x_of(x), y_of(y), index, line.label))
            continue
        coordinates = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in thinned(line.points_XY))
        parts.append(
            f'<polyline class="line s{index % _NUM_STYLES}" points="{coordinates}">'
            f"<title>{escape(line.label)}</title></polyline>"
        )
    legend, height = _legend([line.label for line in chart.lines], bottom + _BOTTOM + 10)
    return "".join(parts) + legend, height


def _scatter(chart: ScatterChart) -> tuple[str, int]:
    points = [point for kind in chart.sets for point in kind.points_XY]
    assert points, chart.identifier
    x_ticks, y_ticks = (
        ticks(*_spread(min(point[axis] for point in points), max(point[axis] for point in points)))
        for axis in (0, 1)
    )
    x_of = _scale(x_ticks[0], x_ticks[-1], _LEFT, WIDTH - _RIGHT)
    bottom = _TOP + _PLOT_HEIGHT
    y_of = _scale(y_ticks[0], y_ticks[-1], bottom, _TOP)
    parts = _axes(x_ticks, y_ticks, x_of, y_of, chart.x_label, chart.y_label)
    for index, kind in enumerate(chart.sets):
        for x, y in kind.points_XY:
            spoken = f"{kind.label}: {x:.4g}, {y:.4g}"
            parts.append(_mark(x_of(x), y_of(y), index, spoken))
    marks = [_mark(0, -4, index, kind.label) for index, kind in enumerate(chart.sets)]
    legend, height = _legend([kind.label for kind in chart.sets], bottom + _BOTTOM + 10, marks)
    return "".join(parts) + legend, height


def _mark(x: float, y: float, index: int, spoken: str) -> str:
    """A point: circle, square, diamond or triangle, so that kinds differ without their colours."""
    drawn = _MARKS[index % len(_MARKS)]
    return (
        f'<path class="line s{index % _NUM_STYLES}" '
        f'style="stroke-dasharray:none" transform="translate({x:.1f} {y:.1f})" d="{drawn}">'
        f"<title>{escape(spoken)}</title></path>"
    )


def _axes(
    x_ticks: list[float],
    y_ticks: list[float],
    x_of: Callable[[float], float],
    y_of: Callable[[float], float],
    x_label: str,
    y_label: str,
) -> list[str]:
    """Grid, numbers and labels of two axes."""
    bottom = _TOP + _PLOT_HEIGHT
    parts = []
    for value in y_ticks:
        y = y_of(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(text_at(_LEFT - 6, y + 4, short_number(value), "end"))
    for value in x_ticks:
        parts.append(text_at(x_of(value), bottom + 18, short_number(value), "middle"))
    parts.append(text_at((_LEFT + WIDTH - _RIGHT) / 2, bottom + 36, x_label, "middle"))
    middle = _TOP + _PLOT_HEIGHT / 2
    parts.append(
        f'<text transform="translate(12 {middle:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    return parts


def _dots(chart: DotChart) -> tuple[str, int]:
    x_of = _scale(0, 100, _DOT_LEFT, WIDTH - _RIGHT)
    parts: list[str] = []
    y = 8.0
    bottom = y + sum(_GROUP_HEAD + _heights(group.rows) for group in chart.groups)
    for value in (0, 20, 40, 60, 80, 100):
        parts.append(f'<path class="grid" d="M{x_of(value):.1f} {y:.0f}V{bottom:.0f}"/>')
        parts.append(text_at(x_of(value), bottom + 18, str(value), "middle"))
    parts.append(text_at((_DOT_LEFT + WIDTH - _RIGHT) / 2, bottom + 36, chart.x_label, "middle"))
    for group in chart.groups:
        parts.append(text_at(4, y + 17, group.label, "start", "strong"))
        top, y = y, y + _GROUP_HEAD
        for row in group.rows:
            middle = y + _heights([row]) / 2
            kind = "floor" if row.floor else "s0"
            parts += _row_label(row.label, middle)
            parts.append(f'<g class="dot {kind}"><title>{escape(_spoken(row))}</title>')
            if row.std is not None:
                low, high = max(row.mean - row.std, 0), min(row.mean + row.std, 100)
                parts.append(f'<path d="M{x_of(low):.1f} {middle:.1f}H{x_of(high):.1f}"/>')
            for value in row.values if len(row.values) > 1 else ():
                parts.append(
                    f'<circle class="seed" cx="{x_of(value):.1f}" cy="{middle:.1f}" r="3"/>'
                )
            if row.printed is not None:
                place = f"translate({x_of(row.printed):.1f} {middle:.1f})"
                parts.append(f'<path class="printed" transform="{place}" d="{_MARKS[2]}"/>')
            mark = x_of(row.mean)
            if row.floor:
                parts.append(
                    f'<rect x="{mark - 4:.1f}" y="{middle - 4:.1f}" width="8" height="8"/>'
                )
            else:
                parts.append(f'<circle cx="{mark:.1f}" cy="{middle:.1f}" r="5"/>')
            parts.append("</g>")
            y += _heights([row])
        if group.chance is not None:
            parts.append(
                f'<path class="chance" d="M{x_of(group.chance):.1f} {top + 6:.0f}V{y - 2:.0f}">'
                f"<title>chance {group.chance:.1f}</title></path>"
            )
    return "".join(parts), int(bottom + _BOTTOM)


def _measures(chart: MeasureChart) -> tuple[str, int]:
    values = [v for _, rows in chart.groups for m in rows for v in (m.value, m.expected or 0.0)]
    x_ticks = ticks(*_spread(min(0.0, *values), max(chart.reaches, *values)))
    x_of = _scale(x_ticks[0], x_ticks[-1], _DOT_LEFT, WIDTH - _RIGHT)
    y = 8.0
    bottom = y + sum(_GROUP_HEAD + _heights(rows) for _, rows in chart.groups)
    parts: list[str] = []
    for value in x_ticks:
        parts.append(f'<path class="grid" d="M{x_of(value):.1f} {y:.0f}V{bottom:.0f}"/>')
        parts.append(text_at(x_of(value), bottom + 18, short_number(value), "middle"))
    parts.append(text_at((_DOT_LEFT + WIDTH - _RIGHT) / 2, bottom + 36, chart.x_label, "middle"))
    for label, rows in chart.groups:
        parts.append(text_at(4, y + 17, fitting(label, WIDTH - 16), "start", "strong"))
        y += _GROUP_HEAD
        for row in rows:
            middle = y + _heights([row]) / 2
            spoken = f"{row.label}: {row.value:.4g}"
            spoken += "" if row.expected is None else f", {row.expected:.4g} expected"
            parts += _row_label(row.label, middle)
            parts.append(f'<g class="dot s0"><title>{escape(spoken)}</title>')
            parts.append(f'<path d="M{x_of(0):.1f} {middle:.1f}H{x_of(row.value):.1f}"/>')
            parts.append(f'<circle cx="{x_of(row.value):.1f}" cy="{middle:.1f}" r="4"/></g>')
            if row.expected is not None:
                parts.append(
                    f'<circle class="expected" cx="{x_of(row.expected):.1f}" cy="{middle:.1f}" '
                    'r="8"/>'
                )
            y += _heights([row])
    return "".join(parts), int(bottom + _BOTTOM)


def _matrix(chart: MatrixChart) -> tuple[str, int]:
    number = len(chart.labels)
    left, top = 96, 28
    width = min(120.0, (WIDTH - left - 4) / number)
    height = 34.0
    parts: list[str] = []
    for i, label in enumerate(chart.labels):
        x, y = left + width * (i + 0.5), top + height * (i + 0.5)
        parts.append(text_at(x, top - 9, fitting(label, width), "middle", "strong"))
        parts.append(text_at(left - 8, y + 5, fitting(label, left - 8), "end", "strong"))
        for j, (text, share) in enumerate(chart.cells[i]):
            x, y = left + width * j, top + height * i
            parts.append(
                f'<g class="cell"><title>{escape(label)} and {escape(chart.labels[j])}: '
                f'{escape(text)}, {share:.1%}</title><rect x="{x + 1:.1f}" y="{y + 1:.1f}" '
                f'width="{width - 2:.1f}" height="{height - 2:.1f}" rx="3" '
                f'fill-opacity="{0.04 + 0.46 * share:.3f}"/>'
            )
            parts.append(text_at(x + width / 2, y + height / 2 + 5, text, "middle") + "</g>")
    return "".join(parts), int(top + height * number + 8)


def _log_x_ticks(low: float, high: float) -> list[float]:
    """As `log_ticks`, but powers of ten only where there is no room for more."""
    found = log_ticks(low, high)
    if len(found) <= 7:
        return found
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    return [10.0**exponent for exponent in range(first, last + 1)]


def _legend(labels: list[str], top: float, marks: list[str] | None = None) -> tuple[str, int]:
    """Swatches (or `marks`) in as many rows as the labels need; the height of the figure too."""
    parts: list[str] = []
    x, y = float(_LEFT), top
    for index, label in enumerate(labels):
        label = fitting(label, WIDTH - _LEFT - 34)
        width = 44 + width_of(label)
        if x > _LEFT and x + width > WIDTH - _RIGHT:
            x, y = float(_LEFT), y + _LEGEND_ROW
        if marks is None:
            parts.append(f'<path class="line s{index % _NUM_STYLES}" d="M{x:.0f} {y - 4:.0f}h24"/>')
        else:
            parts.append(f'<g transform="translate({x + 12:.0f} {y:.0f})">{marks[index]}</g>')
        parts.append(text_at(x + 30, y, label, "start"))
        x += width
    return "".join(parts), int(y + 10)


def _scale(
    low: float, high: float, start: float, end: float, log: bool = False
) -> Callable[[float], float]:
    def transform(value: float) -> float:
        return math.log10(value) if log else value

    span = transform(high) - transform(low)
    return lambda value: start + (transform(value) - transform(low)) / span * (end - start)


def _spread(low: float, high: float) -> tuple[float, float]:
    """An interval wide enough for ticks: values that hardly differ are set in its middle."""
    size = max(abs(low), abs(high))
    if high - low > 1e-6 * max(size, 1e-6):
        return low, high
    return (low - size / 2, high + size / 2) if size > 1e-6 else (0.0, 1.0)


def _heights(rows: Sequence[Dots] | Sequence[Measure]) -> int:
    """What rows with these labels take from the figure's height."""
    return sum(_DOT_ROW + _LINE * (len(lines_of(row.label, _LABEL)) - 1) for row in rows)


def _row_label(label: str, middle: float) -> list[str]:
    lines = lines_of(label, _LABEL)
    first = middle + 4 - _LINE * (len(lines) - 1) / 2
    return [
        text_at(_DOT_LEFT - 8, first + _LINE * number, line, "end")
        for number, line in enumerate(lines)
    ]


def _spoken(row: Dots) -> str:
    deviation = f" ± {row.std:.1f}" if row.std is not None else ""
    printed = f", published {row.printed:g}" if row.printed is not None else ""
    return f"{row.label}: {row.mean:.1f}{deviation} ({len(row.values)} seeds){printed}"
