"""The labels of inference and paraphrase pairs follow from the clauses."""

from __future__ import annotations

from random import Random

from bbert.sample import pawsx
from bbert.sample.clause import TASK_PARTS, Clause, NounPhrase
from bbert.sample.inference import contrary, entailed, triples
from bbert.sample.narrator import Narrator

DOG = NounPhrase("noun", "dog", "black")
RUNS = Clause("intransitive", DOG, "run", time="today", manner="quickly")


def test_less_follows_from_more() -> None:
    narrator = Narrator(Random(0), "test")
    for _ in range(200):
        weaker = entailed(narrator, RUNS)
        assert weaker is not None
        assert not weaker.negated
        assert weaker.time in ("", "today")
        assert weaker.manner in ("", "quickly")
        assert weaker.subject.head in ("dog", "animal")
        assert weaker.key() != RUNS.key()


def test_denial_turns_it_round() -> None:
    narrator = Narrator(Random(0), "test")
    denial = Clause("intransitive", DOG, "run", negated=True)
    for _ in range(50):
        stronger = entailed(narrator, denial)
        assert stronger is not None
        assert stronger.negated
        assert stronger.place or stronger.time
        contradiction = contrary(narrator, denial)
        assert contradiction is not None
        assert not contradiction.negated


def test_every_premise_has_three_labels_and_its_part() -> None:
    for pairs in triples(Narrator(Random(3), "test"), 100):
        assert [pair.label for pair in pairs] == ["entailment", "neutral", "contradiction"]
        assert len({pair.premise for pair in pairs}) == 1
        assert len({pair.hypothesis.key() for pair in pairs}) == 3
        assert pairs[0].premise.part() == "test"
        assert {pair.hypothesis.part() for pair in pairs} <= TASK_PARTS


def test_paraphrases_keep_their_words() -> None:
    from bbert.sample.languages import GRAMMARS

    items = list(pawsx.pairs(Narrator(Random(3), "test"), 200))
    assert sum(item.label for item in items) == 100
    for item in items:
        assert (item.first.key() == item.second.key()) == bool(item.label)
        if item.label:
            first, second = (
                sorted(GRAMMARS["en"].tell(c).text().lower().rstrip(".").split())
                for c in (item.first, item.second)
            )
            assert first == second
