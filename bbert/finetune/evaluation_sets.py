"""What a run is tested on: languages, pairs of languages, and sets with names of their own.

    en            the test set of a language (its development set where there is no test set)
    enfake-es     tasks with two texts: the first of each pair in enfake, the second in es
    news=en:PATH  `--eval-set`: a file, or a folder of the task's files, in a language; a relative
                  path that is not there is looked for in the data folder

Each becomes one row of the results, under its name. What a run learns from (`learning_sets`) are
such sets too: `--train-lang en`, or `en+hi` for both together, or `--train-set news=en:PATH`.
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
from bbert.finetune.treebanks import name_of_files
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
    """An `--eval-set` or a `--train-set` as typed."""

    name: str
    language: str
    path: Path


def parse_named_set(text: str, option: str = "--eval-set") -> NamedSet:
    """`name=language:PATH`; raises ValueError where it is not of that form."""
    parts = _NAMED.fullmatch(text)
    if parts is None:
        raise ValueError(f"{option} {text!r}: give NAME=LANGUAGE:PATH, e.g. news=es:news.conllu")
    return NamedSet(parts["name"], parts["language"], Path(parts["path"]).expanduser())


def set_name(text: str) -> str:
    """`text` as the name of a set: what such names do without becomes "_".

    A set names the file of its predictions, `NAME.EXTENSION`: with a dot in it, `a.b.conll` would
    also be a file of the set `a`.
    """
    return re.sub(r"[^\w+-]", "_", text)


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


def training_languages(train_lang: str) -> list[Language]:
    """The languages of `--train-lang`: one, or several that are learnt together (`en+hi`).

    Raises:
        InputError: no such language, or one twice.
    """
    try:
        languages = [Language.parse(name) for name in train_lang.split("+")]
    except InputError as error:
        raise InputError(f"--train-lang: {error}") from None
    names = [language.name for language in languages]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--train-lang {train_lang} names {repeated[0]} twice")
    return languages


def learning_sets(
    task: Task,
    folder: Path,
    train_lang: str | None,
    named: str | None,
    data: Path,
    split: str,
    treebanks: Sequence[str] = (),
) -> tuple[EvaluationSet, ...]:
    """The files of a split that a run learns from, or chooses by: one set for every language.

    Args:
        task: what is learnt.
        folder: of its files.
        train_lang: the languages, where there is no set of its own.
        named: that set as typed.
        data: the data folder, where `folder` is or what it is itself.
        split: train or dev.
        treebanks: the only ones that are read, as typed; all without any.

    Raises:
        InputError: a file that is not there; names the files that are.
    """
    if named is not None:
        found = parse_named_set(named, "--train-set")
        return (_of_path(task, found, f"--train-set {named}", data, (split,)),)
    languages = training_languages(train_lang or "")
    names = [name_of_files(lang.source, treebanks, "--train-treebank") for lang in languages]
    files = [find_split(task, folder, name, [split]) for name in names]
    return tuple(
        EvaluationSet(found.split, found.files, language)
        for found, language in zip(files, languages, strict=True)
    )


def evaluation_sets(
    task: Task,
    folder: Path,
    names: Sequence[str],
    named: Sequence[str],
    data: Path,
    treebanks: Sequence[str] = (),
) -> dict[str, EvaluationSet]:
    """The rows of the results, in order.

    Args:
        task: what is learnt.
        folder: of its files.
        names: languages and pairs of languages.
        named: sets as typed.
        data: the data folder, where `folder` is or what it is itself.
        treebanks: the only ones of `names` that are read, as typed; all without any.

    Raises:
        InputError: a file that is not there; names the files that are. Two rows of one name.
    """
    sets = {name: _of_languages(task, folder, name, treebanks) for name in names}
    for text in named:
        found = parse_named_set(text)
        if found.name in sets:
            raise InputError(f"--eval-set {text}: there is a row called {found.name!r} already")
        sets[found.name] = _of_path(task, found, f"--eval-set {text}", data, _SPLITS)
    return sets


def _of_languages(task: Task, folder: Path, name: str, treebanks: Sequence[str]) -> EvaluationSet:
    first, second = languages_of(name, task, "--eval-langs")
    called = name_of_files(first.source, treebanks, "--eval-treebank")
    files = find_split(task, folder, called, _SPLITS)
    if second is None:
        return EvaluationSet(files.split, files.files, first)
    others = find_split(task, folder, second.source, [files.split])
    return EvaluationSet(files.split, files.files, first, second, others.files)


def _of_path(
    task: Task, named: NamedSet, typed: str, data: Path, splits: Sequence[str]
) -> EvaluationSet:
    language, second = languages_of(named.language, task, typed.split()[0])
    if second is not None:
        raise InputError(f"{typed}: give one language; pairs go to --eval-langs")
    path = named.path if named.path.exists() else data / named.path
    if path.is_file():
        if "dev" in splits and "test" not in splits:
            raise InputError(
                f"{typed}: a file has no development data for --selection best-dev; give a folder "
                "with both splits"
            )
        return EvaluationSet(_GIVEN, (path.resolve(),), language)
    if not path.is_dir():
        nor = "" if named.path.is_absolute() else f", nor {path}"
        raise InputError(f"{typed}: no such file or folder: {named.path}{nor}")
    folder = find_data_folder(task, path.resolve(), language.source, splits)
    files = find_split(task, folder, language.source, splits)
    return EvaluationSet(files.split, files.files, language)
