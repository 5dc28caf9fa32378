"""What was cut off the test examples is said where scores are shown."""

import pytest

from bbert.finetune.recipes import RECIPES
from bbert.finetune.tasks import TASKS, load_task
from bbert.finetune.truncation_notes import truncation_notes

PAIRS = {
    "enfake": {"n": 5000, "labels": 5000, "truncated_examples": 1321},
    "es": {"n": 5000, "labels": 5000, "truncated_examples": 0},
}
WORDS = {
    "en": {"n": 2, "labels": 80, "truncated_examples": 1, "truncated_words": 9},
    "es": {"n": 2, "labels": 70, "truncated_examples": 0, "truncated_words": 0},
}


@pytest.mark.parametrize(
    ("too_long", "languages", "said"),
    [
        ("wrong", PAIRS, "which count as wrong: enfake 1,321 of 5,000 (26.4%)"),
        ("cut", PAIRS, "scored on what is left of them: enfake 1,321 of 5,000 (26.4%)"),
        ("wrong", WORDS, "words beyond --max-length, which count as wrong: en 9 of 80 (11.2%)"),
    ],
)
def test_counts_are_said_with_what_they_did_to_the_score(too_long: str, languages: dict, said: str):
    (sentence,) = truncation_notes(too_long, languages)
    assert said in sentence
    assert "es" not in sentence.partition(":")[2]


def test_nothing_is_said_where_nothing_was_cut():
    assert truncation_notes("wrong", {"es": PAIRS["es"]}) == []
    windows = {"en": {"n": 2, "labels": 80, "truncated_examples": 0, "truncated_words": 0}}
    assert truncation_notes("window", windows) == []
    assert truncation_notes(None, PAIRS) == []  # results of an older version


def test_recipes_of_papers_score_cut_pairs_as_published():
    of_pairs = {task for task in TASKS if load_task(task).unit == "pair"}
    found = {
        (recipe, task): values.get("too_long")
        for recipe, tasks in RECIPES.items()
        for task, values in tasks.items()
    }
    assert {value for (_, task), value in found.items() if task in of_pairs} == {"cut"}
    assert {value for (_, task), value in found.items() if task not in of_pairs} == {None}
