"""Paraphrase pairs that share their words, in the format of PAWS-X.

A paraphrase (1) moves an adverbial or turns a coordination round; what is none (0) lets two
participants or two adjectives change places, so that neither the words nor the moved adverbial tell
the labels apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bbert.sample.clause import TASK_PARTS, Clause
from bbert.sample.grammar import Grammar
from bbert.sample.inference import enriched
from bbert.sample.narrator import Narrator


class Paraphrase(NamedTuple):
    """Two clauses; `label` is 1 if they say the same."""

    first: Clause
    second: Clause
    label: int


def pairs(narrator: Narrator, count: int) -> Iterator[Paraphrase]:
    """`count` pairs of the narrator's part, both labels in turn."""
    told = 0
    while told < count:
        label = told % 2
        first = narrator.of_frame(
            narrator.random.choice(("transitive", "transitive", "transfer", "motion"))
        )
        if narrator.chance(0.7):
            first = enriched(narrator, first)
        if not narrator.permitted(first):
            continue
        second = moved(narrator, first) if label else exchanged(narrator, first)
        if second is None or second == first or not narrator.sensible(second):
            continue
        if second.part() not in TASK_PARTS:
            continue
        if label == 0 and second.key() == first.key():  # only in languages with articles
            continue
        if label == 0 and narrator.chance(0.5):
            second = moved(narrator, second) or second
        told += 1
        yield Paraphrase(first, second, label)


def moved(narrator: Narrator, clause: Clause) -> Clause | None:
    """The same said in another order."""
    options: list[Clause] = []
    if clause.time and clause.time != "always":
        options.append(clause._replace(front="" if clause.front == "time" else "time"))
    if clause.place and clause.frame in ("transitive", "transfer"):
        options.append(clause._replace(front="" if clause.front == "place" else "place"))
    if clause.second_object:
        options.append(clause._replace(object=clause.second_object, second_object=clause.object))
    return narrator.random.choice(options) if options else None


def exchanged(narrator: Narrator, clause: Clause) -> Clause | None:
    """The same words with another meaning."""
    subject, thing, receiver, speaker = (
        clause.subject,
        clause.object,
        clause.recipient,
        clause.speaker,
    )
    options: list[Clause] = []
    if speaker and speaker.kind == subject.kind:
        options.append(clause._replace(speaker=subject, subject=speaker))
    if thing and thing.kind == subject.kind == "person":
        options.append(clause._replace(subject=thing, object=subject))
    if receiver and receiver.kind == subject.kind:
        options.append(clause._replace(subject=receiver, recipient=subject))
    if thing and subject.kind == thing.kind == "noun" and subject.adjective != thing.adjective:
        options.append(
            clause._replace(
                subject=subject._replace(adjective=thing.adjective),
                object=thing._replace(adjective=subject.adjective),
            )
        )
    return narrator.random.choice(options) if options else None


def write_pawsx(path: Path, items: list[Paraphrase], grammar: Grammar) -> None:
    """Write id, the two sentences and the label."""
    lines = ["id\tsentence1\tsentence2\tlabel"]
    for number, item in enumerate(items, start=1):
        first, second = grammar.tell(item.first).text(), grammar.tell(item.second).text()
        lines.append(f"{number}\t{first}\t{second}\t{item.label}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
