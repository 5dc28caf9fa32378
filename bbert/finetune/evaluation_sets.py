"""What a run is tested on: languages, pairs of languages, and sets with names of their own.

    en            the test set of a language (its development set where there is no test set)
    enfake-es     tasks with two texts: the first of each pair in enfake, the second in es
    news=en:PATH  `--eval-set`: a file, or a folder of the task's files, in a language; a relative
                  path that is not there is looked for in the data folder

Each becomes one row of the results, under its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bbert.errors import InputError
from bbert.finetune.tasks.find_files import SplitFiles, find_data_folder, find_split
from bbert.finetune.tasks.task import Task
from bbert.languages import Language

_NAMED = re.compile(r"(?P<name>[\w+-]+)=(?P<language>[\w-]+):(?P<path>.+)")
_GIVEN = "given"
_SPLITS = ("test", "dev")


@dataclass(frozen=True)
class EvaluationSet(SplitFiles):
    """The files of one row of the results.

    Attributes:
        language: of the sentences, or of the first text of every pair.
        second_language: of the second text; None where it is the same.
        second_files: where the second texts are; empty where they are in `files`.
    """

    language: Language
    second_language: Language | None = None
    second_files: tuple[Path, ...] = ()

    @property
    def all_files(self) -> tuple[Path, ...]:
        return (*self.files, *self.second_files)


class NamedSet(NamedTuple):
    """An `--eval-set` as typed."""

    name: str
    language: str
    path: Path


def parse_named_set(text: str) -> NamedSet:
    """`name=language:PATH`; raises ValueError where it is not of that form."""
    parts = _NAMED.fullmatch(text)
    if parts is None:
        raise ValueError(f"--eval-set {text!r}: give NAME=LANGUAGE:PATH, e.g. news=es:news.conllu")
    return NamedSet(parts["name"], parts["language"], Path(parts["path"]).expanduser())


def languages_of(name: str, task: Task, option: str) -> tuple[Language, Language | None]:
    """The language called `name`, or the two of a pair.

    Raises:
        InputError: no such language; a pair for a task that has no pairs.
    """
    try:
        return Language.parse(name), None
    except InputError as error:
        for at in (found.start() for found in re.finditer("-", name)):
            try:
                pair = Language.parse(name[:at]), Language.parse(name[at + 1 :])
            except InputError:
                continue
            if task.unit != "pair":
                raise InputError(
                    f"{option}: {name!r} is a pair of languages, and the examples of task "
                    f"{task.name} have one text each; name one language"
                ) from None
            return pair
        raise InputError(f"{option}: {error}") from None


def evaluation_sets(
    task: Task, folder: Path, names: Sequence[str], named: Sequence[str], data: Path
) -> dict[str, EvaluationSet]:
    """The rows of the results, in order.

    Args:
        task: what is learnt.
        folder: of its files.
        names: languages and pairs of languages.
        named: sets as typed.
        data: the data folder, where `folder` is or what it is itself.

    Raises:
        InputError: a file that is not there; names the files that are. Two rows of one name.
    """
    sets = {name: _of_languages(task, folder, name) for name in names}
    for text in named:
        found = parse_named_set(text)
        if found.name in sets:
            raise InputError(f"--eval-set {text}: there is a row called {found.name!r} already")
        sets[found.name] = _of_path(task, found, text, data)
    return sets


def _of_languages(task: Task, folder: Path, name: str) -> EvaluationSet:
    first, second = languages_of(name, task, "--eval-langs")
    files = find_split(task, folder, first.source, _SPLITS)
    if second is None:
        return EvaluationSet(files.split, files.files, first)
    others = find_split(task, folder, second.source, [files.split])
    return EvaluationSet(files.split, files.files, first, second, others.files)


def _of_path(task: Task, named: NamedSet, text: str, data: Path) -> EvaluationSet:
    language, second = languages_of(named.language, task, "--eval-set")
    if second is not None:
        raise InputError(f"--eval-set {text}: give one language; pairs go to --eval-langs")
    path = named.path if named.path.exists() else data / named.path
    if path.is_file():
        return EvaluationSet(_GIVEN, (path.resolve(),), language)
    if not path.is_dir():
        nor = "" if named.path.is_absolute() else f", nor {path}"
        raise InputError(f"--eval-set {text}: no such file or folder: {named.path}{nor}")
    folder = find_data_folder(task, path.resolve(), language.source, _SPLITS)
    files = find_split(task, folder, language.source, _SPLITS)
    return EvaluationSet(files.split, files.files, language)
