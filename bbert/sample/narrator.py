"""Draws clauses from the world: who does what to whom.

Every telling (a language, a part of the sample) has a random stream of its own, so the same facts
come out in other words and another order in each language, and no two texts are parallel.
"""

from __future__ import annotations

from random import Random

from bbert.sample import world
from bbert.sample.clause import Clause, NounPhrase
from bbert.sample.draw import Draw, slot, zipf
from bbert.sample.people import PEOPLE, Person

DESCRIBED = world.NOUNS[: -len(world.CLASSES["general"])]  # nouns that have properties
# Draws that every other clause needs: `zipf` would hash all the items again to find them.
ANYBODY = zipf(PEOPLE)
ANYTHING_DESCRIBED = zipf(DESCRIBED)
VERBS = {frame: zipf(tuple(verbs)) for frame, verbs in world.VERBS_OF_FRAME.items()}


class Narrator:
    """Tells clauses of one part of the sample; `random` is its own stream."""

    def __init__(self, random: Random, part: str) -> None:
        self.random = random
        self.part = part
        self.frames = Draw(
            ("transitive", "intransitive", "transfer", "dwell", "motion", "property", "location"),
            (0.42, 0.13, 0.09, 0.09, 0.08, 0.14, 0.05),
        )

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    # --- noun phrases ---

    def person(self, person: Person | None = None, full: float = 0.4) -> NounPhrase:
        """Name a person (a random one by default): full name, first name or surname."""
        person = person or ANYBODY(self.random)
        kind = self.random.random()
        first = person.first if kind < full or kind > full + (1 - full) * 0.3 else ""
        surname = person.surname if kind < full + (1 - full) * 0.3 else ""
        return NounPhrase("person", first, surname=surname, female=person.female)

    def noun(self, noun: str, adjective: float = 0.25) -> NounPhrase:
        """A common noun, sometimes with an adjective that suits it."""
        chosen = ""
        if self.chance(adjective):
            chosen = zipf(world.ADJECTIVES_OF[world.CLASS_OF[noun]], noun)(self.random)
        return NounPhrase("noun", noun, chosen, self.chance(0.65))

    def entity(self, concept: str) -> NounPhrase:
        """The phrase for whatever a slot holds."""
        if concept == "name":
            return self.person()
        if concept in world.CLASS_OF:
            return self.noun(concept)
        return NounPhrase("organisation" if concept in world.ORGANISATIONS else "place", concept)

    def definite(self, phrase: NounPhrase) -> NounPhrase:
        return phrase if phrase.definite else phrase._replace(definite=True)

    def fill(self, options: tuple[str, ...], partner: str) -> NounPhrase:
        return self.entity(slot(options, partner)(self.random))

    # --- clauses ---

    def free(self) -> Clause:
        """A clause about anything."""
        return self.of_frame(self.frames(self.random))

    def of_frame(self, frame: str, subject: NounPhrase | None = None, verb: str = "") -> Clause:
        """A clause of one frame, its open slots filled at random."""
        if frame == "property":
            noun = ANYTHING_DESCRIBED(self.random)
            return self.property(subject or NounPhrase("noun", noun))
        if frame == "location":
            subject = subject or self.definite(self.fill(("building", "animal", "thing"), "where"))
            place = self.fill(("city", "garden", "house"), subject.head)
            return Clause(frame, subject, relation="in", place=place)
        verb = verb or VERBS[frame](self.random)
        slots = world.VERBS_OF_FRAME[frame][verb]
        subject = subject or self.fill(slots[0], verb + " by")
        if subject.head in world.MASS_NOUNS or self.chance(0.3):
            subject = self.definite(subject)
        thing = second = recipient = place = None
        relation = ""
        if frame in ("transitive", "transfer"):
            thing = self.fill(slots[1], verb)
        if frame == "transitive" and self.chance(0.08):
            other = self.fill(slots[1], verb)
            if thing and other.head != thing.head:
                second = other
        elif frame == "transfer":
            recipient = self.fill(slots[2], verb + " to")
        elif frame == "dwell":
            relation = "near" if self.chance(0.12) else "in"
            place = self.definite(self.fill(slots[1], verb))
        elif frame == "motion":
            place = self.definite(self.fill(slots[2], verb))
            relation = slots[1]
        clause = Clause(frame, subject, verb, thing, second, recipient, relation, place)
        return self.modified(clause)

    def property(self, subject: NounPhrase) -> Clause:
        """Says an adjective of `subject`."""
        alike = world.CLASS_OF.get(subject.head) or (
            "role" if subject.kind == "person" else "general"
        )
        adjective = zipf(world.ADJECTIVES_OF[alike], subject.head)(self.random)
        very, negated = self.chance(0.25), self.chance(0.1)
        bare = subject._replace(adjective="")
        return Clause("property", bare, adjective=adjective, very=very, negated=negated)

    def modified(self, clause: Clause) -> Clause:
        """Sometimes negate `clause` or add a time, a manner, a place or a speaker."""
        roll = self.random.random()
        if roll < 0.1:
            clause = clause._replace(negated=True)
        elif roll < 0.25:
            time = zipf(world.TIMES, clause.verb)(self.random)
            front = "time" if time != "always" and self.chance(0.4) else ""
            clause = clause._replace(time=time, front=front)
        elif roll < 0.4 and clause.verb in world.MANNERS_OF:
            clause = clause._replace(manner=zipf(world.MANNERS_OF[clause.verb])(self.random))
        elif roll < 0.52 and clause.frame in ("transitive", "intransitive"):
            place = self.definite(self.fill(("city", "building", "country"), clause.verb + " at"))
            relation = "near" if self.chance(0.2) else "in"
            front = "place" if self.chance(0.25) else ""
            clause = clause._replace(relation=relation, place=place, front=front)
        if self.chance(0.06):
            speaker = self.fill(("name", "role"), "say")
            clause = clause._replace(speaker=speaker, speech_verb=zipf(world.SPEECH)(self.random))
        return clause

    def permitted(self, clause: Clause) -> bool:
        """Whether `clause` belongs to this part and nobody in it acts on himself."""
        return clause.part() == self.part and self.sensible(clause)

    def sensible(self, clause: Clause) -> bool:
        """Whether nobody in `clause` acts on himself."""
        agents = (clause.subject, clause.object, clause.second_object, clause.recipient)
        phrases = (*agents, clause.speaker, clause.object and clause.object.of)
        names = [(p.head, p.surname) for p in phrases if p and p.kind == "person"]
        return len(set(names)) == len(names)
