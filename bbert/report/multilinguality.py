"""The live multilinguality curves of models: how well languages translate into each other.

Both directions are averaged. A figure shows at most five layers, spread over the depth; the figure
over the layers and the CSV files have all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bbert.pretrain.curve_keys import SENTENCES, WORDS, chance_key, layers
from bbert.report.chart import Line, LineChart
from bbert.report.model_tables import model_runs
from bbert.report.records import RunRecord, is_number
from bbert.report.table import Cell, Column, Table, number, words

MOST_LAYERS = 5
_TITLES = {SENTENCES: "Sentence translation", WORDS: "Word translation"}

Pair = tuple[str, str]
Points = list[tuple[float, float]]


def multilinguality_charts(run: RunRecord, number_in_page: int) -> list[LineChart]:
    """Translation over the steps, and over the layers at the last, for every two languages."""
    charts = []
    for measure, pair in _measured(run):
        curves = _curves(run, measure, pair)
        if max(len(points) for points in curves.values()) < 2:
            continue
        chance = _chance(run, measure, pair)
        steps = [step for step, _ in next(iter(curves.values()))]
        lines = [Line(_layer_name(layer), tuple(curves[layer])) for layer in _spread(curves)]
        lines.append(Line("chance", ((steps[0], chance), (steps[-1], chance))))
        identifier = f"{measure.split('_')[0]}-{'-'.join(pair)}-{number_in_page}"
        charts.append(
            LineChart(
                f"figure-translation-{identifier}",
                f"{_TITLES[measure]} between {' and '.join(pair)}: {run.name}",
                f"Share whose nearest neighbour in the other language is the translation, both "
                f"directions averaged, of {round(100 / chance)}; the mean offset is estimated on "
                "other pairs than it is used on. Step 0 is the untrained model.",
                "training step",
                "accuracy, percent",
                tuple(lines),
            )
        )
        if len(curves) > 2:
            charts.append(_over_layers(run, measure, pair, curves, chance, identifier))
    return charts


def _over_layers(
    run: RunRecord,
    measure: str,
    pair: Pair,
    curves: dict[int, Points],
    chance: float,
    identifier: str,
) -> LineChart:
    first, last = (
        tuple((float(layer), curves[layer][place][1]) for layer in sorted(curves))
        for place in (0, -1)
    )
    begin, end = (next(iter(curves.values()))[place][0] for place in (0, -1))
    ends = (0.0, float(max(curves)))
    return LineChart(
        f"figure-layers-{identifier}",
        f"{_TITLES[measure]} by layer, {' and '.join(pair)}: {run.name}",
        "The same at every layer, at the first and the last point of the curves; layer 0 is the "
        "embeddings.",
        "layer",
        "accuracy, percent",
        (
            Line(f"step {end:,.0f}", last),
            Line("untrained" if not begin else f"step {begin:,.0f}", first),
            Line("chance", tuple((x, chance) for x in ends)),
        ),
    )


def multilinguality_table(records: Sequence[RunRecord]) -> Table | None:
    """The best layer of every measure at the last step, beside the untrained model's and chance."""
    rows = []
    for run in model_runs(records):
        for measure, pair in _measured(run):
            curves = _curves(run, measure, pair)
            layer = max(curves, key=lambda layer: curves[layer][-1][1])
            chance = _chance(run, measure, pair)
            (begin, untrained), (_, last) = curves[layer][0], curves[layer][-1]
            rows.append(
                (
                    Cell(run.name, anchor=run.anchor),
                    words(" – ".join(pair)),
                    words(_TITLES[measure].split()[0].lower() + "s"),
                    number(layer),
                    number(last, 1, run.anchor),
                    number(None if begin else untrained, 1),
                    number(chance, 1),
                    number(round(100 / chance)),
                )
            )
    if not rows:
        return None
    headers = ("Model", "Languages", "Of", "Best layer", "Accuracy", "Untrained", "Chance",
               "Candidates")  # fmt: skip
    columns = tuple(Column(h, numeric=position >= 3) for position, h in enumerate(headers))
    note = (
        "Translation by nearest neighbour in percent at the last step, both directions averaged, "
        "with a mean offset from other pairs than it is used on. The best layer is chosen by the "
        "accuracy itself; the untrained model's is that of the same layer."
    )
    return Table("multilinguality", "Multilinguality at the last step", columns, tuple(rows), note)


def _measured(run: RunRecord) -> list[tuple[str, Pair]]:
    """The measures and pairs of languages that a run has logged, each pair once."""
    found: dict[tuple[str, Pair], None] = {}
    for row in run.content["rows"]:
        for measure in (SENTENCES, WORDS):
            if not any(key.startswith(measure) for key in row):  # most rows only have a loss
                continue
            for pair in layers(row, measure):
                known = is_number(row.get(chance_key(measure, pair)))
                if known and (measure, (pair[1], pair[0])) not in found:
                    found[measure, pair] = None
    return list(found)


def _curves(run: RunRecord, measure: str, pair: Pair) -> dict[int, Points]:
    """layer → (step, percent), the mean of the directions that are there."""
    found: dict[int, Points] = {}
    for row in run.content["rows"]:
        directions = layers(row, measure)
        values: dict[int, list[float]] = {}
        for languages in (pair, (pair[1], pair[0])):
            for layer, value in directions.get(languages, ()):
                if is_number(value):
                    values.setdefault(layer, []).append(100 * value)
        for layer, both in values.items():
            if is_number(row.get("step")):
                found.setdefault(layer, []).append((row["step"], sum(both) / len(both)))
    return found


def _chance(run: RunRecord, measure: str, pair: Pair) -> float:
    """Percent that guessing gets right."""
    key = chance_key(measure, pair)
    values: list[Any] = [row[key] for row in run.content["rows"] if is_number(row.get(key))]
    return 100 * values[-1]


def _spread(curves: dict[int, Points]) -> list[int]:
    """At most `MOST_LAYERS` of the layers, the first and the last among them."""
    every = sorted(curves)
    if len(every) <= MOST_LAYERS:
        return every
    places = [round(i * (len(every) - 1) / (MOST_LAYERS - 1)) for i in range(MOST_LAYERS)]
    return [every[place] for place in places]


def _layer_name(layer: int) -> str:
    return f"layer {layer}" if layer else "embeddings"
