"""Figures of the probes: measures over the layers, points with their correlation, the portrait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bbert.probe.results import by_pair
from bbert.report.chart import MOST_LINES, Chart, Line, LineChart, PointSet, ScatterChart
from bbert.report.layer_tables import title_of
from bbert.report.probe_tables import LAYERED, NAMES, PORTRAIT, sentence
from bbert.report.records import RunRecord, is_number
from bbert.report.run_labels import random_layers

_BESIDE_FLOOR = MOST_LINES - 1
"""Lines of a figure beside the floor."""


def probe_charts(run: RunRecord, number_in_page: int) -> list[Chart]:
    """The figures of a probe run; none where it has no number to draw."""
    if run.content["probe"] in LAYERED:
        return _layers(run, number_in_page)
    chart = _chart(run, number_in_page)
    return [chart] if chart else []


def _chart(run: RunRecord, number_in_page: int) -> Chart | None:
    probe = run.content["probe"]
    if probe == "portrait":
        return _portrait(run, number_in_page)
    if probe == "gap":
        return _gap(run, number_in_page)
    if probe == "overlap" and run.content["variant"] == "entities":
        points = _points(run.content["rows"], "overlap", zero_shot=True)
        return _scatter(run, number_in_page, points, "overlap of entities' word-pieces", "F1, %")
    if probe == "typology":
        points = _points(run.content["rows"], "shared", zero_shot=False)
        metric = f"{str(run.content['metric']).replace('_', ' ')}, %"
        return _scatter(run, number_in_page, points, "features in common", metric)
    return None


def _layers(run: RunRecord, number_in_page: int) -> list[Chart]:
    """The headline measure, a figure for every pair of languages where models are compared too."""
    groups = by_pair(run.content)
    charts: list[Chart] = []
    for index, (pair, named) in enumerate(groups, start=1):
        number = str(number_in_page) if len(groups) == 1 else f"{number_in_page}-{index}"
        chart = _layers_of(run, number, pair, named)
        charts += [chart] if chart else []
    return charts


def _layers_of(
    run: RunRecord, number: str, pair: str, named: Sequence[tuple[str, Mapping[str, Any]]]
) -> LineChart | None:
    """At most `_BESIDE_FLOOR` models or pairs, with the floor of the first."""
    content = run.content
    lines = []
    for name, entry in named[:_BESIDE_FLOOR]:
        points = _over_layers(entry["layers"], "value")
        lines += [Line(name, points)] if points else []
    first = named[0][1]
    floor = _over_layers(first["layers"], "floor")
    if not lines:
        return None
    lines += [Line("shuffled pairs", floor)] if floor else []
    further = len(named) - _BESIDE_FLOOR
    left_out = f" {further} further ones are in the table." if further > 0 else ""
    return LineChart(
        f"figure-probe-{number}",
        title_of(run, pair),
        f"{sentence(content.get('definition', ''))}; n = {first['n']:,}. Layer 0 is the "
        f"embeddings; the floor is that of the first line.{left_out}",
        "layer",
        "share translated" if content["probe"] in ("retrieval", "translation") else
        NAMES[content["probe"]],
        tuple(lines),
    )  # fmt: skip


def _portrait(run: RunRecord, number_in_page: int) -> LineChart | None:
    """Four measurements over the layers, all in percent or points."""
    content = run.content
    lines = []
    for measure, name in PORTRAIT.items():
        points = {
            float(layer): 100 * row["value"]
            for row in content["rows"]
            if row["measure"] == measure and is_number(row["value"])
            for layer in range(row["first_layer"], row["last_layer"] + 1)
        }
        label = name
        if measure == "dlfa_gain" and content["best_dlfa_layer"]:
            label += f" (best layer: {content['best_dlfa_layer']})"
        lines += [Line(label, tuple(sorted(points.items())))] if points else []
    if not lines:
        return None
    pair = " → ".join(content["languages"])
    missing = "".join(
        f" Not drawn: {PORTRAIT[m]} ({why})." for m, why in content["reasons"].items()
    )
    return LineChart(
        f"figure-probe-{number_in_page}",
        f"Layers of {content['model']}, {pair}",
        f"Points of {content['task'] or 'the task'} on the target lost when a layer is drawn "
        "afresh before fine-tuning, and gained by fusing it with the last; CKA and nearest-"
        f"neighbour translation of the two languages in the pretrained model, times 100.{missing}",
        "layer",
        "percent, points",
        tuple(lines),
    )


def _gap(run: RunRecord, number_in_page: int) -> ScatterChart | None:
    """Gap against the mean similarity over the layers, pretrained and fine-tuned."""
    sets: dict[str, list[tuple[float, float]]] = {}
    for point in run.content["points"]:
        for kind, values in point["similarity"].items():
            if values and all(is_number(v) for v in values) and is_number(point["gap"]):
                mean = sum(values) / len(values)
                sets.setdefault(kind, []).append((mean, 100 * point["gap"]))
    name = NAMES[run.content["similarity"]]
    return _scatter(run, number_in_page, sets, f"{name}, mean of the layers", "gap, points")


def _scatter(
    run: RunRecord,
    number_in_page: int,
    sets: Mapping[str, Sequence[tuple[float, float]]],
    x_label: str,
    y_label: str,
) -> ScatterChart | None:
    if not sets:
        return None
    content = run.content
    return ScatterChart(
        f"figure-probe-{number_in_page}",
        f"{NAMES[content['probe']]}: {y_label.split(',')[0]} and {x_label}",
        f"{sentence(content['definition'])}. Every point is a run and a target language.",
        x_label,
        y_label,
        tuple(PointSet(label, tuple(points)) for label, points in sets.items()),
    )


def _points(
    rows: Iterable[Mapping[str, Any]], key: str, zero_shot: bool
) -> dict[str, list[tuple[float, float]]]:
    """encoder → (value, score in percent)."""
    sets: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if is_number(row[key]) and is_number(row["score"]) and (row.get("zero_shot", 1)
                                                                or not zero_shot):  # fmt: skip
            layers = row.get("random_init")
            label = str(row["model"]) + (f", {random_layers(str(layers))}" if layers else "")
            sets.setdefault(label, []).append((row[key], 100 * row["score"]))
    return sets


def _over_layers(layers: Sequence[Mapping[str, Any]], key: str) -> tuple[tuple[float, float], ...]:
    return tuple((float(f["layer"]), f[key]) for f in layers if is_number(f.get(key)))
