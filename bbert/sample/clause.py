"""What can be said in the sample world, before any language says it: noun phrases and clauses.

A clause names concepts ("dog", "eat", "london"), never words. Every language tells every clause;
what one language leaves unsaid (Russian has no articles) is kept out of `key`, so two clauses that
could come out as the same sentence in some language always have the same key. The split of clauses
into pretraining text and task data goes by the core of that key, and is therefore the same in every
language.
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

PARTS = {
    "dump": 62,
    "train": 19,
    "dev": 6,
    "test": 8,
    "parallel": 5,
}  # shares of all clauses, percent
TASK_PARTS = frozenset({"train", "dev", "test"})


class NounPhrase(NamedTuple):
    """A noun with its modifiers, or the name of a person, a place or an organisation, or a pronoun.

    `kind` is "noun", "person", "place", "organisation" or "pronoun". `head` is the concept; for a
    person the first name or "" (surname alone), for a pronoun "he" or "she".
    """

    kind: str
    head: str
    adjective: str = ""
    definite: bool = True
    surname: str = ""
    female: bool = False
    of: NounPhrase | None = None  # the possessor: capital of France, friend of Anna

    def key(self) -> str:
        """What every language expresses of this phrase (Hindi has one word for "he" and "she")."""
        owner = self.of.key() if self.of else ""
        head = "pronoun" if self.kind == "pronoun" else self.head
        return f"{head}/{self.adjective}/{self.surname}/{owner}"


class Clause(NamedTuple):
    """One statement in the present tense.

    `frame` is one of "intransitive", "transitive", "transfer", "motion", "dwell" (these have a
    `verb`), "property" (`adjective` said of the subject), "identity" (`object` says what the
    subject is) and "location" (the subject is at `place`). `relation` is "in", "near", "to" or
    "from" and belongs to `place`. `front` is the adverbial said first, "" or "time" or "place": a
    matter of style, not of fact.
    """

    frame: str
    subject: NounPhrase
    verb: str = ""
    object: NounPhrase | None = None
    second_object: NounPhrase | None = None  # joined to the object by "and"
    recipient: NounPhrase | None = None
    relation: str = ""
    place: NounPhrase | None = None
    adjective: str = ""
    very: bool = False
    time: str = ""
    manner: str = ""
    negated: bool = False
    speaker: NounPhrase | None = None  # "Anna says that ..."
    speech_verb: str = ""
    front: str = ""

    def core(self) -> str:
        """Who does what to whom and where: what every language expresses, the objects in
        alphabetical order.

        Denial, time, manner and degree are left out, so that a clause with and without them is of
        one part.
        """
        names = [self.frame, self.subject.key(), self.verb, self.relation, self.adjective]
        if self.second_object and self.object:
            names += sorted((self.object.key(), self.second_object.key()))
        elif self.object:
            names.append(self.object.key())
        for phrase in (self.recipient, self.place, self.speaker):
            names.append(phrase.key() if phrase else "")
        return "|".join(names)

    def key(self) -> str:
        """All that every language expresses of this clause."""
        return (
            f"{self.core()}|{self.time}|{self.manner}|{self.very}|{self.negated}|{self.speech_verb}"
        )

    def part(self) -> str:
        """The part of the sample that may contain this clause: a key of `PARTS`."""
        share = crc32(self.core().encode()) % 100
        for name, percent in PARTS.items():
            if share < percent:
                return name
            share -= percent
        raise AssertionError("PARTS must add up to 100")
