"""What a task is: plain functions over examples, no model and no torch.

Two kinds of examples: a sentence whose words carry labels, and a pair of texts that carries one.
The label of a word in a tree is its head and relation in one string, see `trees.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from bbert.finetune.tasks.reading import Reading

TooLong: TypeAlias = Literal["window", "wrong", "cut"]

TOO_LONG: dict[str, str] = {
    "window": "a longer sentence is read in overlapping windows, every word in the one that shows "
    "most of its context: nothing is cut off",
    "wrong": "word-pieces beyond the limit are cut off, and what lost its text (a word its first "
    "word-piece, a pair any) counts as wrong",
    "cut": "the longer text of a pair loses word-pieces first; the pair is scored on what is left",
}
"""What `--too-long` does to a text that has more word-pieces than `--max-length`."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words with one label each.

    `line` is the first line of the sentence in its file; `lines` those of the words, given only
    where they do not follow each other. `text` is the sentence as it was written, where the file
    says so: the words of a treebank are not those of its text ("de", "el" of "del").
    """

    words: tuple[str, ...]
    labels: tuple[str, ...]
    file: Path
    line: int
    lines: tuple[int, ...] = ()
    text: str = ""

    def where(self, word: int) -> str:
        """`file:line` of a word, for messages."""
        return f"{self.file}:{self.lines[word] if self.lines else self.line + word}"


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two texts with one label, which `labels` holds as a tuple of one.

    `key` is the pair's own id in its file, the same in all languages; empty where it has none.
    """

    first: str
    second: str
    labels: tuple[str, ...]
    file: Path
    line: int
    key: str = ""

    def where(self, word: int = 0) -> str:
        """`file:line`, for messages."""
        return f"{self.file}:{self.line}"


Example: TypeAlias = Sentence | TextPair
Labels: TypeAlias = Sequence[Sequence[str]]
"""The labels of every example: one per word, or one."""


class Reader(Protocol):
    """Reads the examples of a source language in order; `reading` has options and takes notes."""

    def __call__(
        self, files: Sequence[Path], language: str, reading: Reading | None = None, /
    ) -> list[Example]: ...


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
        read: (files, source language, reading) → their examples in order.
        label_set: training examples → the labels a model can predict, in the order of their ids.
        missing_label: what counts as predicted where the model saw nothing of a word or cut a pair.
        score: (gold, predicted) → scores as shares of 1.
        chance: gold → the main metric of the best constant predictor.
        write: (file, language, examples, predicted) → writes the task's exchange format.
        extension: of that format.
        too_long: what may happen to texts beyond the model's length; the first is the default.
        arcs: whether a word's label is its head and relation in a tree.
        entities: whether labels are entity tags in IOB2, of which a test set may have more types.
        floors: gold → name of a predictor without a model → its scores; None where chance is all.
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
    read: Reader
    label_set: Callable[[Sequence[Example]], tuple[str, ...]]
    missing_label: str
    score: Callable[[Labels, Labels], dict[str, float]]
    chance: Callable[[Labels], float]
    write: Callable[[Path, str, Sequence[Example], Labels], None]
    extension: str
    too_long: tuple[TooLong, ...]
    arcs: bool = False
    entities: bool = False
    floors: Callable[[Labels], dict[str, dict[str, float]]] | None = None
