"""Transfer runs as tables: what does not depend on the page."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from bbert.report.figures import transfer_chart
from bbert.report.language_grids import grid_tables
from bbert.report.other_settings import last_folders
from bbert.report.records import RunRecord, read_run
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


def test_runs_of_one_condition_are_told_apart_wherever_they_are_shown(made, work: Path):
    """The settings that differ stand in a column that neither the terminal nor a figure has."""
    model = made.model(work, made.corpus(work))
    scores = {"en": [0.9], "es": [0.5]}
    for name in ("ner-last-rate1", "ner-last-rate2", "ner-dlfa"):
        made.transfer(work, model, name, scores, fusion=name.split("-")[1],
                      fusion_layer=2)  # fmt: skip
    group = [read_run(path) for path in sorted((work / "transfer").iterdir())]
    chart = transfer_chart(group, 1)
    expected = ["dlfa (layer 2)", "last [rate1]", "last [rate2]"]
    assert [row.label for row in chart.groups[0].rows] == expected
    table = transfer_table(group, 1)
    assert [row[0].text for row in table.rows[:3]] == [
        "dlfa (layer 2, gate paper, pool masked)", *expected[1:],
    ]  # fmt: skip


def test_the_models_stand_in_every_part_of_a_terminal_s_table(made, work: Path):
    corpus = made.corpus(work)
    scores = {code: [0.5] for code in ("en", "es", "hi", "ru", "fr", "de", "it", "nl")}
    for name in ("small", "large"):
        made.transfer(work, made.model(work, corpus, name), f"ner-{name}", scores)
    group = [read_run(path) for path in sorted((work / "transfer").iterdir())]
    table = transfer_table(group, 1)
    assert [column.header for column in table.columns][:3] == ["Fusion", "Model", "en"]
    console = Console(width=60, record=True, file=io.StringIO())
    console.print(table.to_rich())
    parts = console.export_text().split("(goes on)")
    assert len(parts) == 2
    assert all("small" in part and "large" in part for part in parts)


def test_a_seed_that_failed_is_named_under_the_table(made, work: Path):
    model = made.model(work, made.corpus(work))
    scores = {"en": [0.9], "es": [0.5]}
    made.transfer(work, model, "whole", scores)
    made.transfer(work, model, "failed", scores, failures={"seed 1": "the loss is NaN at step 7."})
    group = [read_run(path) for path in sorted((work / "transfer").iterdir())]
    note = transfer_table(group, 1).note
    assert "Seed 1 failed and is not in the mean: the loss is NaN at step 7 [failed]." in note


def test_runs_of_one_training_language_share_a_row_of_the_grid(made, work: Path):
    model = made.model(work, made.corpus(work))
    made.transfer(work, model, "en-es", {"en": [0.9], "es": [0.5]})
    made.transfer(work, model, "en-ru", {"en": [0.9], "ru": [0.25]})
    made.transfer(work, model, "es-en", {"es": [0.8], "en": [0.4]})
    (table,) = grid_tables([read_run(path) for path in sorted((work / "transfer").iterdir())])
    assert [column.header for column in table.columns] == ["Fine-tuned on", "en", "es", "ru"]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["en", "90.0", "50.0", "25.0"], ["es", "40.0", "80.0", "–"],
    ]  # fmt: skip
