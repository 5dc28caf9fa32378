"""Transfer runs as tables: what does not depend on the page."""

from __future__ import annotations

from pathlib import Path

from bbert.report.records import RunRecord
from bbert.report.transfer_tables import tidy_table


def test_a_language_that_failed_under_a_seed_has_its_own_seeds_in_the_tidy_table():
    def score(values: list[float], seeds: list[int] | None) -> dict:
        entry = {"n": 9, "chance": 0.1, "values": values, "mean": 0.5, "std": 0.1}
        return entry | ({"seeds": seeds} if seeds else {})

    content = {
        "task": "ner", "metric": "entity_f1", "train_language": "en", "fusion": "last",
        "seeds": [0, 1, 2], "languages": {
            "en": score([0.4, 0.5, 0.6], [0, 1, 2]),
            "es": score([0.4, 0.6], [0, 2]),
            "hi": score([0.4, 0.5, 0.6], None),  # as an earlier version wrote it
        },
    }  # fmt: skip
    run = RunRecord("finetune", Path("transfer/a"), content=content)
    table = tidy_table([[run]], [run])
    headers = [column.header for column in table.columns]
    rows = [dict(zip(headers, (cell.text for cell in row), strict=True)) for row in table.rows]
    assert [(row["language"], row["num_seeds"], row["seeds"]) for row in rows] == [
        ("en", "3", "0 1 2"), ("es", "2", "0 2"), ("hi", "3", "0 1 2"),
    ]  # fmt: skip
