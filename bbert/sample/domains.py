"""Other text than the sample's own, to test on: what another domain costs, beside what another
language costs.

Three kinds of English and the English test sentences in Spanish, as in Muller et al. 2021, table 2:

    literature   long sentences: reported speech, adverbials first, adjectives
    web          headlines: no article, no full stop, every word with a capital
    ugc          typed in haste (user-generated content): no capitals, no full stop, slips in words
    translation  the sentences of the English test set, told in Spanish

Every sentence is of the test part (`clause.PARTS`); tags and trees are those of the words.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from bbert.sample import world
from bbert.sample.clause import Clause, NounPhrase
from bbert.sample.draw import zipf
from bbert.sample.narrator import Narrator
from bbert.sample.sentence import Sentence

SLIP = 0.3
"""Share of the words of four letters and more in which the hasty slip."""


def literary(narrator: Narrator, count: int) -> list[Clause]:
    """`count` different long clauses of the narrator's part."""
    found: dict[Clause, None] = {}
    while len(found) < count:
        clause = _embellished(narrator, narrator.free())
        if narrator.permitted(clause):
            found[clause] = None
    return list(found)


def _embellished(narrator: Narrator, clause: Clause) -> Clause:
    """`clause` with adjectives, a place or a time said first and, half the time, a speaker."""
    clause = clause._replace(
        subject=_described(narrator, clause.subject),
        object=_described(narrator, clause.object) if clause.object else None,
    )
    if clause.frame in ("transitive", "intransitive") and not clause.place:
        place = narrator.fill(("city", "building", "country"), clause.verb + " at")
        clause = clause._replace(relation="in", place=narrator.definite(place), front="place")
    elif clause.verb and not clause.time and not clause.manner:
        clause = clause._replace(time="today", front="time")
    if not clause.speaker and narrator.chance(0.5):
        speaker = narrator.fill(("name", "role"), "say")
        clause = clause._replace(speaker=speaker, speech_verb=zipf(world.SPEECH)(narrator.random))
    return clause


def _described(narrator: Narrator, phrase: NounPhrase) -> NounPhrase:
    if phrase.kind != "noun" or phrase.adjective:
        return phrase
    suitable = world.ADJECTIVES_OF[world.CLASS_OF[phrase.head]]
    return phrase._replace(adjective=zipf(suitable, phrase.head)(narrator.random))


def as_headlines(sentences: list[Sentence]) -> Iterator[Sentence]:
    """The sentences without articles and full stops, every word with a capital."""
    for sentence in sentences:
        kept = _without(sentence, "DET", "PUNCT")
        for word in kept:
            word.form = word.form[:1].upper() + word.form[1:]
        yield kept


def as_typed_in_haste(sentences: list[Sentence], random: Random) -> Iterator[Sentence]:
    """The sentences without capitals and full stops, with letters swapped, left out or doubled."""
    for sentence in sentences:
        kept = _without(sentence, "PUNCT")
        for word in kept:
            word.form = word.form.lower()
            if len(word.form) >= 4 and random.random() < SLIP:
                word.form = _with_slip(word.form, random)
        yield kept


def _with_slip(form: str, random: Random) -> str:
    at = random.randrange(1, len(form) - 1)
    before, letter, after = form[:at], form[at], form[at + 1 :]
    return random.choice(
        (before + after[0] + letter + after[1:], before + after, before + letter + letter + after)
    )


def _without(sentence: Sentence, *tags: str) -> Sentence:
    """The sentence without the words of some tags; nothing hangs on those."""
    sentence.words = [word for word in sentence if word.upos not in tags]
    return sentence
