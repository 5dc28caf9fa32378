"""`parsing`: every word's head and relation, from CoNLL-U.

Every sentence must be a tree with one root: one that is not stops the run with its file and line.
Relations are read without their subtypes ("nsubj:pass" → "nsubj"), which the official scorer does
not compare; `--relations subtypes` keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.conllu import HEAD, RELATION, Rows, conllu_sentences, write_conllu
from bbert.finetune.tasks.find_files import matching
from bbert.finetune.tasks.pos import TREEBANK_PATTERNS
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.task import Example, Labels, Sentence, Task
from bbert.finetune.tasks.trees import (
    arc_label,
    arc_of,
    attachment_scores,
    best_chain,
    chain_floors,
    tree_fault,
    universal,
)


def find(folder: Path, language: str, split: str) -> list[Path]:
    return matching(folder, TREEBANK_PATTERNS, language, split)


def read(files: Sequence[Path], language: str, reading: Reading | None = None, /) -> list[Example]:
    """Sentences whose words have heads and relations.

    Raises:
        InputError: a word without a head or a relation, a head outside the sentence, a cycle, no
            root or several; with file and line.
    """
    reading = reading if reading is not None else Reading()
    sentences: list[Example] = []
    for file in files:
        if file.suffix != ".conllu":
            raise InputError(f"{file}: trees are read from CoNLL-U files (.conllu)")
        sentences += [
            rows.sentence(_arcs(rows, reading)) for rows in conllu_sentences(file, reading)
        ]
    return sentences


def label_set(examples: Sequence[Example]) -> tuple[str, ...]:
    """The relations of the training data, sorted."""
    return tuple(sorted({arc_of(label)[1] for example in examples for label in example.labels}))


def write(path: Path, language: str, examples: Sequence[Example], predicted: Labels) -> None:
    """Write CoNLL-U with heads and relations."""
    write_conllu(
        path, language, examples, ([("_", *arc_of(label)) for label in tree] for tree in predicted)
    )


def in_reverse(sentence: Sentence) -> tuple[str, ...]:
    """The labels of the sentence with its words in reverse order: heads move with their words."""
    number = len(sentence.labels)
    arcs = [arc_of(label) for label in reversed(sentence.labels)]
    return tuple(arc_label(number + 1 - head if head else 0, relation) for head, relation in arcs)


def _arcs(rows: Rows, reading: Reading) -> list[str]:
    heads: list[int] = []
    relations: list[str] = []
    for columns, line in zip(rows.columns, rows.lines, strict=True):
        head, relation = columns[HEAD], columns[RELATION]
        if not head.isdecimal():
            raise InputError(f"{rows.file}:{line}: word {columns[0]} has no head ({head!r})")
        if relation in ("", "_"):
            raise InputError(f"{rows.file}:{line}: word {columns[0]} has no relation")
        if reading.relations == "universal":
            reading.counts["relations_without_subtype"] += ":" in relation
            relation = universal(relation)
        heads.append(int(head))
        relations.append(relation)
    fault = tree_fault(heads)
    if fault is not None:
        word, wrong = fault
        raise InputError(f"{rows.file}:{rows.lines[word]}: no tree: {wrong}")
    return [arc_label(*arc) for arc in zip(heads, relations, strict=True)]


TASK = Task(
    name="parsing",
    unit="words",
    metric="las",
    metric_definition=(
        "labelled attachment score of the CoNLL-2018 shared task: share of words with the right "
        "head and universal relation, punctuation included; uas asks for the head alone; shares "
        "of 1"
    ),
    chance_definition=(
        "the better of two trees without a model: every word on the one before it, or on the one "
        "after it, with the relation that is most often right"
    ),
    heads=("biaffine",),
    folders=("ud",),
    looked_for="UD_*/LANGUAGE_*-ud-SPLIT.conllu, LANGUAGE_*-ud-SPLIT.conllu",
    find=find,
    read=read,
    label_set=label_set,
    missing_label="0 _",
    score=attachment_scores,
    chance=best_chain,
    write=write,
    extension="conllu",
    too_long=("window",),
    arcs=True,
    floors=chain_floors,
)
