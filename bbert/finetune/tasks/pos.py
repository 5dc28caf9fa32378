"""`pos`: one of the 17 universal parts of speech a word, from CoNLL-U or XTREME's two columns.

Where a folder holds several treebanks of a language, their files of a split are read one after the
other, as XTREME does. `CONJ` of UD version 1 is `CCONJ` in version 2: renamed and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.conllu import TAG, conllu_sentences, write_tags
from bbert.finetune.tasks.dataset_files import layouts
from bbert.finetune.tasks.find_files import matching
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.scores import accuracy, chunk_f1, majority_share
from bbert.finetune.tasks.task import Example, Labels, Sentence, Task
from bbert.finetune.tasks.word_columns import read_word_columns

UNIVERSAL_TAGS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN",
    "PUNCT", "SCONJ", "SYM", "VERB", "X",
)  # fmt: skip
RENAMED = {"CONJ": "CCONJ"}
TREEBANK_PATTERNS = (
    "UD_*/{language}[_-]*ud-{split}.conllu",
    "ud-treebanks-*/UD_*/{language}[_-]*ud-{split}.conllu",
    "{language}[_-]*ud-{split}.conllu",
    "{language}.{split}.conllu",
)
PATTERNS = ("{split}-{language}.tsv", *TREEBANK_PATTERNS)  # XTREME's columns first
COLUMNS = ("upos", "pos_tags", "pos")


def find(folder: Path, language: str, split: str) -> list[Path]:
    return matching(folder, [*PATTERNS, *layouts(split)], language, split)


def read(files: Sequence[Path], language: str, reading: Reading | None = None, /) -> list[Example]:
    """Sentences with universal tags.

    Raises:
        InputError: a tag that is none, with file and line.
    """
    reading = reading if reading is not None else Reading()
    sentences: list[Example] = []
    for file in files:
        if file.suffix == ".conllu":
            found = [
                rows.sentence([columns[TAG] for columns in rows.columns])
                for rows in conllu_sentences(file, reading)
            ]
        else:
            found = read_word_columns(file, language, COLUMNS, reading)
        sentences += [_checked(sentence, reading) for sentence in found]
    return sentences


def label_set(examples: Sequence[Example]) -> tuple[str, ...]:
    return UNIVERSAL_TAGS


def score(gold: Labels, predicted: Labels) -> dict[str, float]:
    return {"accuracy": accuracy(gold, predicted), "chunk_f1": chunk_f1(gold, predicted)}


def _checked(sentence: Sentence, reading: Reading) -> Sentence:
    tags = []
    for word, tag in enumerate(sentence.labels):
        if tag in RENAMED:
            reading.counts[f"{tag}_as_{RENAMED[tag]}"] += 1
            tag = RENAMED[tag]
        if tag not in UNIVERSAL_TAGS:
            raise InputError(
                f"{sentence.where(word)}: {tag!r} is no universal part of speech "
                f"({' '.join(UNIVERSAL_TAGS)})"
            )
        tags.append(tag)
    return replace(sentence, labels=tuple(tags))


TASK = Task(
    name="pos",
    unit="words",
    metric="accuracy",
    metric_definition=(
        "share of words with the right tag; chunk_f1 is XTREME's F1 for this task, seqeval's "
        "default on the bare tags as before its version 1.0, where neighbouring words of one tag "
        "are one chunk (of SCONJ and SYM each word is one); shares of 1"
    ),
    chance_definition="the best constant predictor: share of the most frequent gold tag",
    heads=("linear",),
    folders=("udpos", "ud"),
    looked_for="SPLIT-LANGUAGE.tsv, UD_*/LANGUAGE_*-ud-SPLIT.conllu, LANGUAGE/SPLIT-*.parquet",
    find=find,
    read=read,
    label_set=label_set,
    missing_label="_",
    score=score,
    chance=majority_share,
    write=write_tags,
    extension="conllu",
    too_long=("window", "wrong"),
)
