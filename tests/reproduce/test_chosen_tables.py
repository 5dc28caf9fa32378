"""Tables, tasks and rows that `bbert reproduce` is asked for."""

from __future__ import annotations

import pytest

from bbert.errors import InputError
from bbert.reproduce.chosen_tables import chosen_tables, of_rows, of_tasks
from bbert.reproduce.plan import make_plan
from bbert.reproduce.recipe import load_recipes
from bbert.reproduce.scale import load_scale
from bbert.reproduce.shipped import pipelines_folder

FOLDER = pipelines_folder()
SAMPLE = load_scale(FOLDER / "scales", "sample")
RECIPES = load_recipes(FOLDER / "recipes", SAMPLE)


@pytest.mark.parametrize(
    ("paper", "tables", "words"),
    [("nobody", (), "there are chen2022"), ("k2020", ("99",), "has recipes for 1, 2")],
)
def test_an_unknown_table_is_refused_with_those_there_are(paper, tables, words):
    with pytest.raises(InputError, match=words):
        chosen_tables(RECIPES, paper, tables)


def test_the_tasks_of_a_table_can_be_chosen():
    """Rows, probes and tables of the others go; what is left keeps its runs and its cells."""
    tables = [RECIPES["muller2021"]["4"], RECIPES["k2020"]["11"], RECIPES["pires2019"]["figure-1"]]
    (chosen,) = of_tasks(tables[:2], ["pos"])
    assert {t["task"] for row in chosen.rows for t in row.transfer} == {"pos"}
    assert [probe.get("task", probe["probe"]) for probe in chosen.probes] == ["cka"] * 4 + ["pos"]
    assert chosen.claims == tables[0].claims
    whole, part = (make_plan([table], SAMPLE, None) for table in (tables[0], chosen))
    assert {job.key for job in part.jobs.values() if job.stage == "finetune"} == {
        job.key for job in whole.jobs.values() if job.options.get("task") == "pos"
    }
    assert all(cell in whole.tables[0]["cells"] for cell in part.tables[0]["cells"])
    assert of_tasks(tables, ["ner"])[-1].probes == tables[-1].probes
    assert of_tasks(tables, []) == tables
    with pytest.raises(InputError, match="--task pawsx: these tables have ner, parsing, pos, xnli"):
        of_tasks(tables, ["ner", "pawsx"])


def test_the_rows_of_a_table_can_be_chosen(caplog):
    """By the values of their variables; tables that have no such variable are left out."""
    tables = [RECIPES["k2020"][number] for number in ("2", "4")]
    with caplog.at_level("INFO", logger="bbert"):
        (chosen,) = of_rows(tables, ["target=es", "permute=0", "permute=1"])
    assert [record.getMessage() for record in caplog.records] == [
        "tables with no row of --rows target=es permute=0 permute=1 are left out: k2020-4"
    ]
    assert [row.label for row in chosen.rows if row.transfer[0]["task"] == "ner"] == [
        "enfake-es, as it is", "enfake-es, p = 1.0"
    ]  # fmt: skip
    whole, part = (make_plan([table], SAMPLE, None) for table in (tables[0], chosen))
    assert part.jobs.items() <= whole.jobs.items()
    assert [cell["variables"]["permute"] for cell in part.tables[0]["cells"]] == [0.0] * 4 + [
        1.0
    ] * 4
    assert all(cell in whole.tables[0]["cells"] for cell in part.tables[0]["cells"])
    assert of_rows(tables, []) == tables


def test_what_other_rows_are_compared_with_stays():
    (table,) = of_rows([RECIPES["chen2022"]["2"]], ["layer=5"])
    assert {row.variables.get("layer") for row in table.rows} == {5, None}


def test_rows_from_which_others_are_the_difference_stay():
    (table,) = of_rows([RECIPES["muller2021"]["7"]], ["random_init=1-2", "random_init=11-12"])
    assert {row.variables["random_init"] for row in table.rows} == {"none", "1-2", "11-12"}
    (table,) = of_rows([RECIPES["muller2021"]["7"]], ["layers=1"])
    assert {row.variables["random_init"] for row in table.rows} == {"none", "1-2"}


def test_probes_of_a_task_without_rows_go_and_so_do_tables():
    tables = [RECIPES["muller2021"]["4"], RECIPES["k2020"]["2"]]
    (table,) = of_rows(tables, ["task=parsing"])
    assert {probe.get("task", "parsing") for probe in table.probes} == {"parsing"}
    plan = make_plan([table], SAMPLE, None)
    assert all(job.options.get("runs", True) for job in plan.jobs.values())
    assert [table.key for table in of_rows(tables, ["target=es"])] == ["k2020-2"]
    with pytest.raises(InputError, match="no table has a row of all of these"):
        of_rows(tables, ["target=es", "train=en"])


def test_switches_are_written_as_in_yaml():
    (table,) = of_rows([RECIPES["k2020"]["8"]], ["nsp=false"])
    assert {row.variables["nsp"] for row in table.rows} == {False}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("es", "--rows es: write NAME=VALUE"),
        ("language=es", "--rows language=es: these rows differ in permute, target, task"),
        ("target=fr", "--rows target=fr: these tables have es, hi, ru"),
        ("target=[", r"--rows target=\[: these tables have es, hi, ru"),
    ],
)
def test_rows_that_are_not_there_are_refused(wanted, words):
    with pytest.raises(InputError, match=words):
        of_rows([RECIPES["k2020"]["2"]], ["target=es", wanted])
