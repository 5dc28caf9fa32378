"""`xnli`: does a premise entail a hypothesis, contradict it, or neither?

Training data: MultiNLI as released (`multinli_1.0_train.jsonl` or `.txt`), as machine-translated
for XNLI (`multinli.train.en.tsv`), or XTREME's three columns; development and test data: XNLI-1.0,
where one file holds all languages, or XTREME's; all of it also as files of the `datasets` library.
Pairs without a gold label (`-`) are left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.dataset_files import SPLIT_NAMES, layouts
from bbert.finetune.tasks.find_files import matching
from bbert.finetune.tasks.pair_rows import pair_rows
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.scores import accuracy, majority_share
from bbert.finetune.tasks.task import Example, Labels, Task, TextPair

LABELS = ("contradiction", "entailment", "neutral")
RENAMED = {"contradictory": "contradiction"}  # XNLI's translated MultiNLI
UNDECIDED = "-"  # the annotators did not agree
PATTERNS = (
    "{split}-{language}.tsv",  # XTREME
    "multinli.{split}.{language}.tsv",
    "multinli/multinli.{split}.{language}.tsv",
    "XNLI-MT-1.0/multinli/multinli.{split}.{language}.tsv",
)
ALL_LANGUAGES = (
    "xnli.{split}.tsv",
    "XNLI-1.0/xnli.{split}.tsv",
    "xnli.{split}.jsonl",
    "XNLI-1.0/xnli.{split}.jsonl",
)
"""Files whose rows must say their language."""
ENGLISH_NAMES = {"train": "multinli_1.0_train", "dev": "multinli_1.0_dev_matched"}
ENGLISH_PATTERNS = tuple(
    f"{folder}{{name}}.{suffix}"
    for folder in ("", "multinli_1.0/")
    for suffix in ("jsonl", "txt", "tsv")
)


def find(folder: Path, language: str, split: str) -> list[Path]:
    patterns = [*PATTERNS, *ALL_LANGUAGES]
    if language == "en" and split in ENGLISH_NAMES:
        patterns += [p.format(name=ENGLISH_NAMES[split]) for p in ENGLISH_PATTERNS]
    return matching(folder, [*patterns, *layouts(split, many_languages=True)], language, split)


def read(files: Sequence[Path], language: str, reading: Reading | None = None, /) -> list[Example]:
    """The labelled pairs of a language.

    Raises:
        InputError: a missing column, an unknown label, an empty text, unequal columns, a language
            that the file does not have, a file by whose name and rows the language cannot be told;
            with file and line.
    """
    reading = reading if reading is not None else Reading()
    examples: list[Example] = []
    for file in files:
        for row in pair_rows(file, language, reading, must_say=_must_say(file, language)):
            where = f"{file}:{row.line}"
            if row.label == UNDECIDED:
                reading.counts["pairs_without_gold_label"] += 1
                continue
            label = RENAMED.get(row.label, row.label)
            if label not in LABELS:
                raise InputError(f"{where}: label {label!r} is none of {', '.join(LABELS)}")
            for text, name in ((row.first, "premise"), (row.second, "hypothesis")):
                if not text.strip():
                    raise InputError(f"{where}: the {name} is empty")
            examples.append(TextPair(row.first, row.second, (label,), file, row.line, row.key))
    if not examples:
        raise InputError(f"{files[0]}: no labelled pair for language {language!r}")
    return examples


def _must_say(file: Path, language: str) -> bool:
    """Whether only the rows of a file can say their language: it is called what a file with all
    languages is called, and not what one of this language is."""

    def is_called(patterns: Iterable[str]) -> bool:
        return any(file.match(pattern.format(split="*", language=language)) for pattern in patterns)

    own = (pattern for split in SPLIT_NAMES for pattern in layouts(split))
    every = (
        pattern for split in SPLIT_NAMES for pattern in layouts(split, many_languages=True)
        if "{language}" not in pattern
    )  # fmt: skip
    return is_called((*ALL_LANGUAGES, *every)) and not is_called((*PATTERNS, *own))


def label_set(examples: Sequence[Example]) -> tuple[str, ...]:
    return LABELS


def score(gold: Labels, predicted: Labels) -> dict[str, float]:
    return {"accuracy": accuracy(gold, predicted)}


def write_pairs(path: Path, language: str, examples: Sequence[Example], predicted: Labels) -> None:
    """Write the columns of XNLI and PAWS-X with the prediction as a last one."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("language\tsentence1\tsentence2\tgold_label\tpredicted_label\n")
        for example, labels in zip(examples, predicted, strict=True):
            assert isinstance(example, TextPair)
            texts = (
                " ".join(t.split()) if _breaks(t) else t for t in (example.first, example.second)
            )
            stream.write("\t".join((language, *texts, example.labels[0], labels[0])) + "\n")


def _breaks(text: str) -> bool:
    return any(character in text for character in "\t\n\r")


TASK = Task(
    name="xnli",
    unit="pair",
    metric="accuracy",
    metric_definition="share of pairs with the right label; share of 1",
    chance_definition="the best constant predictor: share of the most frequent gold label",
    heads=("classifier",),
    folders=("xnli",),
    looked_for="SPLIT-LANGUAGE.tsv, multinli.train.LANGUAGE.tsv, multinli_1.0_train.jsonl, "
    "xnli.SPLIT.tsv, LANGUAGE/SPLIT-*.parquet",
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
