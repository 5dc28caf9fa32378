"""Where a task's files are in a folder that a user names: the folder itself or a known one below.

One layout serves a whole run, so that training and test data come from one source.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.task import Task

logger = logging.getLogger(__name__)

_SHOWN = 12


@dataclass(frozen=True)
class SplitFiles:
    """The files of one split of one language."""

    split: str
    files: tuple[Path, ...]

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Every file that is read."""
        return self.files


def matching(folder: Path, patterns: Sequence[str], language: str, split: str) -> list[Path]:
    """Files of the first of `patterns` that matches any; `{language}` and `{split}` are filled in.

    A pattern is a glob and may match several files of one split, e.g. of several treebanks.
    """
    for pattern in patterns:
        glob = pattern.format(language=language, split=split)
        found = sorted(path for path in folder.glob(glob) if path.is_file())
        if found:
            return found
    return []


def usable_folders(
    task: Task, data: Path, source_language: str, splits: Sequence[str]
) -> list[Path]:
    """`data` and the task's folders below it, as far as they have one of the `splits`."""
    candidates = [data, *(data / name for name in task.folders if (data / name).is_dir())]
    return [
        folder
        for folder in candidates
        if any(task.find(folder, source_language, split) for split in splits)
    ]


def find_data_folder(
    task: Task, data: Path, source_language: str, splits: Sequence[str] = ("train",)
) -> Path:
    """The folder below (or at) `data` that has one of the `splits` of `source_language`.

    Raises:
        InputError: no such folder or no such file; names the files that are there.
    """
    if not data.is_dir():
        raise InputError(f"--data {data}: no such folder")
    usable = usable_folders(task, data, source_language, splits)
    if not usable:
        raise _missing(task, data, source_language, splits)
    if len(usable) > 1:
        others = ", ".join(str(folder) for folder in usable[1:])
        logger.info("using %s (there is also %s)", usable[0], others)
    return usable[0]


def find_split(task: Task, folder: Path, source_language: str, splits: Sequence[str]) -> SplitFiles:
    """The first of `splits` that `folder` has for a language.

    Raises:
        InputError: it has none; names the files that are there.
    """
    for split in splits:
        files = task.find(folder, source_language, split)
        if files:
            return SplitFiles(split, tuple(files))
    raise _missing(task, folder, source_language, splits)


def not_found(task: Task, folder: Path, language: str, splits: Sequence[str]) -> str:
    """A line that says so, with the names that were looked for."""
    if "_" in language:  # a treebank by its code
        names = " or ".join(f"{language}-ud-{split}.conllu" for split in splits)
        return (
            f"{folder}: no {names} there or in a folder UD_* of it; give the folder of the "
            "treebanks with --data, or other treebanks"
        )
    return (
        f"{folder}: no {' or '.join(splits)} file of task {task.name} for language {language!r} "
        f"(looked for {task.looked_for})"
    )


def _missing(task: Task, folder: Path, language: str, splits: Sequence[str]) -> InputError:
    places = [folder, *(folder / name for name in task.folders)]
    found = sorted(
        {
            str(path.relative_to(folder))
            for place in places
            if place.is_dir()
            for pattern in ("*", "*/*", "*/*/*")  # x-final/en/train.tsv
            for path in place.glob(pattern)
            if path.is_file()
        }
    )
    shown = ", ".join(found[:_SHOWN]) or "nothing"
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return InputError(f"{not_found(task, folder, language, splits)}\nfound: {shown}{more}")
