"""Counts of task files as `bbert finetune` reads them: examples, labels, schemes, what is too long.

    python benchmarks/task_files.py DATA [MODEL]

Reads every task, language and split that it finds in DATA (a folder as --data takes it) and prints
one Markdown row each. With MODEL (a model folder) the examples are cut into its word-pieces, and
the row says how many are longer than 128.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import encode_examples
from bbert.finetune.model_folder import find_model
from bbert.finetune.tasks import TASKS, load_task
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.task import Task
from bbert.languages import Language

LANGUAGES = ("en", "es", "hi", "ru", "it", "fr")
SPLITS = ("train", "dev", "test")
MAX_LENGTH = 128
HEAD = (
    "task",
    "files",
    "language",
    "split",
    "examples",
    "labels",
    "chance %",
    "too long",
    "noticed",
)


def main(data: Path, model: str | None) -> None:
    pieces = PieceIds(find_model(Path("none"), model)) if model else None
    print("| " + " | ".join(HEAD) + " |")
    print("|" + "---|" * len(HEAD))
    tasks = {name: load_task(name) for name in TASKS}
    for task in tasks.values():
        folders = [data, *(data / name for name in task.folders)]
        for folder in filter(Path.is_dir, folders):
            for language in LANGUAGES:
                for split in SPLITS:
                    show(task, folder, data, language, split, pieces)


def show(
    task: Task, folder: Path, data: Path, language: str, split: str, pieces: PieceIds | None
) -> None:
    """One row, or nothing where there are no files."""
    files = task.find(folder, language, split)
    if not files:
        return
    place = folder.relative_to(data)
    reading = Reading()
    try:
        examples = task.read(files, language, reading)
    except InputError as error:
        if "no pair in" in str(error):
            return
        print(f"| {task.name} | {place} | {language} | {split} | refused: {error} |")
        return
    gold = [example.labels for example in examples]
    notes = reading.notes()
    notes.pop("encoding") if notes.get("encoding") == "utf-8" else None
    too_long = ""
    if pieces is not None:
        labels = task.label_set(examples)
        encoded = encode_examples(
            examples, Language.parse(language), pieces, labels, MAX_LENGTH, too_long="wrong",
            arcs=task.arcs,
        )  # fmt: skip
        too_long = f"{encoded.counts['truncated_examples']:,}"
    cells = (
        task.name, f"{place} ({len(files)})", language, split, f"{len(examples):,}",
        f"{sum(map(len, gold)):,}", f"{100 * task.chance(gold):.1f}", too_long,
        ", ".join(f"{what.replace('_', ' ')} {value}" for what, value in notes.items()),
    )  # fmt: skip
    print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
