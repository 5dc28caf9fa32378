"""The figure of a reproduced table: what is in it, and when there is none."""

from __future__ import annotations

from dataclasses import replace

from bbert.report.figures import MOST_ROWS
from bbert.report.published.cells import published
from bbert.report.reproduction import MeasuredCell, Reproduction
from bbert.report.reproduction_figure import reproduction_chart
from bbert.report.svg import draw

PRINTED = next(
    cell for cell in published("k2020", "3")
    if cell.safe and cell.task == "ner" and cell.test_language == "es"
)  # fmt: skip
CELL = MeasuredCell(
    row="enfake-es", variables={"task": "ner", "role": "target"}, train="enfake", test="es",
    task="ner", printed=PRINTED, values={0: 60.0, 1: 64.0}, source_values={}, num_examples=100,
    chance=0.0, missing={}, anchor="", floor="64 wide",
)  # fmt: skip


def chart(*cells: MeasuredCell):
    floors = {("64 wide", "es", ""): {0: 10.0, 1: 14.0}, ("96 wide", "es", ""): {0: 21.0}}
    return reproduction_chart(
        Reproduction("k2020", "3", "Counts", "sample", "", cells, floors, claims=())
    )


def test_scores_stand_beside_the_printed_ones_and_the_floor():
    source = replace(CELL, test="enfake", variables={"task": "ner", "role": "source"})
    drawn = chart(CELL, source, replace(CELL, row="anew", printed=None))
    (group,) = drawn.groups
    assert group.label == "ner, enfake → es"
    assert [(row.label, row.mean, row.floor) for row in group.rows] == [
        ("enfake-es", 62.0, False), ("anew", 62.0, False), ("random encoder", 12.0, True)
    ]  # fmt: skip
    assert [row.printed for row in group.rows] == [PRINTED.value, None, None]
    assert draw(drawn).count('class="printed"') == 1
    assert f"published {PRINTED.value:g}" in draw(drawn)


def test_random_encoders_of_all_sizes_are_one_row():
    (group,) = chart(CELL, replace(CELL, row="wide", floor="96 wide")).groups
    assert (group.rows[-1].label, group.rows[-1].values) == ("random encoder", (10.0, 14.0, 21.0))


def test_differences_and_tables_of_many_rows_have_no_figure():
    assert chart(replace(CELL, floor="")) is None
    assert chart(replace(CELL, values={})) is None
    assert chart(*[CELL] * MOST_ROWS) is None
