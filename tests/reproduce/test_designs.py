"""What the shipped recipes compare: the papers' designs, and claims that the papers' numbers bear
out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from bbert.pretrain.presets import PRESETS
from bbert.report.claims import judge
from bbert.report.reproduction import _filled
from bbert.reproduce.plan import make_plan
from bbert.reproduce.recipe import load_recipes
from bbert.reproduce.scale import load_scale
from bbert.reproduce.shipped import pipelines_folder

FOLDER = pipelines_folder()
SAMPLE = load_scale(FOLDER / "scales", "sample")
AT_SAMPLE = load_recipes(FOLDER / "recipes", SAMPLE)
AS_PUBLISHED = load_recipes(FOLDER / "recipes", replace(SAMPLE, tables={}))
ALL = [table for tables in AS_PUBLISHED.values() for table in tables.values()]
ALL_AT_SAMPLE = [table for tables in AT_SAMPLE.values() for table in tables.values()]


def published_gap(cell, cells) -> float | None:
    """Printed score on the source language less that of `cell`; None where one is not printed."""
    sources = [
        c for c in cells
        if (c.row, c.task, c.train) == (cell.row, cell.task, cell.train)
        and c.variables["role"] == "source"
    ]  # fmt: skip
    if cell.printed is None or len(sources) != 1 or sources[0].printed is None:
        return None
    return sources[0].printed.value - cell.printed.value


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.key)
def test_claims_hold_in_the_papers_own_numbers(recipe):
    """A claim with its sign turned round would call a failed reproduction a success."""
    models = {name: {"corpus": {"languages": ["en", "es"]}} for name in SAMPLE.models}
    (table,) = make_plan([recipe], replace(SAMPLE, models=models), None).tables
    reproduction = _filled(table, {}, Path("plans"))
    for claim, stated in zip(judge(reproduction), recipe.claims, strict=True):
        printed = [d.published for d in claim.differences]
        if stated.get("measure") == "gap":
            gaps = [[published_gap(c, reproduction.cells) for c in (d.left, d.right)]
                    for d in claim.differences]  # fmt: skip
            printed = [a - b for a, b in gaps if a is not None and b is not None]
        known = [points for points in printed if points is not None]
        if not known:  # floors, and models that the paper has no such numbers of
            above_the_floor = stated["right"] == "floor"
            assert above_the_floor or stated["left"] == {"encoder": "en-bert"}, claim.identifier
            assert stated["expect"] == ("greater" if above_the_floor else "less")
            continue
        mean = fmean(known)
        holds = {"greater": mean > 0, "less": mean < 0,
                 "near": abs(mean) <= stated.get("within", 0)}  # fmt: skip
        assert holds[stated["expect"]], (claim.identifier, mean)


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.key)
def test_rows_are_made_as_the_cells_beside_them_are_called(recipe):
    """What the published cells of a row are keyed by is what its commands are told."""
    for row in recipe.rows:
        printed, corpus, pretrain = row.published, row.corpus, row.pretrain
        languages = corpus.get("languages", ())
        if row.model is None and "model" in printed:
            assert sorted(printed["model"].split("-")) == sorted(languages)
        if float(printed.get("permute", 0)):
            share = float(printed["permute"])
            assert [text.split("=")[0] for text in corpus["permute"]] == languages
            assert {float(text.split("=")[1]) for text in corpus["permute"]} == {share}
        else:
            assert "permute" not in corpus
        if printed.get("frequency_based") == "1":
            assert corpus["unigram"] == [languages[1]], "the target, not what is fine-tuned on"
        else:
            assert "unigram" not in corpus
        assert pretrain.get("nsp", True) == (printed.get("nsp", "1") == "1")
        assert pretrain.get("lang_id", False) == (printed.get("lang_id", "0") == "1")
        assert corpus.get("tokenization", "wordpiece") == printed.get("tokenization", "wordpiece")
        for size in ("depth", "heads"):
            if size in printed:
                assert PRESETS[pretrain["preset"]][size] == int(printed[size])
        for transfer in row.transfer:
            drawn = printed.get("random_init", "none")
            if row.published and "random_init" in printed:
                assert transfer.get("random_init", "none") == drawn
            if "lower_layer" in printed:
                assert transfer["fusion_layer"] == int(printed["lower_layer"])
                branch = {"global": "dlfa-global", "local": "dlfa-local"}
                assert transfer["fusion"] == branch.get(printed.get("aif", ""), "dlfa")
            elif printed.get("fusion") == "none":
                assert "fusion" not in transfer


@pytest.mark.parametrize("recipe", ALL_AT_SAMPLE, ids=lambda recipe: recipe.key)
def test_layers_are_those_of_the_encoder_at_hand(recipe):
    """A scale with fewer layers says which one plays each published layer."""
    for row in recipe.rows:
        for transfer in row.transfer:
            if "fusion_layer" in transfer:
                assert transfer["fusion_layer"] == row.variables["layer"]
            if "layers" in row.variables and row.model is not None:
                assert transfer["random_init"] == row.variables["layers"]


@pytest.mark.parametrize("recipe", ALL_AT_SAMPLE, ids=lambda recipe: recipe.key)
def test_floors_are_random_in_all_layers_and_fused_in_none(recipe):
    plan = make_plan([recipe], SAMPLE, None)
    for floor in plan.tables[0]["floors"]:
        for name in floor["runs"]:
            options = plan.jobs[f"finetune/{name}"].options
            assert options["random_init"] == "all"
            assert not options.keys() & {"fusion", "fusion_layer"}


def test_premise_and_hypothesis_are_mixed_both_ways():
    for row in AS_PUBLISHED["k2020"]["11"].rows:
        target = row.variables["target"]
        (transfer,) = row.transfer
        mixed = {f"enfake-{target}", f"{target}-enfake"}
        assert set(transfer["eval_langs"]) == {"enfake", target} | mixed


def test_a_changed_corpus_renames_all_that_is_made_from_it():
    recipe = AT_SAMPLE["k2020"]["3"]
    before = make_plan([recipe], SAMPLE, None).jobs
    other = replace(SAMPLE, corpus={**SAMPLE.corpus, "max_bytes": 123_456})
    after = make_plan([recipe], other, None).jobs
    assert not before.keys() & after.keys()
    assert len(before) == len(after)
