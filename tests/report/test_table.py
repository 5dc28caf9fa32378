"""One description, four ways to write it."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbert.report.table import NOTHING, Cell, Column, Table, number, share, words

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1)


def table(cells: list[Cell]) -> Table:
    columns = tuple(Column(f"c{i}") for i in range(len(cells)))
    return Table("t", "A caption", columns, (tuple(cells),))


@given(st.lists(TEXT.filter(lambda text: text != NOTHING), min_size=1, max_size=4))
def test_csv_returns_every_text(texts: list[str]):
    written = table([Cell(text) for text in texts]).to_csv()
    assert list(csv.reader(io.StringIO(written, newline="")))[1] == texts


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_csv_has_the_exact_number(value: float):
    written = table([number(value, 1)]).to_csv().splitlines()[1]
    assert float(written) == value


def test_what_stands_beside_a_number_has_a_column_of_its_own_in_csv():
    with_two = Cell("50.0 ± 1.2", 50.0, also={"std": 1.23456, "seeds": "0 1"})
    rows = ((words("a"), with_two), (words("b"), Cell("7.0", 7.0)), (words("c"), words(None)))
    before = Table("t", "A caption", (Column("row"), Column("Score", True)), rows)
    for same in (before, Table.from_json(json.loads(json.dumps(before.to_json())))):
        assert list(csv.reader(io.StringIO(same.to_csv()))) == [
            ["row", "Score", "Score std", "Score seeds"],
            ["a", "50.0", "1.23456", "0 1"],
            ["b", "7.0", "", ""],
            ["c", "", "", ""],
        ]
    assert "1.23456" not in before.to_markdown()
    assert Table("t", "Empty", (Column("row"),), ()).to_csv() == "row\r\n"


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_a_markdown_row_stays_one_row(texts: list[str]):
    import re

    written = table([Cell(text) for text in texts]).to_markdown()
    row = written.split("\n")[4]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == len(texts) + 1


@given(st.lists(st.floats(), min_size=1, max_size=3))
def test_json_returns_the_same_table(values: list[float]):
    before = table([number(value) for value in values])
    assert Table.from_json(json.loads(json.dumps(before.to_json()))) == before


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), True, "three"])
def test_what_is_no_number_is_shown_as_nothing(value: object):
    assert number(value).text == NOTHING
    assert share(value).text == NOTHING


def test_numbers_and_words():
    assert number(1234567).text == "1,234,567"
    assert number(3.14159, 3).text == "3.142"
    assert share(0.0004).text == "0.04 %"
    assert words("").text == words(None).text == NOTHING
    assert words(0).text == "0"
