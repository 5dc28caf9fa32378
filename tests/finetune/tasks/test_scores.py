"""Scores against seqeval and scikit-learn."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score

from bbert.finetune.tasks import load_task
from bbert.finetune.tasks.scores import (
    accuracy,
    chunk_f1,
    constant_entity_f1,
    entity_scores,
    majority_share,
)

IOB_TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def label_pairs(tags: list[str]):
    """Gold and predicted labels of a few sentences, of equal lengths, legal or not."""
    word = st.tuples(st.sampled_from(tags), st.sampled_from(tags))
    return st.lists(st.lists(word, min_size=1, max_size=8), min_size=1, max_size=5).map(
        lambda sentences: (
            [[gold for gold, _ in s] for s in sentences],
            [[found for _, found in s] for s in sentences],
        )
    )


@settings(deadline=None)
@given(label_pairs(IOB_TAGS))
def test_entities_as_seqeval_in_strict_iob2(pair):
    gold, predicted = pair
    options = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    scores = entity_scores(gold, predicted)
    assert scores["entity_f1"] == pytest.approx(f1_score(gold, predicted, **options))
    assert scores["precision"] == pytest.approx(precision_score(gold, predicted, **options))
    assert scores["recall"] == pytest.approx(recall_score(gold, predicted, **options))


@settings(deadline=None)
@given(label_pairs(IOB_TAGS))
def test_chance_of_entities_is_the_best_constant_prediction(pair):
    gold, _ = pair
    constant = (
        f1_score(gold, [[tag] * len(tags) for tags in gold], mode="strict", scheme=IOB2,
                 zero_division=0)
        for tag in IOB_TAGS
    )  # fmt: skip
    assert constant_entity_f1(gold) == pytest.approx(max(constant))


def test_chance_of_entities_worked_out():
    gold = [["B-LOC", "O", "B-LOC", "B-PER", "I-PER"], ["B-PER", "O"]]
    assert constant_entity_f1(gold) == pytest.approx(2 * 2 / (7 + 4))
    assert constant_entity_f1([["B-PER", "I-PER"]]) == constant_entity_f1([["O"]]) == 0


def test_chunk_f1_counts_runs_of_a_tag():
    gold = [["DET", "NOUN", "NOUN", "VERB"]]
    assert chunk_f1(gold, [["DET", "NOUN", "NOUN", "VERB"]]) == 1
    assert chunk_f1(gold, [["DET", "NOUN", "VERB", "VERB"]]) == pytest.approx(1 / 3)


def test_chunk_f1_tells_all_tags_apart():
    for tag, other in [("SCONJ", "CCONJ"), ("X", "_")]:  # the last one is what a lost word gets
        assert chunk_f1([["PRON", tag, "VERB"]], [["PRON", tag, "VERB"]]) == 1
        found = chunk_f1([["PRON", tag, "VERB"]], [["PRON", other, "VERB"]])
        assert found == pytest.approx(2 / 3)
    # also at the end of a sentence, where the words are that were cut off
    assert chunk_f1([["PRON", "VERB"]], [["PRON", "_"]]) == pytest.approx(1 / 2)
    # as seqeval 0.0.12: S begins and ends a chunk
    assert chunk_f1([["SYM", "SYM"]], [["SYM", "NOUN"]]) == pytest.approx(1 / 2)
    assert chunk_f1([["NOUN", "NOUN"]], [["NOUN", "SYM"]]) == 0


@settings(deadline=None)
@given(label_pairs(["a", "b", "c"]))
def test_accuracy_and_chance_as_scikit_learn(pair):
    gold, predicted = pair
    flat = [label for sentence in gold for label in sentence]
    flat_predicted = [label for sentence in predicted for label in sentence]
    assert accuracy(gold, predicted) == pytest.approx(accuracy_score(flat, flat_predicted))
    constant = DummyClassifier(strategy="most_frequent").fit([[0]] * len(flat), flat)
    expected = constant.score([[0]] * len(flat), flat)
    assert majority_share(gold) == pytest.approx(expected)


@pytest.mark.realdata
def test_a_whole_test_set_as_seqeval(real_data: Path):
    task = load_task("ner")
    gold = [list(s.labels) for s in task.read([real_data / "panx" / "dev-hi.tsv"], "hi")]
    rng = random.Random(0)
    predicted = [
        [rng.choice(IOB_TAGS) if rng.random() < 0.2 else tag for tag in tags] for tags in gold
    ]
    expected = f1_score(gold, predicted, mode="strict", scheme=IOB2)
    assert task.score(gold, predicted)["entity_f1"] == pytest.approx(expected, abs=1e-12)
    assert 0 < expected < 1
