"""`xnli`: does a premise entail a hypothesis, contradict it, or neither?

Training data: MultiNLI as released (`multinli_1.0_train.jsonl` or `.txt`), as machine-translated
for XNLI (`multinli.train.en.tsv`), or XTREME's three columns; development and test data: XNLI-1.0,
where one file holds all languages, or XTREME's. Pairs without a gold label (`-`) are left out and
counted.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.find_files import matching
from bbert.finetune.tasks.scores import accuracy, majority_share
from bbert.finetune.tasks.task import Example, Labels, Task, TextPair
from bbert.finetune.tasks.text_lines import read_lines

logger = logging.getLogger(__name__)

LABELS = ("contradiction", "entailment", "neutral")
RENAMED = {"contradictory": "contradiction"}  # XNLI's translated MultiNLI
UNDECIDED = "-"  # the annotators did not agree
PREMISE = ("sentence1", "premise")
HYPOTHESIS = ("sentence2", "hypothesis", "hypo")
LABEL = ("gold_label", "label")
PATTERNS = (
    "{split}-{language}.tsv",  # XTREME
    "multinli.{split}.{language}.tsv",
    "multinli/multinli.{split}.{language}.tsv",
    "XNLI-MT-1.0/multinli/multinli.{split}.{language}.tsv",
    "xnli.{split}.tsv",  # all languages in one file
    "XNLI-1.0/xnli.{split}.tsv",
)
ENGLISH_PATTERNS = tuple(
    f"{folder}multinli_1.0_{{split}}.{suffix}"
    for folder in ("", "multinli_1.0/")
    for suffix in ("jsonl", "txt", "tsv")
)


def find(folder: Path, language: str, split: str) -> list[Path]:
    patterns = (*PATTERNS, *ENGLISH_PATTERNS) if language == "en" else PATTERNS
    return matching(folder, patterns, language, split)


def read(files: Sequence[Path], language: str) -> list[Example]:
    """The labelled pairs of a language.

    Raises:
        InputError: a missing column, an unknown label, an empty text, a row with too few columns, a
            language that the file does not have; with file and line.
    """
    examples: list[Example] = []
    undecided = 0
    for file in files:
        rows = _jsonl_rows(file) if file.suffix == ".jsonl" else _tsv_rows(file, language)
        for number, first, second, label in rows:
            where = f"{file}:{number}"
            if label == UNDECIDED:
                undecided += 1
                continue
            label = RENAMED.get(label, label)
            if label not in LABELS:
                raise InputError(f"{where}: label {label!r} is none of {', '.join(LABELS)}")
            for text, name in ((first, "premise"), (second, "hypothesis")):
                if not text.strip():
                    raise InputError(f"{where}: the {name} is empty")
            examples.append(TextPair(first, second, (label,), file, number))
    if undecided:
        logger.info("%s: %d pairs without a gold label left out", files[0].name, undecided)
    if not examples:
        raise InputError(f"{files[0]}: no labelled pair for language {language!r}")
    return examples


def label_set(examples: Sequence[Example]) -> tuple[str, ...]:
    return LABELS


def score(gold: Labels, predicted: Labels) -> dict[str, float]:
    return {"accuracy": accuracy(gold, predicted)}


def write(path: Path, language: str, examples: Sequence[Example], predicted: Labels) -> None:
    """Write XNLI's columns with the prediction as a last one."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("language\tsentence1\tsentence2\tgold_label\tpredicted_label\n")
        for example, labels in zip(examples, predicted, strict=True):
            assert isinstance(example, TextPair)
            cells = (language, example.first, example.second, example.labels[0], labels[0])
            stream.write("\t".join(cells) + "\n")


def _tsv_rows(file: Path, language: str) -> Iterator[tuple[int, str, str, str]]:
    """(line, premise, hypothesis, label) of the rows in `language`."""
    lines = read_lines(file)
    header = [name.strip() for name in lines[0].split("\t")]
    if not any(name in header for name in (*PREMISE, *HYPOTHESIS, *LABEL)):
        yield from _three_columns(file, lines)
        return
    first, second, label = (_column(header, names, file) for names in (PREMISE, HYPOTHESIS, LABEL))
    of_language = header.index("language") if "language" in header else None
    needed = max(first, second, label, of_language or 0) + 1
    others = set()
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        row = line.split("\t")
        if len(row) < needed:
            raise InputError(
                f"{file}:{number}: {len(row)} columns where the header has {len(header)}"
            )
        if of_language is not None and row[of_language] != language:
            others.add(row[of_language])
            continue
        others.add(language)
        yield number, row[first], row[second], row[label].strip()
    if language not in others:
        raise InputError(f"{file}: no pair in {language!r} (there: {', '.join(sorted(others))})")


def _three_columns(file: Path, lines: Sequence[str]) -> Iterator[tuple[int, str, str, str]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = line.split("\t")
        if len(row) != 3:
            raise InputError(
                f"{file}:{number}: {len(row)} columns; without a header there must be three: "
                "premise, hypothesis, label"
            )
        yield number, row[0], row[1], row[2].strip()


def _jsonl_rows(file: Path) -> Iterator[tuple[int, str, str, str]]:
    for number, line in enumerate(read_lines(file), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{file}:{number}: not JSON ({error.msg})") from None
        if not isinstance(row, dict):
            raise InputError(f"{file}:{number}: expected a JSON object a line")
        names = list(row)
        first, second, label = (
            str(row[names[_column(names, known, file, number)]])
            for known in (PREMISE, HYPOTHESIS, LABEL)
        )
        yield number, first, second, label


def _column(header: Sequence[str], names: Sequence[str], file: Path, line: int = 1) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise InputError(
        f"{file}:{line}: no column {' or '.join(names)} (there: {', '.join(header)[:100]})"
    )


TASK = Task(
    name="xnli",
    unit="pair",
    metric="accuracy",
    metric_definition="share of pairs with the right label; share of 1",
    chance_definition="the best constant predictor: share of the most frequent gold label",
    heads=("classifier",),
    folders=("xnli",),
    looked_for="SPLIT-LANGUAGE.tsv, multinli.train.LANGUAGE.tsv, multinli_1.0_train.jsonl, "
    "xnli.SPLIT.tsv",
    find=find,
    read=read,
    label_set=label_set,
    missing_label="_",
    score=score,
    chance=majority_share,
    write=write,
    extension="tsv",
)
