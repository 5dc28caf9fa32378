"""Rows of the `datasets` library's files: parquet, and the Arrow files of `save_to_disk`.

They are read in place: nothing is copied to a cache, no script of a dataset is run, nothing touches
the network. Labels that are numbers become their names (`ClassLabel`). "Line" of an example is its
row, from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.finetune.tasks.task import Sentence

SPLIT_NAMES = {"dev": ("dev", "validation", "valid"), "train": ("train",), "test": ("test",)}
LAYOUTS = (
    "{language}/{split}/*.arrow",  # save_to_disk of every language
    "{language}/{split}-*.parquet",  # the hub: one configuration per language
    "{language}/{split}.parquet",
    "{language}/{split}/*.parquet",
    "*.{language}/{split}-*.parquet",  # XTREME on the hub: PAN-X.en, PAWS-X.en
    "{split}-{language}.parquet",
)
MANY_LANGUAGES = (
    "{split}/*.arrow", "{split}-*.parquet", "{split}.parquet",
    "all_languages/{split}-*.parquet", "XNLI/{split}-*.parquet",
)  # fmt: skip
"""Layouts whose rows must say their language themselves."""

_SUFFIXES = (".parquet", ".arrow")
_WORDS = ("tokens", "words", "form")
_LANGUAGE = ("language", "lang")
_IDS, _TEXT = "idx", "text"
_BREAK = re.compile(r"[\t\n\r]")


def is_dataset_file(path: Path) -> bool:
    """Whether `path` is read by this module."""
    return path.suffix in _SUFFIXES


def layouts(split: str, many_languages: bool = False) -> list[str]:
    """Glob patterns of a split's files, with `{language}` to be filled in."""
    patterns = (*LAYOUTS, *MANY_LANGUAGES) if many_languages else LAYOUTS
    names = SPLIT_NAMES.get(split, (split,))
    return [pattern.replace("{split}", name) for pattern in patterns for name in names]


def rows_of(path: Path, language: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row, columns) of the rows in `language`; of all where the file does not say languages.

    Raises:
        InputError: a damaged file; no row in the language.
    """
    table, names = _open(path)
    number, others, found = 0, set(), False
    for batch in table:
        for row in batch.to_pylist():
            number += 1
            for column, labels in names.items():
                row[column] = _named(row[column], labels)
            said = next((row[name] for name in _LANGUAGE if isinstance(row.get(name), str)), None)
            if said is not None and said != language:
                others.add(said)
                continue
            found = True
            yield number, row
    if not found:
        there = f" (there: {', '.join(sorted(others))})" if others else ""
        raise InputError(f"{path}: no row in {language!r}{there}")


def column_of(row: Mapping[str, Any], names: Sequence[str], where: str) -> Any:
    """The value of the first of `names` that a row has.

    Raises:
        InputError: it has none.
    """
    for name in names:
        if row.get(name) is not None:
            return row[name]
    raise InputError(f"{where}: no {' or '.join(names)} (there: {', '.join(row)[:100]})")


def word_rows(path: Path, language: str, label_columns: Sequence[str]) -> list[Sentence]:
    """Sentences with one label a word; ranges and empty nodes of treebanks are left out.

    Raises:
        InputError: no such columns, other numbers of words and labels, or what is no word (nothing,
            or with a tab or a line break, which no exchange format can hold), with file and row.
    """
    sentences: list[Sentence] = []
    for number, row in rows_of(path, language):
        where = f"{path}:{number}"
        words = column_of(row, _WORDS, where)
        labels = [str(label) for label in column_of(row, label_columns, where)]
        if len(words) != len(labels):
            raise InputError(f"{where}: {len(words)} words and {len(labels)} labels")
        ids = row.get(_IDS)
        if isinstance(ids, list) and len(ids) == len(words):
            kept = [i for i, name in enumerate(ids) if str(name).isdigit()]
            words, labels = [words[i] for i in kept], [labels[i] for i in kept]
        if not words:
            raise InputError(f"{where}: a sentence without words")
        for position, word in enumerate(words, start=1):
            if not isinstance(word, str) or not word or _BREAK.search(word):
                raise InputError(f"{where}: word {position} of the sentence is none: {word!r:.60}")
        lines = (number,) * len(words)
        text = row.get(_TEXT)
        text = text if isinstance(text, str) else ""
        sentences.append(Sentence(tuple(words), tuple(labels), path, number, lines, text))
    return sentences


def _open(path: Path) -> tuple[Iterator[Any], dict[str, Sequence[str]]]:
    """Record batches of a file, and the label names of its columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            return file.iter_batches(), _label_names(file.schema_arrow)
        stream = pa.ipc.open_stream(pa.memory_map(str(path)))
        return iter(stream), _label_names(stream.schema)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).strip().splitlines()[0][:120]
        raise InputError(f"{path}: cannot be read ({reason})") from None


def _label_names(schema: Any) -> dict[str, Sequence[str]]:
    from datasets import ClassLabel, Features

    found: dict[str, Sequence[str]] = {}
    for name, feature in Features.from_arrow_schema(schema).items():
        inner = getattr(feature, "feature", feature)  # of a list
        if isinstance(inner, ClassLabel):
            found[name] = inner.names
    return found


def _named(value: Any, names: Sequence[str]) -> Any:
    """Label numbers as names; a number that is none (-1: no label) stays."""
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return value
