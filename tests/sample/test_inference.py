"""The labels of inference and paraphrase pairs follow from the clauses."""

from __future__ import annotations

from itertools import chain
from random import Random

import pytest

from bbert.sample import pawsx, world
from bbert.sample.clause import TASK_PARTS, Clause, NounPhrase
from bbert.sample.inference import Pair, contrary, enriched, entailed, triples
from bbert.sample.languages import GRAMMARS
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


@pytest.fixture(scope="module")
def many() -> list[Pair]:
    narrator = Narrator(Random(5), "train")
    return list(chain.from_iterable(triples(narrator, 1_500)))


def test_no_pair_is_one_sentence_twice_in_any_language(many: list[Pair]) -> None:
    """Nor do the two mean the same: what every language says of them differs."""
    for grammar in GRAMMARS.values():
        for premise, hypothesis, _ in many:
            assert grammar.tell(premise).text() != grammar.tell(hypothesis).text()
    assert all(pair.premise.key() != pair.hypothesis.key() for pair in many)


def wrongly_neutral(premise: Clause, hypothesis: Clause) -> str:
    """What the premise says about the hypothesis, by facts of this test's own; "" for nothing."""
    subject = premise.subject
    assert (subject.head, subject.surname) == (hypothesis.subject.head, hypothesis.subject.surname)
    known = {subject.adjective, premise.adjective} - {""}
    known |= {world.ANTONYM[adjective] for adjective in known if adjective in world.ANTONYM}
    told_again = premise._replace(time=hypothesis.time) == hypothesis  # "is young now"
    if hypothesis.frame == "property" and hypothesis.adjective in known and not told_again:
        return "a property that the premise gives or excludes"
    if hypothesis.frame == "location" and premise.place:
        return "a place beside a place"
    if (premise.frame, premise.verb) == (hypothesis.frame, hypothesis.verb):
        before, after = (
            {word for p in (c.object, c.second_object) if p for word in (p.head, p.surname) if word}
            for c in (premise, hypothesis)
        )
        if before != after and before & after:
            return "an object of the premise among others"
    return ""


def test_what_is_neutral_neither_follows_nor_contradicts(many: list[Pair]) -> None:
    neutral = [pair for pair in many if pair.label == "neutral"]
    assert len(neutral) == 1_500
    wrong = [
        (why, GRAMMARS["en"].tell(pair.premise).text(), GRAMMARS["en"].tell(pair.hypothesis).text())
        for pair in neutral
        if (why := wrongly_neutral(pair.premise, pair.hypothesis))
    ]
    assert wrong == []


def test_neutral_pairs_are_of_every_kind(many: list[Pair]) -> None:
    """What was wrong in some of them is not lost in all."""
    hypotheses = [pair.hypothesis for pair in many if pair.label == "neutral"]
    kinds = {hypothesis.frame for hypothesis in hypotheses}
    assert kinds >= {"transitive", "intransitive", "transfer", "dwell", "motion", "property",
                     "location"}  # fmt: skip
    assert any(hypothesis.second_object for hypothesis in hypotheses)
    assert any(h.frame == "property" and h.time for h in hypotheses)


def test_always_is_said_with_a_verb_alone() -> None:
    narrator = Narrator(Random(0), "test")
    young = Clause("property", NounPhrase("noun", "sister"), adjective="young", very=True)
    assert {enriched(narrator, young).time for _ in range(60)} == {"today", "now"}
    assert {enriched(narrator, RUNS._replace(time="", manner="", place=DOG)).time
            for _ in range(2_000)} == set(world.TIMES)  # fmt: skip
