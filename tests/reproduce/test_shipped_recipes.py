"""Recipes as shipped: every table expands, finds its printed cells, and shares its runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bbert.errors import InputError
from bbert.report.published.cells import published
from bbert.reproduce.missing_files import refuse_missing_data
from bbert.reproduce.plan import make_plan
from bbert.reproduce.recipe import PROBES_OF_A_MODEL, fill, load_recipes
from bbert.reproduce.scale import load_scale
from bbert.reproduce.shipped import pipelines_folder

FOLDER = pipelines_folder()
SAMPLE = load_scale(FOLDER / "scales", "sample")
RECIPES = load_recipes(FOLDER / "recipes", SAMPLE)
ALL = [table for tables in RECIPES.values() for table in tables.values()]
AS_PUBLISHED = load_recipes(FOLDER / "recipes", replace(SAMPLE, tables={}))


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.key)
def test_every_command_of_a_plan_is_accepted(recipe, tmp_path):
    from bbert.cli import parse
    from bbert.corpus.config import resolve
    from bbert.reproduce.written_plan import write_plan

    plan = make_plan([recipe], replace(SAMPLE, seeds=[0]), None)  # seeds differ in nothing else
    write_plan(plan, tmp_path, "plan", threads=1, gpus=0)
    for job in plan.jobs.values():
        path = tmp_path / "plans" / job.stage / f"{job.name}.yaml"
        config = parse(job.command, ["--config", str(path)])
        assert config.name == job.name
        if job.stage == "corpus":
            resolve(config)
    assert all(need in plan.jobs for job in plan.jobs.values() for need in job.needs)


@pytest.mark.parametrize("paper", AS_PUBLISHED)
def test_as_published_every_score_of_a_table_has_its_cell(paper):
    """At the languages and layers of the paper, every printed score stands beside a measurement,
    and no measurement beside several."""
    for recipe in AS_PUBLISHED[paper].values():
        if recipe.number[:6] == "figure" or not any(row.published for row in recipe.rows):
            continue  # a figure, or a table of what probes find
        models = {name: {"corpus": {"languages": ["en", "es"]}} for name in SAMPLE.models}
        scale = replace(SAMPLE, models=models)
        (table,) = make_plan([recipe], scale, None).tables
        of_rows: dict[bool, list[str]] = {True: ["delta"], False: ["accuracy", "f1", "las"]}
        wanted = [p for p in published(paper, recipe.number) if _to_be_found(p)]
        found = set()
        for cell in table["cells"]:
            beside = [
                place
                for place, printed in enumerate(wanted)
                if printed.metric in of_rows[bool(cell["relative_to"])]
                and printed.matches(cell["published"])
            ]
            assert len(beside) < 2, (recipe.key, cell["published"])
            found.update(beside)
        missed = [printed for place, printed in enumerate(wanted) if place not in found]
        assert not missed, (recipe.key, missed[0])


def _to_be_found(printed):
    """Scores that bbert measures: not other people's models, not the development set, and of k2020
    not the difference that it prints between two cells of its own."""
    foreign = printed.model in ("Lample2016", "BallGarrette2018", "Bhat2018")
    of_dev = printed.condition.get("split") == "dev"
    scores = ["accuracy", "f1", "las"] + ["delta"] * (printed.paper != "k2020")
    return printed.metric in scores and not foreign and not of_dev


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.key)
def test_every_claim_has_pairs_to_compare(recipe):
    from bbert.report.claims import judge
    from bbert.report.reproduction import _filled

    (table,) = make_plan([recipe], SAMPLE, None).tables
    claims = judge(_filled(table, {}, Path("plans")))
    assert claims or recipe.probes
    assert all(claim.differences for claim in claims)
    assert all(d.verdict == "not run" for claim in claims for d in claim.differences)


def test_every_size_has_a_random_encoder_of_its_own():
    plan = make_plan([RECIPES["k2020"]["4"]], SAMPLE, None)
    (table,) = plan.tables
    hidden = {}  # size of the floor → size of the cell that it stands beside
    floors = {floor["name"]: floor["runs"] for floor in table["floors"]}

    def size(run):
        return plan.jobs[f"pretrain/{plan.jobs[f'finetune/{run}'].options['model']}"].options.get(
            "hidden", 64
        )

    for cell in table["cells"]:
        (floor,) = floors[cell["floor"]]
        hidden.setdefault(size(floor), set()).update(size(run) for run in cell["runs"])
    assert hidden == {n: {n} for n in (100, 76, 64, 48, 40)}


def test_every_kind_of_word_pieces_has_a_random_encoder_of_its_own():
    (table,) = make_plan([RECIPES["k2020"]["10"]], SAMPLE, None).tables
    floors = {floor["name"]: " ".join(floor["runs"]) for floor in table["floors"]}
    for cell in table["cells"]:
        kinds = [kind for kind in ("char", "word") if f"tokenization-{kind}-" in cell["runs"][0]]
        assert all(f"tokenization-{kind}-" in floors[cell["floor"]] for kind in kinds)
        assert kinds or "tokenization" not in floors[cell["floor"]]


def test_a_random_encoder_learns_from_the_same_set():
    plan = make_plan([RECIPES["pires2019"]["6"]], SAMPLE, None)
    (table,) = plan.tables
    floors = {floor["name"]: floor["runs"] for floor in table["floors"]}
    assert len(floors) == 3  # both languages, and the mixed sentences in each script
    for cell in table["cells"]:
        own = [
            plan.jobs[f"finetune/{run}"].options
            for run in (cell["runs"][0], *floors[cell["floor"]])
        ]
        assert own[0].get("train_set") == own[1].get("train_set")
        assert own[0]["eval_set"] == own[1]["eval_set"]


def test_probes_wait_for_what_they_look_at():
    recipe = RECIPES["muller2021"]["4"]
    jobs = make_plan([recipe], SAMPLE, None).jobs
    similarity = [job for job in jobs.values() if job.probe == "cka"]
    assert len(similarity) == 4 * len(SAMPLE.seeds)
    for job in similarity:
        tuned = [key.split("/")[1] for key in job.needs if key[:9] == "finetune/"]
        assert len(tuned) == 3
        assert job.options["beside"] == tuned
        assert f"pretrain/{job.options['model']}" in job.needs
    (gap,) = [job for job in jobs.values() if job.options.get("runs") and "gap-" in job.name
              and "-ner-" in job.name]  # fmt: skip
    assert all(name.startswith("ner-") for name in gap.options["runs"])
    assert gap.options["similarity"] == [job.name for job in similarity]
    assert {job.key for job in similarity} <= set(gap.needs)


def test_a_named_test_set_is_a_domain_or_another_language():
    recipe = AS_PUBLISHED["muller2021"]["2"]
    scale = replace(SAMPLE, models={"mbert": {"corpus": {"languages": ["en", "fr"]}}})
    (table,) = make_plan([recipe], scale, None).tables
    roles = {(cell["variables"]["task"], cell["test"]): cell["variables"]["role"]
             for cell in table["cells"]}  # fmt: skip
    assert roles[("parsing", "en")] == "source"
    assert roles[("parsing", "literature")] == roles[("ner", "news")] == "domain"
    assert roles[("pos", "translation")] == roles[("ner", "fr")] == "target"
    found = [
        [
            printed
            for printed in published("muller2021", "2")
            if printed.matches(wanted) and printed.metric == ("delta" if relative else score)
        ]
        for cell in table["cells"]
        for wanted, relative in [(cell["published"], cell["relative_to"])]
        for score in [{"parsing": "las", "pos": "accuracy", "ner": "f1"}[wanted["task"]]]
    ]
    assert all(len(printed) == 1 for printed in found)


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


def test_a_similarity_of_languages_is_measured_in_the_models_of_the_first():
    """Four sources: each has a probe of its own, beside the fine-tunings from it."""
    plan = make_plan([RECIPES["muller2021"]["4"]], SAMPLE, None)
    similar = [job for job in plan.jobs.values() if job.probe == "cka"]
    assert len(similar) == 4 * len(SAMPLE.seeds)
    for job in similar:
        first = job.options["languages"][0]
        beside = [plan.jobs[f"finetune/{name}"].options for name in job.options["beside"]]
        assert [options["train_lang"] for options in beside] == [first] * 3
        assert {options["seed"] for options in beside} == {job.options["seed"]}
    (gap,) = [
        job for job in plan.jobs.values() if job.name.startswith("gap") and "-ner-" in job.name
    ]
    assert len(gap.options["runs"]) == 4 * len(SAMPLE.seeds)
    published_pairs = AS_PUBLISHED["muller2021"]["4"].probes[0]["languages"]
    assert published_pairs[0] == "en"
    assert len(published_pairs) == 17


def test_cosines_are_those_of_english_with_the_others():
    for recipe in (RECIPES["chen2022"]["6"], AS_PUBLISHED["chen2022"]["6"]):
        (probe,) = recipe.probes
        assert probe["languages"][0] == "en"


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


def _record(name, languages):
    from bbert.report.records import RunRecord

    content = {"seeds": [0, 1, 2], "languages": languages}
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
    assert filled.floor(cell) == pytest.approx([50.0, 60.0, 70.0])
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


def test_a_model_of_english_alone_has_a_random_encoder_of_its_own():
    """Its word-pieces cut other scripts badly: no floor for a model of several languages."""
    plan = make_plan([RECIPES["pires2019"]["7"]], SAMPLE, None)
    (table,) = plan.tables
    floors = {floor["name"]: floor["runs"] for floor in table["floors"]}
    for cell in table["cells"]:
        models = [plan.jobs[f"finetune/{run}"].options["model"]
                  for run in (cell["runs"][0], *floors[cell["floor"]])]  # fmt: skip
        assert models[0] == models[1]


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


@pytest.mark.parametrize("name", ["small", "paper"])
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
                assert options["train_treebank"][0] == "en=ewt"
                assert options["eval_treebank"][0] == "pud"


def test_tables_share_the_runs_that_they_have_in_common():
    one, eight = RECIPES["k2020"]["3"], RECIPES["k2020"]["8"]
    both = make_plan([one, eight], SAMPLE, None)
    alone = [make_plan([recipe], SAMPLE, None) for recipe in (one, eight)]
    shared = alone[0].jobs.keys() & alone[1].jobs.keys()
    stages = Counter(key.split("/")[0] for key in shared)
    assert stages == {"corpus": 3, "pretrain": 9, "finetune": 24}, (
        "the rows without NSP are the same"
    )
    assert len(both.jobs) == sum(len(plan.jobs) for plan in alone) - len(shared)


def test_more_seeds_share_the_runs_of_those_that_are_there():
    recipe = RECIPES["k2020"]["3"]
    three, five = (make_plan([recipe], SAMPLE.with_seeds(0, n), None).jobs for n in (3, 5))
    new = Counter(key.split("/")[0] for key in five.keys() - three.keys())
    gone = three.keys() - five.keys()
    assert all(three[key].options["random_init"] == "all" for key in gone), "floors have all seeds"
    models = sum(key[:9] == "pretrain/" for key in three) // 3
    chains = sum(key[:9] == "finetune/" for key in three.keys() & five.keys()) // 3
    assert new == {"pretrain": 2 * models, "finetune": 2 * chains + len(gone)}


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


def test_a_changed_size_renames_what_depends_on_it_and_nothing_else():
    recipe = RECIPES["k2020"]["3"]
    before = make_plan([recipe], SAMPLE, None).jobs
    longer = replace(SAMPLE, pretrain={**SAMPLE.pretrain, "steps": 77})
    after = make_plan([recipe], longer, None).jobs
    assert {key for key in before if key in after} == {k for k in before if k[:7] == "corpus/"}
    more = replace(SAMPLE, transfer={**SAMPLE.transfer, "ner": {"epochs": 1}})
    after = make_plan([recipe], more, None).jobs
    changed = {key for key in before if key not in after}
    assert changed
    assert all(before[key].options.get("task") == "ner" for key in changed)


def test_variables_are_filled_in_with_their_type_and_others_stay():
    assert fill("{n}", {"n": 3}) == 3
    assert fill(["{n} of {m}", {"k": "{n}"}], {"n": 3}) == ["3 of {m}", {"k": 3}]


def _recipe(tmp_path, **changes):
    row = {"corpus": {"languages": ["enfake", "es"]}, "published": {"model": "enfake-es"},
           "transfer": [{"task": "ner", "train_lang": "enfake", "eval_langs": ["es"]}]}  # fmt: skip
    table = {"title": "T", "rows": [{**row, **changes.pop("row", {})}], **changes}
    (tmp_path / "k2020.yaml").write_text(yaml.safe_dump({"tables": {"1": table}}))
    return load_recipes(tmp_path, SAMPLE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"row": {"sizes": {}}}, "unknown key 'sizes'"),
        ({"row": {"model": "mbert"}}, "either 'corpus' or 'model'"),
        ({"row": {"label": "{target}"}}, "nothing says what {target} is"),
        ({"claims": [{"id": "c", "says": "s", "left": {}, "right": {}, "expect": "more"}]},
         "expect greater, less, near"),
        ({"claims": [{"id": "c", "says": "s", "left": {}, "right": "chance", "expect": "less"}]},
         "or is floor"),
        ({"claims": [{"id": "c", "says": "s", "left": {}, "right": {}, "expect": "near"}]},
         "'within'"),
    ],
)  # fmt: skip
def test_a_damaged_recipe_is_refused_with_file_and_table(tmp_path, changes, words):
    with pytest.raises(InputError, match=r"k2020.yaml, table 1") as error:
        _recipe(tmp_path, **changes)
    assert words in str(error.value)
    assert "1" in _recipe(tmp_path)["k2020"]


@pytest.mark.parametrize("name", ["small", "paper"])
def test_characters_and_words_are_not_given_the_number_of_word_pieces(name, tmp_path):
    """A text has a few hundred characters: a vocabulary of 16,000 would be refused."""
    scale = load_scale(FOLDER / "scales", name)
    recipe = load_recipes(FOLDER / "recipes", scale)["k2020"]["10"]
    corpora = [j.options for j in make_plan([recipe], scale, tmp_path).jobs.values()
               if j.stage == "corpus"]  # fmt: skip
    sizes = {options.get("tokenization", "wordpiece"): options.get("vocab_size")
             for options in corpora}  # fmt: skip
    assert sizes == {"char": None, "word": None, "wordpiece": scale.corpus["vocab_size"]}


@pytest.mark.parametrize("name", ["small", "paper"])
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
            assert job.options["wals"] == str(tmp_path / "wals" / "word_order.csv")
    with pytest.raises(InputError) as error:
        refuse_missing_data(plan, tmp_path)
    assert f"{tmp_path}/wals/word_order.csv (1 MB)" in str(error.value)
    parallel = {"small": "parallel/flores.hi", "paper": "ud/UD_*-PUD/hi_pud-ud-test.conllu"}[name]
    assert f"{tmp_path}/{parallel} " in str(error.value)
