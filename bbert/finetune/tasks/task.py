"""What a task is: plain functions over examples, no model and no torch.

Two kinds of examples: a sentence whose words carry labels, and a pair of texts that carries one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words with one label each; `line` is the first line of the sentence in its file."""

    words: tuple[str, ...]
    labels: tuple[str, ...]
    file: Path
    line: int


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two texts with one label, which `labels` holds as a tuple of one."""

    first: str
    second: str
    labels: tuple[str, ...]
    file: Path
    line: int


Example: TypeAlias = Sentence | TextPair
Labels: TypeAlias = Sequence[Sequence[str]]
"""The labels of every example: one per word, or one."""


@dataclass(frozen=True)
class Task:
    """A task's files, labels, scores and exchange format.

    Attributes:
        name: as in `--task`.
        unit: "words" where every word has a label, "pair" where two texts have one.
        metric: the score that `results.json` reports; a key of what `score` returns.
        metric_definition: one sentence for readers of the results.
        chance_definition: what `chance` is.
        heads: heads that fit; the first is the default.
        folders: names of the folders a data directory may keep the task's files in.
        looked_for: the file names that `find` knows, for messages.
        find: (folder, source language, split) → the files of that split, empty if there are none.
        read: (files, source language) → their examples in order.
        label_set: training examples → the labels a model can predict, in the order of their ids.
        missing_label: what counts as predicted where the model saw nothing of a word.
        score: (gold, predicted) → scores as shares of 1.
        chance: gold → the main metric of the best constant predictor.
        write: (file, language, examples, predicted) → writes the task's exchange format.
        extension: of that format.
    """

    name: str
    unit: Literal["words", "pair"]
    metric: str
    metric_definition: str
    chance_definition: str
    heads: tuple[str, ...]
    folders: tuple[str, ...]
    looked_for: str
    find: Callable[[Path, str, str], list[Path]]
    read: Callable[[Sequence[Path], str], list[Example]]
    label_set: Callable[[Sequence[Example]], tuple[str, ...]]
    missing_label: str
    score: Callable[[Labels, Labels], dict[str, float]]
    chance: Callable[[Labels], float]
    write: Callable[[Path, str, Sequence[Example], Labels], None]
    extension: str
