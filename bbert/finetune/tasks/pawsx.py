"""`pawsx`: do two sentences that share most of their words say the same (1) or not (0)?

PAWS-X as released (`x-final/<language>/{train,translated_train,dev_2k,test_2k}.tsv`), XTREME's
three columns, or files of the `datasets` library. Pairs that the translators left out (`NS` or an
empty cell for a sentence) are left out here too, and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.dataset_files import layouts
from bbert.finetune.tasks.find_files import matching
from bbert.finetune.tasks.pair_rows import pair_rows
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.scores import accuracy, majority_share
from bbert.finetune.tasks.task import Example, Labels, Task, TextPair
from bbert.finetune.tasks.xnli import write_pairs

LABELS = ("0", "1")
NOT_TRANSLATED = ("", "NS")
NAMES = {"train": ("train", "translated_train"), "dev": ("dev_2k",), "test": ("test_2k",)}
PLACES = ("{language}", "x-final/{language}")


def find(folder: Path, language: str, split: str) -> list[Path]:
    released = [f"{place}/{name}.tsv" for name in NAMES.get(split, ()) for place in PLACES]
    patterns = [*released, "{split}-{language}.tsv", *layouts(split)]
    return matching(folder, patterns, language, split)


def read(files: Sequence[Path], language: str, reading: Reading | None = None, /) -> list[Example]:
    """The labelled pairs of a language.

    Raises:
        InputError: a missing column, an unknown label, unequal columns; with file and line.
    """
    reading = reading if reading is not None else Reading()
    examples: list[Example] = []
    for file in files:
        for row in pair_rows(file, language, reading):
            if row.label not in LABELS:
                raise InputError(
                    f"{file}:{row.line}: label {row.label!r} is none of {', '.join(LABELS)}"
                )
            if row.first.strip() in NOT_TRANSLATED or row.second.strip() in NOT_TRANSLATED:
                reading.counts["pairs_without_translation"] += 1
                reading.left_out.append(len(examples) + len(reading.left_out))
                continue
            examples.append(TextPair(row.first, row.second, (row.label,), file, row.line, row.key))
    if not examples:
        raise InputError(f"{files[0]}: no labelled pair for language {language!r}")
    return examples


def label_set(examples: Sequence[Example]) -> tuple[str, ...]:
    return LABELS


def score(gold: Labels, predicted: Labels) -> dict[str, float]:
    return {"accuracy": accuracy(gold, predicted)}


TASK = Task(
    name="pawsx",
    unit="pair",
    metric="accuracy",
    metric_definition="share of pairs with the right label; share of 1",
    chance_definition="the best constant predictor: share of the most frequent gold label",
    heads=("classifier",),
    folders=("pawsx",),
    looked_for="LANGUAGE/train.tsv, LANGUAGE/translated_train.tsv, LANGUAGE/test_2k.tsv, "
    "SPLIT-LANGUAGE.tsv, LANGUAGE/SPLIT-*.parquet",
    find=find,
    read=read,
    label_set=label_set,
    missing_label="_",
    score=score,
    chance=majority_share,
    write=write_pairs,
    extension="tsv",
    too_long=("wrong", "cut"),
)
