"""The papers' numbers: carried over whole, doubtful cells marked, found by their keys."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from bbert.errors import InputError
from bbert.report.published.cells import PAPERS, published, tables_of

TABLES = Path(__file__).resolve().parents[3] / "shared" / "paper_tables"


def test_every_table_of_the_four_papers_is_there():
    numbered = {paper: [t for t in tables_of(paper) if t != "text"] for paper in PAPERS}
    assert {paper: len(found) for paper, found in numbered.items()} == {
        "k2020": 11, "chen2022": 7, "pires2019": 8, "muller2021": 8,
    }  # fmt: skip
    cells = sum(len(published(p, t)) for p, found in numbered.items() for t in found)
    assert cells == 2195


def test_a_cell_is_found_by_its_keys_and_numbers_match_as_numbers():
    found = [
        cell
        for cell in published("k2020", "2")
        if cell.matches(
            {"model": "enfake-es", "permute": "0.250", "task": "ner", "test_language": "es"}
        )
    ]
    assert len(found) == 1
    assert found[0].metric == "f1"
    assert not found[0].safe, "the printed training language is doubtful"
    assert "probably not the one meant" in found[0].doubts[0]


def test_safe_cells_are_those_without_a_doubt():
    flags = Counter(cell.safe for cell in published("muller2021", "8"))
    assert flags[True] > 300
    assert flags[False] >= 10
    assert all(cell.doubts for cell in published("muller2021", "8") if not cell.safe)


def test_significance_is_carried_over():
    marked = [cell for cell in published("k2020") if cell.significant]
    assert [(c.table, c.task, c.test_language) for c in marked] == [
        ("1", "ner", "ru"), ("1", "ner", "enfake"),
    ]  # fmt: skip


@pytest.mark.parametrize(("paper", "table"), [("nobody1999", None), ("k2020", "12")])
def test_an_unknown_paper_or_table_is_refused_with_those_there_are(paper, table):
    with pytest.raises(InputError, match=r"there are k2020|it has 1, 2"):
        published(paper, table)


@pytest.mark.realdata
@pytest.mark.skipif(not TABLES.is_dir(), reason="the tables beside the checkout are absent")
@pytest.mark.parametrize("paper", PAPERS)
def test_values_equal_the_tables_that_they_were_taken_from(paper):
    printed = []
    for file in [
        *sorted(TABLES.glob(f"{paper}_table*.csv")),
        TABLES / "numbers_outside_tables.csv",
    ]:
        with file.open(encoding="utf-8") as stream:
            printed += [row for row in csv.DictReader(stream) if row["paper"] == paper]
    for row, cell in zip(printed, published(paper), strict=True):
        assert (row["table"], row["row_id"], row["test_lang"], row["task"], row["value"]) == (
            cell.table, cell.row_id, cell.test_language, cell.task, cell.text
        )  # fmt: skip
        assert (float(row["std"]) if row["std"] else None) == cell.std
