"""Natural language inference in the sample world: what follows from a clause, what contradicts it,
what neither does.

As in MultiNLI a premise has one hypothesis of each label. What follows says less than the premise
(a modifier dropped, a more general noun), or more where the premise is a denial; what contradicts
it denies the premise or what follows from it, or gives the opposite adjective; what is neutral says
something more or something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bbert.sample import world
from bbert.sample.clause import TASK_PARTS, Clause
from bbert.sample.draw import Draw, zipf
from bbert.sample.narrator import Narrator

LABELS = ("entailment", "neutral", "contradiction")
FRAMES = Draw(
    ("transitive", "intransitive", "transfer", "dwell", "motion"), (0.45, 0.2, 0.1, 0.12, 0.13)
)
TIMES_WITHOUT_VERB = tuple(time for time in world.TIMES if time != "always")
"""English and Russian put "always" before a verb: they could not say it of a property."""
TRIES = 8


class Pair(NamedTuple):
    """A premise, a hypothesis and what the generator knows about them."""

    premise: Clause
    hypothesis: Clause
    label: str


def triples(narrator: Narrator, count: int) -> Iterator[tuple[Pair, Pair, Pair]]:
    """`count` different premises of the narrator's part, each with one hypothesis of every label.

    The hypotheses are of any part that the dumps and the parallel text do not tell.
    """
    seen: set[str] = set()
    while len(seen) < count:
        premise = _premise(narrator)
        if premise.key() in seen or not narrator.permitted(premise):
            continue
        found: list[Pair] = []
        for label in LABELS:
            hypothesis = _hypothesis(narrator, premise, label)
            if hypothesis is None:
                break
            found.append(Pair(premise, hypothesis, label))
        else:
            seen.add(premise.key())
            yield found[0], found[1], found[2]


def _premise(narrator: Narrator) -> Clause:
    """A clause with modifiers to leave out; now and then denied."""
    if narrator.chance(0.12):
        return narrator.of_frame("property")
    premise = narrator.of_frame(FRAMES(narrator.random))._replace(speaker=None, speech_verb="")
    for _ in range(narrator.random.randrange(3)):
        premise = enriched(narrator, premise)
    return premise._replace(negated=narrator.chance(0.2))


def _hypothesis(narrator: Narrator, premise: Clause, label: str) -> Clause | None:
    derive = {"entailment": entailed, "neutral": neutral, "contradiction": contrary}[label]
    for _ in range(TRIES):
        clause = derive(narrator, premise)
        if clause is None or clause.key() == premise.key() or not narrator.sensible(clause):
            continue
        if clause.part() in TASK_PARTS:
            return clause
    return None


def enriched(narrator: Narrator, clause: Clause) -> Clause:
    """`clause` with a modifier more, so that there is something to leave out."""
    if not clause.place and clause.frame in ("transitive", "intransitive", "transfer"):
        place = narrator.definite(narrator.fill(("city", "building"), clause.verb + " at"))
        return clause._replace(relation="in", place=place)
    if not clause.time and not clause.manner:
        times = world.TIMES if clause.verb else TIMES_WITHOUT_VERB
        return clause._replace(time=zipf(times, clause.verb)(narrator.random))
    return clause


def entailed(narrator: Narrator, clause: Clause) -> Clause | None:
    """Something that follows from `clause`: with a modifier less or, in a denial, one more."""
    if clause.negated:
        stronger = enriched(narrator, clause)
        return stronger if clause.verb and stronger != clause else None
    weaker = without_modifier(clause)
    for slot in ("subject", "object"):
        phrase = getattr(clause, slot)
        if phrase and phrase.adjective:
            weaker.append(clause._replace(**{slot: phrase._replace(adjective="")}))
    if clause.second_object:
        weaker.append(clause._replace(second_object=None))
    if clause.very:
        weaker.append(clause._replace(very=False))
    general = world.HYPERNYM.get(world.CLASS_OF.get(clause.subject.head, ""))
    if general and clause.verb:
        subject = clause.subject._replace(head=general, adjective="", definite=False, female=False)
        weaker.append(clause._replace(subject=subject))
    if not weaker:
        return None
    chosen = narrator.random.choice(weaker)
    if narrator.chance(0.3):
        return entailed(narrator, chosen) or chosen
    return chosen


def without_modifier(clause: Clause) -> list[Clause]:
    """`clause` without its time, without its manner, without its place; as many as it has."""
    weaker: list[Clause] = []
    if clause.time:
        weaker.append(
            clause._replace(time="", front="" if clause.front == "time" else clause.front)
        )
    if clause.manner:
        weaker.append(clause._replace(manner=""))
    if clause.place and clause.frame in ("transitive", "intransitive", "transfer"):
        front = "" if clause.front == "place" else clause.front
        weaker.append(clause._replace(relation="", place=None, front=front))
    return weaker


def contrary(narrator: Narrator, clause: Clause) -> Clause | None:
    """Something that cannot be true beside `clause`: it, or less than it, turned round."""
    if clause.adjective in world.ANTONYM and not clause.negated and narrator.chance(0.5):
        return clause._replace(adjective=world.ANTONYM[clause.adjective])
    base = clause
    if narrator.chance(0.6) and not clause.negated:
        base = narrator.random.choice([*without_modifier(clause), clause])
    return base._replace(negated=not base.negated, front="")


def neutral(narrator: Narrator, clause: Clause) -> Clause | None:
    """Something that may or may not be true beside `clause`."""
    kind = narrator.random.randrange(3)
    if kind == 0 and clause.frame in ("transitive", "transfer"):
        other = narrator.of_frame(clause.frame, clause.subject, clause.verb)
        if other.speaker or _objects(clause) & _objects(other):
            return None
        return other._replace(negated=narrator.chance(0.2))
    if kind == 1 and clause.negated:
        weaker = without_modifier(clause)
        return narrator.random.choice(weaker) if weaker else None
    if kind == 1:
        stronger = enriched(narrator, clause)
        return stronger if stronger != clause else None
    other = narrator.of_frame(narrator.frames(narrator.random), clause.subject)
    if other.speaker or (other.frame, other.verb) == (clause.frame, clause.verb):
        return None
    if other.frame == "location" and clause.place:  # who eats in Paris is in Paris
        return None
    described = clause.subject.adjective  # the black cat is black, and is not white
    if described and other.adjective in (described, world.ANTONYM.get(described)):
        return None
    return other._replace(negated=narrator.chance(0.2))


def _objects(clause: Clause) -> set[str]:
    """The nouns and names of the objects: "Anna Smith", "Anna" and "Smith" may be one person."""
    phrases = (clause.object, clause.second_object)
    return {word for phrase in phrases if phrase for word in (phrase.head, phrase.surname) if word}
