"""Cells of a planned table, filled from the results of its runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bbert.reproduce.plan import make_plan
from bbert.reproduce.recipe import load_recipes
from bbert.reproduce.scale import load_scale
from bbert.reproduce.shipped import pipelines_folder

FOLDER = pipelines_folder()
SAMPLE = load_scale(FOLDER / "scales", "sample")
RECIPES = load_recipes(FOLDER / "recipes", SAMPLE)


def test_a_mean_over_training_languages_leaves_out_the_language_itself():
    from bbert.report.records import RunRecord
    from bbert.report.reproduction import _filled

    (table,) = make_plan([RECIPES["pires2019"]["5"]], SAMPLE, None).tables
    cells = [cell for cell in table["cells"] if cell["train"] == "group_svo"]
    assert {cell["test"] for cell in cells} == {"group_svo", "group_sov"}
    trained = cells[0]["without"]
    assert set(trained.values()) == {"en", "es", "ru"}
    score = {"en": 0.1, "es": 0.2, "ru": 0.6, "hi": 0.5}
    runs = {
        name: RunRecord("finetune", Path(name), manifest={}, content={
            "seeds": [int(name.split("seed")[1][0])],
            "languages": {test: {"values": [1.0 if test == train else value], "n": 10, "chance": 0}
                          for test, value in score.items()},
        })
        for name, train in trained.items()
    }  # fmt: skip
    filled = _filled(table, runs, Path("plans"))
    (same,) = [c for c in filled.cells if (c.train, c.test) == ("group_svo", "group_svo")]
    assert same.values == pytest.approx(dict.fromkeys(SAMPLE.seeds, 30.0))
    assert same.num_examples == 60
    (other,) = [c for c in filled.cells if (c.train, c.test) == ("group_svo", "group_sov")]
    assert other.values == pytest.approx(dict.fromkeys(SAMPLE.seeds, 50.0))
    (none,) = [c for c in filled.cells if (c.train, c.test) == ("group_sov", "group_sov")]
    assert none.values == {}
    del runs[next(iter(trained))]
    filled = _filled(table, runs, Path("plans"))
    (same,) = [c for c in filled.cells if (c.train, c.test) == ("group_svo", "group_svo")]
    assert len(same.values) == len(SAMPLE.seeds) - 1, "a seed without all its runs does not count"


def test_a_failed_run_of_before_fills_no_cell(tmp_path):
    from bbert.report.reproduction import read_reproductions
    from bbert.reproduce.written_plan import write_tables

    plan = make_plan([RECIPES["k2020"]["11"]], SAMPLE, None)
    name = plan.tables[0]["cells"][0]["runs"][0]
    tests = plan.jobs[f"finetune/{name}"].options["eval_langs"]
    record = _record(name, {test: _results([0.5, 0.5, 0.5]) for test in tests})
    file = tmp_path / "plans" / "plan.json"
    (tmp_path / "plans").mkdir()
    for failed, num_values in (((), 3), ((f"finetune/{name}",), 0)):
        write_tables(plan, file, failed)
        (table,) = read_reproductions(file, [record])
        assert len(table.cells[0].values) == num_values


def _of_one_cell(score="", relative_to=None):
    """The plan of one cell, tested on es and ru, with a random encoder."""
    cell = {
        "row": "row", "variables": {"task": "pos", "role": "average"}, "train": "en",
        "test": "both", "members": ["es", "ru"], "published": {}, "relative_to": relative_to or {},
        "score": score, "runs": ["run"], "without": {}, "floor": "random",
    }  # fmt: skip
    floor = {"name": "random", "groups": {"both": ["es", "ru"]}, "runs": ["floor"], "without": {}}
    return {"paper": "pires2019", "table": "figure-1", "title": "", "scale": "sample",
            "scale_says": "", "cells": [cell], "floors": [floor], "claims": []}  # fmt: skip


def _record(name, languages, **content):
    from bbert.report.records import RunRecord

    content = {"seeds": [0, 1, 2], "languages": languages, **content}
    return RunRecord("finetune", Path(name), manifest={}, content=content)


def _results(values, seeds=(0, 1, 2), chance=0.1, **metrics):
    return {"values": values, "seeds": list(seeds), "n": 10, "chance": chance, "metrics": metrics}


def test_a_seed_that_failed_on_one_language_moves_no_other():
    from bbert.report.reproduction import _filled

    languages = {"es": _results([0.1, 0.3], seeds=[0, 2]), "ru": _results([0.2, 0.9, 0.4])}
    run = _record("run", languages)
    (cell,) = _filled(_of_one_cell(), {"run": run}, Path("plans")).cells
    assert cell.values == pytest.approx({0: 15.0, 2: 35.0})
    nothing = _record("run", {"es": _results([], seeds=[]), "ru": _results([0.2, 0.9, 0.4])})
    (cell,) = _filled(_of_one_cell(), {"run": nothing}, Path("plans")).cells
    assert cell.values == {}


def test_a_cell_may_hold_another_score_than_the_task_s_own():
    from bbert.report.reproduction import _filled

    languages = {code: _results([0.9] * 3, chunk_f1=[0.5, 0.6, 0.7]) for code in ("es", "ru")}
    runs = {name: _record(name, languages) for name in ("run", "floor")}
    filled = _filled(_of_one_cell("chunk_f1"), runs, Path("plans"))
    (cell,) = filled.cells
    assert cell.values == pytest.approx({0: 50.0, 1: 60.0, 2: 70.0})
    assert filled.floor(cell) == pytest.approx({0: 50.0, 1: 60.0, 2: 70.0})
    assert cell.chance is None, "chance is that of the task's own score"


def test_no_floor_stands_beside_a_difference():
    from bbert.report.reproduction import _filled

    table = _of_one_cell()
    base = {**table["cells"][0], "variables": {**table["cells"][0]["variables"], "random": "none"}}
    other = {**base, "variables": {**base["variables"], "random": "1"},
             "relative_to": {"random": "none"}}  # fmt: skip
    languages = {code: _results([0.9] * 3) for code in ("es", "ru")}
    runs = {name: _record(name, languages) for name in ("run", "floor")}
    filled = _filled({**table, "cells": [base, other]}, runs, Path("plans"))
    assert [len(filled.floor(cell)) for cell in filled.cells] == [3, 0]


def test_seeds_that_lack_different_runs_are_not_averaged_over_different_languages():
    """Seed 0 lacks one training language, seed 1 another: their means do not compare."""
    from bbert.report.records import RunRecord
    from bbert.report.reproduction import _filled

    (table,) = make_plan([RECIPES["pires2019"]["5"]], SAMPLE, None).tables
    cells = [cell for cell in table["cells"] if cell["train"] == "group_svo"]
    score = {"en": 0.9, "es": 0.5, "ru": 0.1}
    lost = [("en", 0), ("ru", 1)]
    runs = {
        name: RunRecord("finetune", Path(name), manifest={}, content={
            "seeds": [seed],
            "languages": {"hi": {"values": [score[train]], "n": 10, "chance": 0}},
        })
        for name, train in cells[0]["without"].items()
        if (seed := int(name.split("seed")[1][0])) < 2 and (train, seed) not in lost
    }  # fmt: skip
    filled = _filled(table, runs, Path("plans"))
    (far,) = [c for c in filled.cells if (c.train, c.test) == ("group_svo", "group_sov")]
    assert far.values == pytest.approx({0: 30.0})
    assert len(far.missing) == 5  # of nine, the two and the third seed's three


def test_seeds_of_fine_tuning_are_not_called_seeds_of_pretraining():
    """At the scale of the papers one model is fine-tuned with five seeds."""
    from bbert.report.beside_published import reproduction_tables
    from bbert.report.reproduction import _filled

    run = _record("run", {code: _results([0.5, 0.6, 0.7]) for code in ("es", "ru")})
    (table,) = reproduction_tables(_filled(_of_one_cell(), {"run": run}, Path("plans")))
    assert "over seeds of fine-tuning one and the same model." in table.note
    records = {}
    for seed in (0, 1):
        languages = {code: _results([0.5], seeds=[seed]) for code in ("es", "ru")}
        record = _record(f"run{seed}", languages, seeds=[seed])
        records[record.name] = replace(record, manifest={"model": f"models/m-seed{seed}"})
    plan = _of_one_cell()
    plan["cells"][0]["runs"] = list(records)
    (table,) = reproduction_tables(_filled(plan, records, Path("plans")))
    assert "over seeds of the whole chain, pretraining included." in table.note


def test_a_failed_seed_is_named_in_the_cell_that_lacks_it():
    from bbert.report.beside_published import reproduction_tables
    from bbert.report.reproduction import _filled

    languages = {"es": _results([0.1, 0.3], seeds=[0, 2]), "ru": _results([0.2, 0.9, 0.4])}
    failures = {"seed 1, es": "out of memory", "seed 1, hi": "no file", "seed 3": "loss is NaN"}
    run = _record("run", languages, failures=failures)
    filled = _filled(_of_one_cell(), {"run": run}, Path("plans"))
    assert filled.cells[0].missing == {
        "run": "run: seed 1, es failed: out of memory; seed 3 failed: loss is NaN"
    }
    (table,) = reproduction_tables(filled)
    assert table.rows[0][-1].text == "1 failed"


def test_the_floor_of_a_group_is_a_mean_of_each_seed():
    """Random encoders tuned on two languages: their spread is over seeds, not over languages."""
    from bbert.report.reproduction import _filled

    plan = _of_one_cell()
    plan["floors"][0] |= {"runs": ["of-en", "of-hi"], "without": {"of-en": "en", "of-hi": "hi"}}
    runs = {
        name: _record(name, {code: _results([low, low + 0.2, low]) for code in ("es", "ru")})
        for name, low in (("of-en", 0.1), ("of-hi", 0.5))
    }
    filled = _filled(plan, runs, Path("plans"))
    assert filled.floor(filled.cells[0]) == pytest.approx({0: 30.0, 1: 50.0, 2: 30.0})
