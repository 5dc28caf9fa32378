"""The examples of a run: read from their files, subsampled, encoded once for all seeds."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from bbert.errors import InputError
from bbert.finetune.config import resolved
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import EncodedExamples, encode_examples
from bbert.finetune.evaluation_sets import EvaluationSet
from bbert.finetune.plan import Plan
from bbert.finetune.read_examples import ReadExamples, read_evaluation_set
from bbert.finetune.reversed_order import in_reverse
from bbert.finetune.tasks.find_files import SplitFiles
from bbert.finetune.tasks.task import Example
from bbert.languages import Language

logger = logging.getLogger(__name__)

Row = TypeVar("Row")

_TRAIN_PART, _EVAL_PART = range(2)
_USUAL = ("utf-8", "IOB2")


@dataclass(frozen=True)
class ExampleSet:
    """Examples of one split, as text and as ids.

    `language` is theirs, or what their mixture is called; `languages` how many there are of each,
    one language after the other. `second_language` is that of the second text of every pair, where
    it is another; `notes` says what was noticed in the files.
    """

    language: str
    languages: tuple[tuple[Language, int], ...]
    files: SplitFiles
    examples: list[Example]
    encoded: EncodedExamples
    second_language: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def gold(self) -> list[tuple[str, ...]]:
        """The gold labels of every example."""
        return [example.labels for example in self.examples]


@dataclass(frozen=True)
class RunData:
    """Everything a run learns from and is tested on; `dev` is of the source languages."""

    labels: tuple[str, ...]
    train: ExampleSet
    dev: ExampleSet | None
    evaluation: dict[str, ExampleSet]


def load_data(plan: Plan) -> RunData:
    """Read and encode all examples of a run.

    Raises:
        InputError: a file that cannot be used, with its line and what is wrong there.
    """
    config, task = plan.config, plan.task
    pieces = PieceIds(plan.model)
    read: dict[tuple[SplitFiles, str, str], ReadExamples] = {}

    def read_once(rows: EvaluationSet) -> ReadExamples:
        # en and enfake share their files, and so do all sets that are the same texts
        plain = SplitFiles(rows.split, rows.all_files)
        second = rows.second_language.source if rows.second_language else ""
        key = (plain, rows.language.source, second)
        if key not in read:
            read[key] = read_evaluation_set(task, rows, config)
        return read[key]

    def encoded(
        rows: EvaluationSet, name: str, chosen: list[Example], new_types: bool = False
    ) -> ExampleSet:
        language = rows.language
        if language.is_reversed:
            chosen = in_reverse(chosen, task.name)
        ids = encode_examples(
            chosen, language, pieces, labels, resolved(config.max_length),
            second_language=rows.second_language, too_long=resolved(config.too_long),
            arcs=task.arcs, new_types=new_types,
        )  # fmt: skip
        second = rows.second_language.name if rows.second_language else None
        notes = read_once(rows).notes
        _report(name, rows.split, notes, ids)
        _warn_of_unknown_types(name, chosen, labels, ids.counts.get("unknown_types", 0))
        of_language = ((language, len(chosen)),)
        return ExampleSet(language.name, of_language, rows, chosen, ids, second, notes)

    def some_rows(sets: Sequence[EvaluationSet]) -> list[list[Example]]:
        # Not keyed by the seed: every run with this option is tested on the same rows. Rows that
        # were left out count, so that a language that lacks some is tested on the same others.
        every = [read_once(rows).rows for rows in sets]
        chosen = some_of_each(every, config.max_eval_examples, (_EVAL_PART,))
        found = [[row for row in part if row is not None] for part in chosen]
        if not any(found):
            raise InputError(
                f"--max-eval-examples {config.max_eval_examples}: none of the rows drawn from "
                f"{sets[0].files[0]} can be used; give a larger number"
            )
        return found

    def learnt(sets: Sequence[EvaluationSet], chosen: Sequence[list[Example]]) -> ExampleSet:
        name = plan.learned_from
        return _together(
            name,
            [
                encoded(rows, f"{name}, {rows.language.name}" if len(sets) > 1 else name, examples)
                for rows, examples in zip(sets, chosen, strict=True)
                if examples
            ],
        )

    every = [read_once(rows).examples for rows in plan.train]
    labels = task.label_set([example for examples in every for example in examples])
    part = some_of_each(every, config.max_train_examples, (config.seed, _TRAIN_PART))
    train = learnt(plan.train, part)
    _check_there_is_something_to_learn(train)
    dev = learnt(plan.dev, some_rows(plan.dev)) if plan.dev else None
    evaluation = {
        name: encoded(rows, name, some_rows([rows])[0], new_types=task.entities)
        for name, rows in plan.evaluation.items()
    }
    return RunData(labels, train, dev, evaluation)


def _together(name: str, sets: Sequence[ExampleSet]) -> ExampleSet:
    """Sets of several languages as one."""
    if len(sets) == 1:
        return replace(sets[0], language=name)
    files = SplitFiles(sets[0].files.split, tuple(f for s in sets for f in s.files.all_files))
    notes: dict[str, Any] = {}
    for part in sets:
        for what, found in part.notes.items():
            counts = isinstance(found, int) and isinstance(notes.get(what), int)
            notes[what] = notes[what] + found if counts else found
    return ExampleSet(
        name,
        tuple(of_language for part in sets for of_language in part.languages),
        files,
        [example for part in sets for example in part.examples],
        EncodedExamples.joined([part.encoded for part in sets]),
        notes=notes,
    )


def load_data_once(plan: Plan, last: dict[str, Any]) -> RunData:
    """As `load_data`; what is in `last` already is not read and encoded again.

    The runs of a grid often share all their examples. Only the last ones are kept.
    """
    config = plan.config
    options = (
        "task", "train_lang", "train_set", "max_length", "max_train_examples",
        "max_eval_examples", "seed", "encoding", "illegal_tags", "relations", "too_long",
    )  # fmt: skip
    key = (
        plan.model.path, plan.data, plan.train, plan.dev, tuple(plan.evaluation.items()),
        *(getattr(config, option) for option in options),
    )  # fmt: skip
    if last.get("key") != key:
        last.clear()  # before the next ones are read: memory holds one set only
        last.update(key=key, data=load_data(plan))
    return last["data"]


def some_of(examples: list[Row], number: int | None, key: Sequence[int]) -> list[Row]:
    """`number` examples drawn without replacement, in file order; all where there are no more."""
    (chosen,) = some_of_each([examples], number, key)
    return chosen


def some_of_each(
    sets: Sequence[list[Row]], number: int | None, key: Sequence[int]
) -> list[list[Row]]:
    """As `some_of`, drawn from all sets together; each keeps those that are its own."""
    total = sum(map(len, sets))
    if number is None or number >= total:
        return list(sets)
    rows = np.random.default_rng(list(key)).choice(total, number, replace=False)
    rows.sort()
    starts = np.cumsum([0, *map(len, sets)])
    return [
        [examples[row - start] for row in rows[(rows >= start) & (rows < end)].tolist()]
        for examples, start, end in zip(sets, starts.tolist(), starts[1:].tolist(), strict=False)
    ]


def _check_there_is_something_to_learn(train: ExampleSet) -> None:
    first = train.examples[0]
    if len({label for labels in train.gold for label in labels}) < 2:
        raise InputError(
            f"{first.where(0)}: all {len(train.examples):,} training examples have the label "
            f"{first.labels[0]!r}; there is nothing to learn"
        )


def _report(name: str, split: str, notes: dict[str, Any], encoded: EncodedExamples) -> None:
    counts = {key.replace("_", " "): n for key, n in encoded.counts.items() if n}
    counts.pop("unknown types", None)  # has a warning of its own
    said = [f"{n:,} {what}" for what, n in counts.items()]
    in_files = []
    for what, found in notes.items():
        if isinstance(found, int):
            in_files.append(f"{found:,} {what.replace('_', ' ')}")
        elif found not in _USUAL:
            said.append(f"{what.replace('_', ' ')} {found}")
    if in_files:
        said.append(f"{', '.join(in_files)} in its files")
    if said:
        logger.info("%s %s: %s (%d examples read)", name, split, ", ".join(said), len(encoded))


def _warn_of_unknown_types(
    name: str, examples: Sequence[Example], labels: Sequence[str], number: int
) -> None:
    if not number:
        return
    known = set(labels)
    new = {  # type → where it comes first
        tag[2:]: example.where(word)
        for example in reversed(examples)
        for word, tag in enumerate(example.labels)
        if tag not in known
    }
    logger.warning(
        "%s: entities of types that the training data do not have count as missed: %s (%s)",
        name, f"{number:,}", ", ".join(f"{kind}, {where}" for kind, where in sorted(new.items())),
    )  # fmt: skip
