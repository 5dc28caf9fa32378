"""Articles of the sample: several sentences about one person, city, animal or company."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from bbert.sample import world
from bbert.sample.clause import Clause, NounPhrase
from bbert.sample.draw import Draw, zipf
from bbert.sample.narrator import ANYBODY, Narrator
from bbert.sample.people import PEOPLE, Person

SECTIONS = {  # the headings of an article, after a first section that has none
    "person": ("life", "work"),
    "place": ("people", "economy"),
    "noun": ("life",),
    "organisation": ("people", "work"),
}
TOPICS = Draw(("person", "place", "noun", "organisation"), (0.6, 0.16, 0.14, 0.1))
ON_TOPIC = 0.72  # share of an article's clauses that are about its topic
FIRST_YEAR = 1800


class Article(NamedTuple):
    """An article before it is told; `year` sets articles on one topic apart in their titles."""

    topic: NounPhrase
    year: int
    sections: list[tuple[str, list[Clause]]]  # heading (the first has none) and clauses


class Plot(NamedTuple):
    """What an article is about: its first clause, and a source of more on the same topic."""

    first: Clause
    more: Callable[[], Clause]


@cache
def verbs_of(frame: str, subjects: tuple[str, ...]) -> tuple[str, ...]:
    """The verbs of a frame that take one of `subjects` as their subject."""
    verbs = world.VERBS_OF_FRAME[frame]
    return tuple(v for v, slots in verbs.items() if not set(subjects).isdisjoint(slots[0]))


class Reporter(Narrator):
    """A narrator who keeps to a topic for a whole article."""

    def articles(self, sentences: int) -> Iterator[Article]:
        """Articles until about `sentences` sentences are told."""
        told = 0
        number = 0
        while told < sentences:
            article = self.article(FIRST_YEAR + number)
            told += sum(len(clauses) for _, clauses in article.sections)
            number += 1
            yield article

    def article(self, year: int) -> Article:
        """One article; all its clauses belong to the narrator's part of the sample."""
        kind = TOPICS(self.random)
        if kind == "person":
            plot = self.about_person(ANYBODY(self.random))
        elif kind == "place":
            plot = self.about_city(zipf(world.CITIES)(self.random))
        elif kind == "noun":
            plot = self.about_animal(zipf(world.CLASSES["animal"])(self.random))
        else:
            plot = self.about_organisation(zipf(world.ORGANISATIONS)(self.random))
        sections = [
            (heading, self.section(plot, opening=not heading)) for heading in ("", *SECTIONS[kind])
        ]
        return Article(plot.first.subject, year, sections)

    def section(self, plot: Plot, opening: bool) -> list[Clause]:
        """Two to five clauses, most of them on the topic."""
        clauses = [plot.first] if opening and self.permitted(plot.first) else []
        wanted = self.random.randrange(2, 6)
        while len(clauses) < wanted:
            clause = plot.more() if self.chance(ON_TOPIC) else self.free()
            if self.permitted(clause) and clause not in clauses:
                clauses.append(clause)
        return clauses

    def about_person(self, person: Person) -> Plot:
        """What somebody is, does and has to do with others; called by name or pronoun."""
        pronoun = NounPhrase("pronoun", "she" if person.female else "he", female=person.female)
        frames = Draw(
            ("transitive", "intransitive", "transfer", "dwell", "motion"),
            (0.5, 0.15, 0.12, 0.12, 0.11),
        )

        def more() -> Clause:
            subject = pronoun if self.chance(0.45) else self.person(person, full=0.2)
            if self.chance(0.4):
                return self.fact(person, subject)
            frame = frames(self.random)
            verb = zipf(verbs_of(frame, ("name",)), person.first)(self.random)
            return self.of_frame(frame, subject, verb)

        topic = NounPhrase("person", person.first, surname=person.surname, female=person.female)
        return Plot(Clause("identity", topic, object=self.job(person)), more)

    def job(self, person: Person) -> NounPhrase:
        role = person.fact("job", world.CLASSES["role"])
        return NounPhrase("noun", role, definite=False, female=person.female)

    def fact(self, person: Person, subject: NounPhrase) -> Clause:
        """One of the facts that follow from who somebody is, said of `subject`."""
        kind = self.random.randrange(7)
        if kind < 2:
            verb, name, places = (
                ("live", "home", world.CITIES),
                ("work", "employer", world.ORGANISATIONS),
            )[kind]
            place = self.entity(person.fact(name, places))
            return self.modified(Clause("dwell", subject, verb, relation="in", place=place))
        if kind < 4:
            verb, thing = (("eat", "food"), ("drive", "vehicle"))[kind - 2]
            owned = self.noun(person.fact(thing, world.CLASSES[thing]))
            return self.modified(Clause("transitive", subject, verb, object=owned))
        if kind == 4:
            job = self.job(person)
            adjective = self.noun(job.head).adjective
            return Clause("identity", subject, object=job._replace(adjective=adjective))
        kin = "friend" if kind == 5 else ("sister" if person.female else "brother")
        friend = PEOPLE[int(person.fact("friend", tuple(map(str, range(40)))))]
        relation = NounPhrase("noun", kin, female=person.female, of=self.person(friend))
        return Clause("identity", subject, object=relation, negated=self.chance(0.1))

    def about_city(self, city: str) -> Plot:
        """Where a city lies, and who lives in it, comes from it or goes there."""
        topic = NounPhrase("place", city)
        country = NounPhrase("place", world.CAPITALS[city])

        def more() -> Clause:
            kind = self.random.randrange(6)
            if kind == 0:
                return Clause("location", topic, relation="in", place=country)
            if kind == 1:
                return self.property(topic)
            if kind == 2:
                located = self.definite(self.fill(("building", "organisation"), city))
                return Clause("location", located, relation="in", place=topic)
            return self.of_frame("motion" if kind == 3 else "dwell")._replace(place=topic)

        capital = NounPhrase("noun", "capital", of=country)
        return Plot(Clause("identity", topic, object=capital), more)

    def about_animal(self, animal: str) -> Plot:
        """What animals of a kind are like and what they do."""
        topic = NounPhrase("noun", animal)
        frames = Draw(("transitive", "intransitive", "dwell"), (0.5, 0.35, 0.15))

        def more() -> Clause:
            if self.chance(0.2):
                return self.property(topic)
            frame = frames(self.random)
            verb = zipf(verbs_of(frame, ("animal", animal)), animal)(self.random)
            return self.of_frame(frame, self.noun(animal), verb)

        return Plot(Clause("identity", topic, object=self.indefinite("animal")), more)

    def about_organisation(self, name: str) -> Plot:
        """Where an organisation is, what it does and who works there."""
        topic = NounPhrase("organisation", name)

        def more() -> Clause:
            kind = self.random.randrange(5)
            if kind == 0:
                home = NounPhrase("place", zipf(world.CITIES, name)(self.random))
                return Clause("location", topic, relation="in", place=home)
            if kind == 1:
                return self.property(topic)
            if kind == 2:
                work = self.of_frame("dwell", verb="work")
                return work._replace(place=topic, relation="in")
            verb = zipf(verbs_of("transitive", ("organisation",)), name)(self.random)
            return self.of_frame("transitive", topic, verb)

        return Plot(Clause("identity", topic, object=self.indefinite("company")), more)

    def indefinite(self, noun: str) -> NounPhrase:
        return NounPhrase("noun", noun, definite=False)
