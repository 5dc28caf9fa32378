"""Curves of multilinguality on the report: averages, layers, floors, and nothing where none is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bbert.report.figures import model_charts
from bbert.report.multilinguality import multilinguality_charts, multilinguality_table
from bbert.report.records import RunRecord
from bbert.report.svg import draw

PAIRS = (("enfake", "en"), ("en", "enfake"))


def row(step: int, num_layers: int, words: bool = True) -> dict[str, Any]:
    """At layer k, k/20 + step/1000 from the fake language and 0.1 more into it."""
    found: dict[str, Any] = {"step": step, **({"loss": 1.0} if step else {})}
    for measure in ("sentence_translation", *(["word_translation"] if words else [])):
        for here, there in PAIRS:
            more = 0.1 if there == "enfake" else 0.0
            for layer in range(num_layers):
                found[f"{measure}/{here}-{there}/layer{layer}"] = layer / 20 + step / 1000 + more
            found[f"{measure}_chance/{here}-{there}"] = 0.005
    return found


def record(*rows: dict[str, Any], name: str = "m") -> RunRecord:
    return RunRecord("pretrain", Path(name), {"config": {}}, {"rows": list(rows)})


def test_a_line_is_the_mean_of_both_directions_in_percent():
    over_steps, over_layers, *_ = multilinguality_charts(record(row(0, 4), row(100, 4)), 1)
    lines = {line.label: line.points_XY for line in over_steps.lines}
    assert list(lines) == ["embeddings", "layer 1", "layer 2", "layer 3", "chance"]
    assert lines["layer 2"] == ((0, pytest.approx(15)), (100, pytest.approx(25)))
    assert lines["chance"] == ((0, 0.5), (100, 0.5))
    assert "of 200" in over_steps.description
    last, first, chance = over_layers.lines
    assert (last.label, first.label, chance.label) == ("step 100", "untrained", "chance")
    assert last.points_XY[3] == (3, pytest.approx(30))
    assert first.points_XY[3] == (3, pytest.approx(20))


def test_deep_models_show_five_layers_over_the_steps_and_all_over_the_depth():
    over_steps, over_layers = multilinguality_charts(
        record(row(0, 37, words=False), row(50, 37, words=False)), 1
    )
    labels = [line.label for line in over_steps.lines]
    assert labels == ["embeddings", "layer 9", "layer 18", "layer 27", "layer 36", "chance"]
    assert len(over_layers.lines[0].points_XY) == 37
    for chart in (over_steps, over_layers):
        assert draw(chart).startswith("<svg")


def test_figures_have_names_of_their_own():
    records = [record(row(0, 3), row(10, 3), name=name) for name in ("a", "b")]
    names = [chart.identifier for chart in model_charts(records)]
    assert len(names) == len(set(names))
    assert sum("translation" in name for name in names) == 4


def test_the_table_has_the_best_layer_with_its_floors():
    table = multilinguality_table([record(row(0, 3), row(100, 3))])
    assert table is not None
    sentences, words = table.rows
    shown = [cell.text for cell in sentences]
    assert shown[1:] == ["enfake – en", "sentences", "2", "25.0", "15.0", "0.5", "200"]
    assert words[2].text == "words"


@pytest.mark.parametrize("rows", [[], [{"step": 10, "loss": 1.0}], [{"step": 0}]])
def test_a_run_without_curves_has_neither(rows):
    assert multilinguality_charts(record(*rows), 1) == []
    assert multilinguality_table([record(*rows)]) is None


def test_a_single_point_is_no_curve_but_stands_in_the_table():
    one = record(row(100, 3))
    assert multilinguality_charts(one, 1) == []
    table = multilinguality_table([one])
    assert table is not None
    assert table.rows[0][5].text != "15.0"  # the untrained model was not measured
