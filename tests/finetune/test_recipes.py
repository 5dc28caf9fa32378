"""`--recipe`: the hyper-parameters of the papers, one by one, and what runs with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bbert.cli import main, parse
from bbert.finetune.config import FinetuneConfig
from bbert.finetune.plan import make_plan
from bbert.finetune.recipes import RECIPES, overruled, preset
from bbert.finetune.tasks import TASKS

# What the papers (and the scripts that they name) say, typed in by hand: epochs, batch, rate,
# length, warm-up, weight decay, epsilon of AdamW, epoch that counts, seeds.
PAPERS = {
    ("k2020", "xnli"): (2, 32, 5e-5, 128, 0.1, 0.01, 1e-6, "last", 1),
    ("k2020", "ner"): (75, 32, 1e-3, 128, 0.0, 0.0, 1e-8, "best-dev", 5),
    ("chen2022", "xnli"): (5, 32, 2e-5, 128, 0.0, 0.0, 1e-8, "best-dev", 1),
    ("chen2022", "pawsx"): (5, 32, 2e-5, 128, 0.0, 0.0, 1e-8, "best-dev", 1),
    ("chen2022", "ner"): (5, 32, 2e-5, 128, 0.0, 0.0, 1e-8, "best-dev", 1),
    ("chen2022", "pos"): (5, 32, 2e-5, 128, 0.0, 0.0, 1e-8, "best-dev", 1),
    ("pires2019", "ner"): (3, 32, 3e-5, 128, 0.1, 0.01, 1e-8, "last", 1),
    ("pires2019", "pos"): (3, 32, 3e-5, 128, 0.1, 0.01, 1e-8, "last", 1),
    ("muller2021", "ner"): (6, 16, 3.5e-5, 128, 0.1, 0.0, 1e-8, "best-dev", 5),
    ("muller2021", "pos"): (6, 16, 5e-5, 128, 0.1, 0.0, 1e-8, "best-dev", 5),
    ("muller2021", "parsing"): (15, 32, 5e-5, 128, 0.1, 0.0, 1e-8, "best-dev", 5),
}
OPTIONS = ("epochs", "batch_size", "learning_rate", "max_length", "warmup", "weight_decay",
           "adam_epsilon", "selection", "seeds")  # fmt: skip


@pytest.mark.parametrize(("recipe", "task"), list(PAPERS))
def test_values_are_those_of_the_paper(recipe: str, task: str):
    values = preset(recipe, task, on_sample=False)
    assert tuple(values[option] for option in OPTIONS) == PAPERS[recipe, task]


def test_every_recipe_is_held_to_its_paper():
    assert {(recipe, task) for recipe, tasks in RECIPES.items() for task in tasks} == set(PAPERS)


def test_dropout_before_the_task_layer():
    assert all(values["dropout"] == 0.1 for values in RECIPES["pires2019"].values())


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_a_recipe_sets_options_that_exist_for_tasks_that_exist(recipe: str):
    options = set(FinetuneConfig.__dataclass_fields__)
    for task, values in RECIPES[recipe].items():
        assert task in TASKS
        assert set(values) <= options
        assert FinetuneConfig(task=task, recipe=recipe).recipe == recipe
    for task in set(TASKS) - set(RECIPES[recipe]):
        with pytest.raises(ValueError, match=f"--recipe {recipe} has no settings for {task}"):
            FinetuneConfig(task=task, recipe=recipe)


@pytest.mark.parametrize(("recipe", "task"), [("chen2022", "ner"), ("pires2019", "ner")])
def test_a_recipe_of_entities_uses_the_linear_head(
    bert: Path, ner_data: Path, work: Path, recipe: str, task: str
):
    typed = ["--work", str(work), "--model", str(bert), "--task", task, "--recipe", recipe,
             "--data", str(ner_data)]  # fmt: skip
    config = make_plan(parse("finetune", typed)).config
    assert config.head == "linear"
    assert (config.epochs, config.learning_rate) == PAPERS[recipe, task][0:3:2]


def test_a_recipe_runs_and_stands_in_the_results(bert: Path, ner_data: Path, work: Path):
    typed = ["finetune", "--work", str(work), "--model", str(bert), "--data", str(ner_data),
             "--recipe", "muller2021", "--seeds", "1", "--epochs", "1", "--eval-langs", "en",
             "--train-lang", "en", "--name", "run", "--quiet"]  # fmt: skip
    assert main(typed) == 0
    content = json.loads((work / "transfer" / "run" / "results.json").read_text())
    assert content["recipe"] == "muller2021"
    assert content["selection"] == "best-dev"
    assert content["dev"]["split"] == "dev"
    assert content["dev"]["files"] == ["dev-en.tsv"]


def test_a_recipe_that_loses_to_given_options_is_found():
    """As with a configuration file that names every option, and `--recipe` beside it."""
    own = preset("chen2022", "xnli", on_sample=False)
    given = {**own, "epochs": 2, "seeds": 5}
    assert overruled("chen2022", "xnli", given) == {"epochs": own["epochs"]}
    assert overruled("chen2022", "xnli", own) == {}
    assert overruled(None, "xnli", given) == {}
