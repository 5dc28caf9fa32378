"""Labelled sentences of a language whose words stand in reverse order.

Labels travel with their words. Of an entity in IOB2 the word that comes first is now another one,
and that one gets the `B-`; in a tree the numbers of the heads change. Texts of pairs are reversed
by the language itself, line by line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bbert.finetune.tasks import parsing
from bbert.finetune.tasks.scores import entities
from bbert.finetune.tasks.task import Example, Sentence

_OF_ENTITIES, _OF_TREES = "ner", "parsing"


def in_reverse(examples: Sequence[Example], task: str) -> list[Example]:
    """The examples with the words of every sentence, and their labels, in reverse order."""
    return [_reversed(e, task) if isinstance(e, Sentence) else e for e in examples]


def _reversed(sentence: Sentence, task: str) -> Sentence:
    labels = sentence.labels[::-1]
    lines = sentence.lines or tuple(range(sentence.line, sentence.line + len(labels)))
    if task == _OF_TREES:
        labels = parsing.in_reverse(sentence)
    if task == _OF_ENTITIES:
        tags = ["O"] * len(sentence.labels)
        for kind, start, end in entities(sentence.labels):
            first = len(tags) - end
            tags[first] = f"B-{kind}"
            tags[first + 1 : len(tags) - start] = [f"I-{kind}"] * (end - start - 1)
        labels = tuple(tags)
    return replace(sentence, words=sentence.words[::-1], labels=labels, lines=lines[::-1])
