"""The examples of a set of files as texts, and what was noticed while reading them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bbert.errors import InputError
from bbert.finetune.config import FinetuneConfig
from bbert.finetune.evaluation_sets import EvaluationSet
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.task import Example, Task, TextPair


class ReadExamples(NamedTuple):
    """Examples in order, and the notes of `Reading`; `left_out` are the places of missing rows that
    other languages may have."""

    examples: list[Example]
    notes: dict[str, Any]
    left_out: tuple[int, ...] = ()

    @property
    def rows(self) -> list[Example | None]:
        """The rows of the files in order, None where one was left out."""
        rows: list[Example | None] = [*self.examples]
        for place in self.left_out:
            rows.insert(place, None)
        return rows


def read_files(
    task: Task, files: Sequence[Path], language: str, config: FinetuneConfig
) -> ReadExamples:
    """The examples of a source language, read as the options say."""
    reading = Reading(config.encoding)
    if config.illegal_tags is not None:
        reading.illegal_tags = config.illegal_tags
    if config.relations is not None:
        reading.relations = config.relations
    examples = task.read(files, language, reading)
    return ReadExamples(examples, reading.notes(), tuple(reading.left_out))


def read_evaluation_set(task: Task, rows: EvaluationSet, config: FinetuneConfig) -> ReadExamples:
    """The examples of one row of the results; texts of two languages are put together."""
    first = read_files(task, rows.files, rows.language.source, config)
    if rows.second_language is None:
        return first
    second = read_files(task, rows.second_files, rows.second_language.source, config)
    examples, alone = joined(first.rows, second.rows)
    notes = {**first.notes, **({"pairs_without_partner": len(alone)} if alone else {})}
    return ReadExamples(examples, notes, tuple(sorted([*first.left_out, *alone])))


def joined(
    first: Sequence[Example | None], second: Sequence[Example | None]
) -> tuple[list[Example], list[int]]:
    """The first texts of `first` with the second texts of `second`, which are the same pairs.

    Pairs belong together by their ids where all have one, else by their places; None stands in the
    place of a pair that was left out.

    Returns:
        the pairs in the order of `first`, and the places of those of `first` that had no partner
        and are left out.

    Raises:
        InputError: other numbers of pairs without ids, no id in common, other labels.
    """
    left = [(place, pair) for place, pair in enumerate(first) if isinstance(pair, TextPair)]
    right = [pair for pair in second if isinstance(pair, TextPair)]
    by_key = {pair.key: pair for pair in right}
    files = f"{left[0][1].file} and {right[0].file}" if left and right else ""
    if all(by_key) and len(by_key) == len(right) and all(pair.key for _, pair in left):
        found = [(place, pair, by_key.get(pair.key)) for place, pair in left]
    elif len(first) == len(second):
        found = [(place, pair, second[place]) for place, pair in left]
    else:
        raise InputError(
            f"{files}: {len(first):,} and {len(second):,} pairs without ids; which belong together "
            "cannot be told"
        )
    matches = [(a, b) for _, a, b in found if isinstance(b, TextPair)]
    if not matches:
        raise InputError(f"{files}: no pair is in both")
    pairs: list[Example] = []
    for a, b in matches:
        if a.labels != b.labels:
            raise InputError(
                f"{a.where()} and {b.where()}: the same pair with the labels {a.labels[0]!r} and "
                f"{b.labels[0]!r}; are the files parallel?"
            )
        pairs.append(TextPair(a.first, b.second, a.labels, a.file, a.line, a.key))
    return pairs, [place for place, _, b in found if b is None]
