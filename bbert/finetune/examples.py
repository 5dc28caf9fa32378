"""The examples of a run: read from their files, subsampled, encoded once for all seeds."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bbert.finetune.config import resolved
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import EncodedExamples, encode_examples
from bbert.finetune.plan import Plan
from bbert.finetune.reversed_order import in_reverse
from bbert.finetune.tasks.find_files import SplitFiles
from bbert.finetune.tasks.task import Example
from bbert.languages import Language

logger = logging.getLogger(__name__)

_TRAIN_PART, _EVAL_PART = range(2)


@dataclass(frozen=True)
class ExampleSet:
    """Examples of one language and split, as text and as ids."""

    language: str
    files: SplitFiles
    examples: list[Example]
    encoded: EncodedExamples

    @cached_property
    def gold(self) -> list[tuple[str, ...]]:
        """The gold labels of every example."""
        return [example.labels for example in self.examples]


@dataclass(frozen=True)
class RunData:
    """Everything a run learns from and is tested on; `dev` is of the source language."""

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
    read: dict[tuple[SplitFiles, str], list[Example]] = {}

    def examples_of(files: SplitFiles, language: Language) -> list[Example]:
        key = (files, language.source)  # en and enfake share their file
        if key not in read:
            read[key] = task.read(files.files, language.source)
        return read[key]

    everything = examples_of(plan.train, plan.train_language)
    labels = task.label_set(everything)

    def encoded(files: SplitFiles, name: str, chosen: list[Example]) -> ExampleSet:
        language = Language.parse(name)
        if language.is_reversed:
            chosen = in_reverse(chosen, task.name)
        ids = encode_examples(chosen, language, pieces, labels, resolved(config.max_length))
        _report_truncation(name, files.split, ids)
        return ExampleSet(name, files, chosen, ids)

    train_part = some_of(everything, config.max_train_examples, (config.seed, _TRAIN_PART))
    train = encoded(plan.train, plan.train_language.name, train_part)

    def evaluation_set(files: SplitFiles, name: str) -> ExampleSet:
        chosen = examples_of(files, Language.parse(name))
        # Not keyed by the seed: every run with this option is tested on the same rows.
        return encoded(files, name, some_of(chosen, config.max_eval_examples, (_EVAL_PART,)))

    dev = evaluation_set(plan.dev, plan.train_language.name) if plan.dev else None
    evaluation = {name: evaluation_set(files, name) for name, files in plan.evaluation.items()}
    return RunData(labels, train, dev, evaluation)


def load_data_once(plan: Plan, last: dict[str, Any]) -> RunData:
    """As `load_data`; what is in `last` already is not read and encoded again.

    The runs of a grid often share all their examples. Only the last ones are kept.
    """
    config = plan.config
    options = (
        "task", "train_lang", "max_length", "max_train_examples", "max_eval_examples", "seed",
    )  # fmt: skip
    key = (
        plan.model.path, plan.data, plan.train, plan.dev, tuple(plan.evaluation.items()),
        *(getattr(config, option) for option in options),
    )  # fmt: skip
    if last.get("key") != key:
        last.clear()  # before the next ones are read: memory holds one set only
        last.update(key=key, data=load_data(plan))
    return last["data"]


def some_of(examples: list[Example], number: int | None, key: Sequence[int]) -> list[Example]:
    """`number` examples drawn without replacement, in file order; all where there are no more."""
    if number is None or number >= len(examples):
        return examples
    rows = np.random.default_rng(list(key)).choice(len(examples), number, replace=False)
    return [examples[row] for row in sorted(rows.tolist())]


def _report_truncation(name: str, split: str, encoded: EncodedExamples) -> None:
    counts = {key.replace("_", " "): n for key, n in encoded.counts.items() if n}
    if counts:
        said = ", ".join(f"{n:,} {what}" for what, n in counts.items())
        logger.info("%s %s: %s (of %d examples)", name, split, said, len(encoded))
