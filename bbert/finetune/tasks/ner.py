"""`ner`: named entities, scored as whole entities in IOB2.

PAN-X with or without its prefix, WikiANN, CoNLL-2002 and CoNLL-2003, any other file with a word and
its tag a line, and files of the `datasets` library. The tagging scheme is recognised and everything
becomes IOB2, see `tagging_schemes.py`.

The labels are those of the training file. Entities of another type in a test set count as missed,
and are counted (`unknown_types`); in development data they stop the run with file and line. So does
a tag that the scheme of its file forbids, unless `--illegal-tags repair` is given: changing gold
data changes what the score means, so it is asked for and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.dataset_files import layouts
from bbert.finetune.tasks.find_files import matching
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.scores import constant_entity_f1, entity_scores
from bbert.finetune.tasks.tagging_schemes import TAG, detect_scheme, illegal_tags, to_iob2
from bbert.finetune.tasks.task import Example, Labels, Sentence, Task
from bbert.finetune.tasks.word_columns import read_word_columns, write_word_columns

OUTSIDE = "O"
PATTERNS = (
    "{split}-{language}.tsv",  # XTREME
    "{language}.{split}.conll",
    "{language}/{split}",  # PAN-X as released
    "{language}/{split}.tsv",
    "{language}/{split}.conll",
    "{language}/{split}.txt",
)
CONLL_LANGUAGES = {"en": "eng", "de": "deu", "es": "esp", "nl": "ned"}
CONLL_SPLITS = {"train": "train", "dev": "testa", "test": "testb"}
COLUMNS = ("ner_tags", "tags", "ner")


def find(folder: Path, language: str, split: str) -> list[Path]:
    patterns = [*PATTERNS]
    if language in CONLL_LANGUAGES and split in CONLL_SPLITS:  # as the shared tasks named them
        patterns.append(f"{CONLL_LANGUAGES[language]}.{CONLL_SPLITS[split]}")
    return matching(folder, [*patterns, *layouts(split)], language, split)


def read(files: Sequence[Path], language: str, reading: Reading | None = None, /) -> list[Example]:
    """Sentences with IOB2 tags.

    Raises:
        InputError: a tag that is none, or (unless illegal tags are repaired) one that its scheme
            forbids there, with file and line.
    """
    reading = reading if reading is not None else Reading()
    sentences: list[Example] = []
    for file in files:
        sentences += _in_iob2(file, read_word_columns(file, language, COLUMNS, reading), reading)
    return sentences


def label_set(examples: Sequence[Example]) -> tuple[str, ...]:
    """`O`, then `B-` and `I-` of every entity type of the training data, sorted by type.

    Heads that know the tagging scheme rely on this order.

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


def _in_iob2(file: Path, sentences: Sequence[Sentence], reading: Reading) -> list[Sentence]:
    for sentence in sentences:
        for word, tag in enumerate(sentence.labels):
            if not TAG.fullmatch(tag):
                raise InputError(
                    f"{sentence.where(word)}: {tag!r} is no entity tag (O, B-TYPE, I-TYPE, and L-, "
                    "U- or E-, S- in schemes that mark ends)"
                )
    scheme = detect_scheme(sentence.labels for sentence in sentences)
    if scheme is None:
        raise InputError(f"{file}: tags with L-, U- and with E-, S-: no tagging scheme has both")
    reading.notice("tagging_scheme", scheme)
    forbidden = [(s, word) for s in sentences for word in illegal_tags(s.labels, scheme)]
    if forbidden and reading.illegal_tags == "refuse":
        sentence, word = forbidden[0]
        before = sentence.labels[word - 1] if word else OUTSIDE
        raise InputError(
            f"{sentence.where(word)}: {sentence.labels[word]} after {before} is illegal in "
            f"{scheme} ({len(forbidden):,} such tags in the file); mend it or give "
            "--illegal-tags repair"
        )
    reading.counts["illegal_tags_repaired"] += len(forbidden)
    if scheme == "IOB2" and not forbidden:
        return list(sentences)
    reading.counts["tags_converted"] += sum(
        a != b for s in sentences for a, b in zip(s.labels, to_iob2(s.labels), strict=True)
    )
    return [replace(sentence, labels=to_iob2(sentence.labels)) for sentence in sentences]


TASK = Task(
    name="ner",
    unit="words",
    metric="entity_f1",
    metric_definition=(
        "micro-averaged F1 of whole entities, strict IOB2 (seqeval mode='strict', scheme=IOB2): "
        "an I- tag that continues no entity of its type is no entity; share of 1"
    ),
    chance_definition=(
        "the best constant predictor, B- of one type on every word: it finds the entities of that "
        "type that are one word long"
    ),
    heads=("linear", "bilstm-crf"),
    folders=("lorelei", "panx", "wikiann", "conll2002", "conll2003"),
    looked_for="SPLIT-LANGUAGE.tsv, LANGUAGE.SPLIT.conll, LANGUAGE/SPLIT, esp.train, "
    "LANGUAGE/SPLIT-*.parquet",
    find=find,
    read=read,
    label_set=label_set,
    missing_label=OUTSIDE,
    score=score,
    chance=constant_entity_f1,
    write=write_word_columns,
    extension="conll",
    too_long=("window", "wrong"),
    entities=True,
)
