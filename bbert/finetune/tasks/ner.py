"""`ner`: named entities in IOB2, as in PAN-X/WikiANN and CoNLL-2002; scored by whole entities.

The labels are those of the training file. A tag outside them, or one that IOB2 forbids, stops the
run with its file and line: repairing gold data would change what the score means.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.find_files import matching
from bbert.finetune.tasks.scores import entity_scores
from bbert.finetune.tasks.task import Example, Labels, Sentence, Task
from bbert.finetune.tasks.word_columns import line_of, read_word_columns, write_word_columns

OUTSIDE = "O"
PATTERNS = (
    "{split}-{language}.tsv",  # XTREME
    "{language}.{split}.conll",  # WikiANN, CoNLL-2002
    "{language}/{split}",  # PAN-X as released
    "{language}/{split}.tsv",
    "{language}/{split}.conll",
)


def find(folder: Path, language: str, split: str) -> list[Path]:
    return matching(folder, PATTERNS, language, split)


def read(files: Sequence[Path], language: str) -> list[Example]:
    """Sentences whose tags are legal IOB2.

    Raises:
        InputError: a tag that IOB2 does not have or forbids there, with file and line.
    """
    sentences: list[Example] = []
    for file in files:
        for sentence in read_word_columns(file, language):
            _check_iob2(sentence)
            sentences.append(sentence)
    return sentences


def label_set(examples: Sequence[Example]) -> tuple[str, ...]:
    """`O`, then `B-` and `I-` of every entity type of the training data, sorted by type.

    Raises:
        InputError: the training data have no entity.
    """
    tags = {tag for example in examples for tag in example.labels}
    types = sorted({tag[2:] for tag in tags if tag != OUTSIDE})
    if not types:
        raise InputError(f"{examples[0].file}: no entity in the training data; nothing to learn")
    return (OUTSIDE, *(f"{prefix}-{kind}" for kind in types for prefix in "BI"))


def score(gold: Labels, predicted: Labels) -> dict[str, float]:
    return entity_scores(gold, predicted)


def chance(gold: Labels) -> float:
    """The best constant predictor says `O` everywhere and finds no entity."""
    return 0.0


def _check_iob2(sentence: Sentence) -> None:
    before = OUTSIDE
    for word, tag in enumerate(sentence.labels):
        if tag != OUTSIDE and (tag[:2] not in ("B-", "I-") or len(tag) < 3):
            raise InputError(
                f"{line_of(sentence, word)}: {tag!r} is no IOB2 tag (O, B-TYPE or I-TYPE)"
            )
        if tag[0] == "I" and before[2:] != tag[2:]:
            raise InputError(
                f"{line_of(sentence, word)}: {tag} after {before} is illegal in IOB2: "
                f"an entity begins with B-{tag[2:]}"
            )
        before = tag


TASK = Task(
    name="ner",
    unit="words",
    metric="entity_f1",
    metric_definition=(
        "micro-averaged F1 of whole entities, strict IOB2 (seqeval mode='strict', scheme=IOB2): "
        "an I- tag that continues no entity of its type is no entity; share of 1"
    ),
    chance_definition="the best constant predictor, O everywhere: 0",
    heads=("linear",),
    folders=("panx", "wikiann", "conll2002"),
    looked_for="SPLIT-LANGUAGE.tsv, LANGUAGE.SPLIT.conll, LANGUAGE/SPLIT",
    find=find,
    read=read,
    label_set=label_set,
    missing_label=OUTSIDE,
    score=score,
    chance=chance,
    write=write_word_columns,
    extension="conll",
)
