"""Recipes as shipped: every table expands, finds its printed cells, and shares its runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bbert.errors import InputError
from bbert.report.published.cells import published
from bbert.reproduce.plan import make_plan
from bbert.reproduce.recipe import fill, load_recipes
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


def test_a_model_of_english_alone_has_a_random_encoder_of_its_own():
    """Its word-pieces cut other scripts badly: no floor for a model of several languages."""
    plan = make_plan([RECIPES["pires2019"]["7"]], SAMPLE, None)
    (table,) = plan.tables
    floors = {floor["name"]: floor["runs"] for floor in table["floors"]}
    for cell in table["cells"]:
        models = [plan.jobs[f"finetune/{run}"].options["model"]
                  for run in (cell["runs"][0], *floors[cell["floor"]])]  # fmt: skip
        assert models[0] == models[1]


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
