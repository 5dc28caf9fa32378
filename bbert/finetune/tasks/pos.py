"""`pos`: one of the 17 universal parts of speech a word, from CoNLL-U or XTREME's two columns.

Where a folder holds several treebanks of a language, their files of a split are read one after the
other, as XTREME does. `CONJ` of UD version 1 is `CCONJ` in version 2: renamed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.conllu import read_conllu_words, write_conllu_words
from bbert.finetune.tasks.find_files import matching
from bbert.finetune.tasks.scores import accuracy, chunk_f1, majority_share
from bbert.finetune.tasks.task import Example, Labels, Sentence, Task
from bbert.finetune.tasks.word_columns import line_of, read_word_columns

logger = logging.getLogger(__name__)

UNIVERSAL_TAGS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN",
    "PUNCT", "SCONJ", "SYM", "VERB", "X",
)  # fmt: skip
RENAMED = {"CONJ": "CCONJ"}
PATTERNS = (
    "{split}-{language}.tsv",  # XTREME
    "UD_*/{language}[_-]*ud-{split}.conllu",
    "{language}[_-]*ud-{split}.conllu",
    "{language}.{split}.conllu",
)


def find(folder: Path, language: str, split: str) -> list[Path]:
    return matching(folder, PATTERNS, language, split)


def read(files: Sequence[Path], language: str) -> list[Example]:
    """Sentences with universal tags.

    Raises:
        InputError: a tag that is none, with file and line.
    """
    sentences: list[Example] = []
    for file in files:
        if file.suffix == ".conllu":
            found = read_conllu_words(file, _checked)
        else:
            found = [
                Sentence(s.words, _checked_all(s), s.file, s.line)
                for s in read_word_columns(file, language)
            ]
        sentences += found
    return sentences


def label_set(examples: Sequence[Example]) -> tuple[str, ...]:
    return UNIVERSAL_TAGS


def score(gold: Labels, predicted: Labels) -> dict[str, float]:
    return {"accuracy": accuracy(gold, predicted), "chunk_f1": chunk_f1(gold, predicted)}


def _checked_all(sentence: Sentence) -> tuple[str, ...]:
    return tuple(_checked(tag, line_of(sentence, i)) for i, tag in enumerate(sentence.labels))


def _checked(tag: str, where: str) -> str:
    tag = RENAMED.get(tag, tag)
    if tag not in UNIVERSAL_TAGS:
        raise InputError(
            f"{where}: {tag!r} is no universal part of speech ({' '.join(UNIVERSAL_TAGS)})"
        )
    return tag


TASK = Task(
    name="pos",
    unit="words",
    metric="accuracy",
    metric_definition=(
        "share of words with the right tag; chunk_f1 is XTREME's F1 for this task, seqeval's "
        "default on the bare tags, where neighbouring words of one tag are one chunk; shares of 1"
    ),
    chance_definition="the best constant predictor: share of the most frequent gold tag",
    heads=("linear",),
    folders=("udpos", "ud"),
    looked_for="SPLIT-LANGUAGE.tsv, UD_*/LANGUAGE_*-ud-SPLIT.conllu",
    find=find,
    read=read,
    label_set=label_set,
    missing_label="_",
    score=score,
    chance=majority_share,
    write=write_conllu_words,
    extension="conllu",
)
