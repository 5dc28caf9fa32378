"""Transfer runs as tables: what does not depend on the page."""

from __future__ import annotations

from pathlib import Path

from bbert.report.other_settings import last_folders
from bbert.report.records import RunRecord
from bbert.report.transfer_tables import tidy_table, transfer_table


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


def other_settings(*configs: dict) -> list[str]:
    """What the page says of runs with these options beside their scores."""
    score = {"n": 9, "chance": 0.1, "values": [0.5], "mean": 0.5, "std": None}
    content = {
        "task": "pos", "metric": "accuracy", "train_language": "en", "fusion": "last",
        "seeds": [0], "languages": {"en": score},
    }  # fmt: skip
    runs = [
        RunRecord("finetune", Path(f"transfer/{i}"), {"config": config}, content)
        for i, config in enumerate(configs)
    ]
    table = transfer_table(runs, 1)
    headers = [column.header for column in table.columns]
    if "Other settings" not in headers:
        return []
    column = headers.index("Other settings")
    return [row[column].text for row in table.rows[: len(runs)]]


def test_other_data_and_other_treebanks_are_named():
    assert other_settings({"data": "/d/panx"}, {"data": "/d/panx"}) == []
    assert other_settings({"data": "/d/panx"}, {"data": "/d/wikiann"}) == [
        "data panx", "data wikiann",
    ]  # fmt: skip
    assert other_settings({"data": "/a/1/ud"}, {"data": "/b/1/ud"}, {"data": None}) == [
        "data a/1/ud", "data b/1/ud", "–",
    ]  # fmt: skip
    of_earlier_version = {"data": "/d/ud"}
    without = {"data": "/d/ud", "train_treebank": [], "eval_treebank": []}
    assert other_settings(of_earlier_version, without) == []
    one = {"data": "/d/ud", "train_treebank": ["ewt"], "eval_treebank": ["pud", "ru=gsd"]}
    assert other_settings(without, one) == ["–", "eval-treebank pud+ru=gsd, train-treebank ewt"]


def test_folders_of_one_name_keep_what_tells_them_apart():
    assert last_folders([]) == {}
    assert last_folders(["panx", "/d/panx"]) == {"panx": "panx", "/d/panx": "d/panx"}
    assert last_folders(["/a/x", "/x"]) == {"/a/x": "a/x", "/x": "/x"}
