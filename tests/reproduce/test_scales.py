"""Scales as shipped: seeds, sizes, and the files and settings of real data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bbert.errors import InputError
from bbert.finetune.recipes import RECIPES as RECIPES_OF_PAPERS
from bbert.pretrain.config import PretrainConfig, architecture_of
from bbert.pretrain.resolve import Machine, resolve
from bbert.reproduce.missing_files import refuse_missing_data
from bbert.reproduce.plan import make_plan
from bbert.reproduce.recipe import PROBES_OF_A_MODEL, load_recipes
from bbert.reproduce.scale import load_scale
from bbert.reproduce.shipped import pipelines_folder

FOLDER = pipelines_folder()
SAMPLE = load_scale(FOLDER / "scales", "sample")
RECIPES = load_recipes(FOLDER / "recipes", SAMPLE)


def test_at_the_paper_s_scale_every_paper_tunes_as_it_says():
    scale = load_scale(FOLDER / "scales", "paper")
    for paper, tables in load_recipes(FOLDER / "recipes", scale).items():
        plan = make_plan(tables.values(), scale, Path("data"))
        tuned = [job.options for job in plan.jobs.values() if job.stage == "finetune"]
        assert {options["recipe"] for options in tuned} == {paper}
        assert {options["seeds"] for options in tuned if "random_init" not in options} <= {1, 5}
        folders = {options["data"] for options in tuned if options["task"] == "ner"}
        assert folders == {"data/conll" if paper == "pires2019" else "data"}
    trees = [options for options in tuned if options["task"] in ("pos", "parsing")]
    assert paper == "pires2019", "the last in order"
    assert all("train_treebank" not in options for options in trees)


@pytest.mark.parametrize("name", ["laptop", "small", "paper"])
def test_the_treebanks_are_those_of_the_paper(name):
    scale = load_scale(FOLDER / "scales", name)
    tables = load_recipes(FOLDER / "recipes", scale)["muller2021"]
    for number, table in tables.items():
        plan = make_plan([table], scale, Path("data"))
        for options in (job.options for job in plan.jobs.values() if job.stage == "finetune"):
            if options["task"] == "ner":
                assert "train_treebank" not in options
            elif number == "2":  # what it is tested on elsewhere is not what it learns from
                assert options["train_treebank"] == ["en=partut"]
                assert options["eval_treebank"][0] == "en=partut"
                assert all("ParTUT" not in text for text in options["eval_set"] if "=en:" in text)
            else:
                of_each = {"en": "en=ewt", "ru": "ru=gsd", "ar": "ar=padt"}
                assert options["train_treebank"] == [of_each[options["train_lang"]]]
                slovenian = ["sl=ssj"] if "sl" in options["eval_langs"] else []
                assert options["eval_treebank"] == ["pud", *slovenian]


def test_a_scale_keeps_seeds_of_its_own():
    scale = replace(SAMPLE, seeds=(3, 5))
    assert scale.with_seeds(0, None) == scale
    assert scale.with_seeds(2, None).seeds == (5, 7)
    assert scale.with_seeds(2, 3).seeds == (2, 3, 4)


def test_other_seeds_share_nothing_not_even_corpora():
    plans = [make_plan([RECIPES["k2020"]["3"]], SAMPLE.with_seeds(n, None), None) for n in (0, 7)]
    assert plans[0].scale == replace(SAMPLE, seeds=(0, 1, 2))
    assert not plans[0].jobs.keys() & plans[1].jobs.keys()
    seeds = {(job.stage, job.options["seed"]) for job in plans[1].jobs.values()}
    chains = {(stage, seed) for stage in ("pretrain", "finetune") for seed in (7, 8, 9)}
    assert seeds == {("corpus", 7)} | chains


def test_seeds_that_are_asked_for_are_independent():
    """Where a scale fine-tunes one model several times, more seeds are more models instead."""
    several = {**SAMPLE.transfer, "ner": {**SAMPLE.transfer["ner"], "seeds": 5}}
    scale = replace(SAMPLE, seeds=(0,), transfer=several)
    for chosen, expected in ((scale, {5}), (scale.with_seeds(0, 2), {1})):
        jobs = make_plan([RECIPES["k2020"]["3"]], chosen, None).jobs.values()
        tuned = [j.options for j in jobs if j.stage == "finetune" and j.options["task"] == "ner"]
        assert {o["seeds"] for o in tuned if o.get("random_init") != "all"} == expected


@pytest.mark.parametrize("name", ["laptop", "small", "paper"])
def test_characters_and_words_are_not_given_the_number_of_word_pieces(name, tmp_path):
    """A text has a few hundred characters: a vocabulary of 16,000 would be refused."""
    scale = load_scale(FOLDER / "scales", name)
    recipe = load_recipes(FOLDER / "recipes", scale)["k2020"]["10"]
    corpora = [j.options for j in make_plan([recipe], scale, tmp_path).jobs.values()
               if j.stage == "corpus"]  # fmt: skip
    sizes = {options.get("tokenization", "wordpiece"): options.get("vocab_size")
             for options in corpora}  # fmt: skip
    assert sizes == {"char": None, "word": None, "wordpiece": scale.corpus["vocab_size"]}


@pytest.mark.parametrize("name", ["laptop", "small", "paper"])
def test_pairs_that_are_too_long_are_scored_as_published(name):
    """Every other pair of XNLI has more than 128 characters: counted as wrong, they would be all
    that k2020 10 measures."""
    scale = load_scale(FOLDER / "scales", name)
    tables = [t for of in load_recipes(FOLDER / "recipes", scale).values() for t in of.values()]
    found = set()
    for options in (job.options for job in make_plan(tables, scale, Path("data")).jobs.values()):
        if options.get("task") in ("xnli", "pawsx"):
            recipe = RECIPES_OF_PAPERS.get(options.get("recipe", ""), {})
            found.add(options.get("too_long") or recipe[options["task"]]["too_long"])
    assert found == {"cut"}


@pytest.mark.parametrize("name", ["laptop", "small", "paper"])
def test_probes_of_real_data_are_given_their_files(name, tmp_path):
    """Parallel text in the languages of the table's fine-tunings, WALS for typology."""
    scale = load_scale(FOLDER / "scales", name)
    recipes = load_recipes(FOLDER / "recipes", scale)
    tables = [table for paper in recipes.values() for table in paper.values() if table.probes]
    plan = make_plan(tables, scale, tmp_path)
    for job in plan.jobs.values():
        if job.probe in PROBES_OF_A_MODEL:
            languages = [text.split("=")[0] for text in job.options["parallel"]]
            assert len(languages) > 1
            if "chen2022" in job.name:
                continue  # reads the languages of PUD, is tested on all of XNLI
            for beside in job.options.get("beside", ()):
                tested = plan.jobs[f"finetune/{beside}"].options["eval_langs"]
                assert set(languages) >= set(tested)
        if job.probe == "typology":
            assert job.options["wals"] == str(tmp_path / "wals" / "values.csv")
    with pytest.raises(InputError) as error:
        refuse_missing_data(plan, tmp_path)
    assert "\nwals/values.csv or wals/cldf/values.csv or wals/word_order.csv (4 MB)" in str(
        error.value
    )
    parallel = {"paper": "ud/UD_*-PUD/{en,"}.get(name, "parallel/flores.{en,es,hi,ru} ")
    assert f"\n{parallel}" in str(error.value)


def test_a_scale_that_extends_another_changes_what_it_names(tmp_path):
    base = (
        "says: large\ndata: []\nseeds: [0, 1]\ngpu: true\ncorpus: {vocab: joint, vocab_size: 9}\n"
        "pretrain: {depth: 6, steps: 9}\npresets: {p: {depth: 2, hidden: 8}, q: {depth: 3}}\n"
        "transfer: {}\nseconds: {}\nmegabytes: {}\n"
    )
    (tmp_path / "large.yaml").write_text(base)
    (tmp_path / "little.yaml").write_text(
        "extends: large\nsays: little\nseeds: [5]\ngpu: false\npretrain: {depth: 1}\n"
        "presets: {p: {hidden: 4}, r: {depth: 7}}\n"
    )
    scale = load_scale(tmp_path, "little")
    assert (scale.name, scale.says, scale.seeds, scale.gpu) == ("little", "little", [5], False)
    assert scale.corpus == {"vocab": "joint", "vocab_size": 9}
    assert scale.pretrain == {"depth": 1, "steps": 9}
    presets = {"p": {"depth": 2, "hidden": 4}, "q": {"depth": 3}, "r": {"depth": 7}}
    assert scale.presets == presets
    for other in ("nothing", "little"):
        (tmp_path / "little.yaml").write_text(f"extends: {other}\n")
        with pytest.raises(InputError, match=f"little.yaml: extends {other}, and there is no"):
            load_scale(tmp_path, "little")


@pytest.mark.parametrize("number", ["4", "5", "6", "7"])
@pytest.mark.parametrize("name", ["sample", "laptop", "small", "paper"])
def test_every_row_is_a_model_of_its_own(name, number):
    """Sizes that lose to the scale's usual ones would make all rows of a table the same model;
    widths that the heads do not divide would be refused when the pretraining starts."""
    scale = load_scale(FOLDER / "scales", name)
    recipe = load_recipes(FOLDER / "recipes", scale)["k2020"][number]
    sizes = set()
    for job in make_plan([recipe], scale, Path("data")).jobs.values():
        if job.stage == "pretrain":
            config = resolve(PretrainConfig(**job.options), "corpus", {}, Machine())
            found = architecture_of(config, vocab_size=1)
            sizes.add((found.depth, found.heads, found.hidden))
    assert len(sizes) == len({row.pretrain["preset"] for row in recipe.rows})


def test_at_the_paper_s_scale_presets_win_over_its_usual_sizes():
    scale = load_scale(FOLDER / "scales", "paper")
    tables = load_recipes(FOLDER / "recipes", scale)["k2020"]
    for number, hidden, steps, rows in (
        ("4", {1656, 1404, 1152, 1020, 768, 672, 588}, 2_000_000, 32),
        ("7", {768, 192}, 2_000_000, 32),
        ("10", {768}, 500_000, 2048),
    ):
        jobs = make_plan([tables[number]], scale, Path("data")).jobs.values()
        configs = [resolve(PretrainConfig(**job.options), "corpus", {}, Machine())
                   for job in jobs if job.stage == "pretrain"]  # fmt: skip
        assert {config.hidden for config in configs} == hidden
        assert {(config.steps, config.batch_size) for config in configs} == {(steps, rows)}


@pytest.mark.parametrize("name", ["laptop", "small", "paper"])
def test_depths_are_compared_at_one_number_of_parameters(name):
    """Embeddings and heads included, as published (132.78 to 139.33 million)."""
    scale = load_scale(FOLDER / "scales", name)
    recipe = load_recipes(FOLDER / "recipes", scale)["k2020"]["4"]
    counts = []
    for job in make_plan([recipe], scale, Path("data")).jobs.values():
        if job.stage == "pretrain":
            config = resolve(PretrainConfig(**job.options), "corpus", {}, Machine())
            vocab_size = scale.corpus.get("vocab_size", 60_000)
            found = replace(architecture_of(config, vocab_size), nsp=True)
            counts.append(found.parameter_count())
    assert max(counts) < 1.06 * min(counts)


def test_random_encoders_have_as_many_seeds_as_what_they_stand_beside():
    scale = load_scale(FOLDER / "scales", "paper")
    recipes = load_recipes(FOLDER / "recipes", scale)
    for paper, number, seeds in (("k2020", "2", 5), ("muller2021", "1", 5)):
        jobs = make_plan([recipes[paper][number]], scale, Path("data")).jobs.values()
        entities = [job.options for job in jobs if job.options.get("task") == "ner"]
        assert {options["random_init"] == "all" for options in entities if "random_init" in options}
        assert {options["seeds"] for options in entities} == {seeds}
