"""Rows of files whose examples are pairs of texts: first text, second text, label.

    tsv with a header     XNLI-1.0, MultiNLI, PAWS-X; a column `language` where a file holds several
    tsv without           three columns, as XTREME has them
    jsonl                 MultiNLI and XNLI-1.0
    parquet, arrow        files of the `datasets` library

Texts are taken as they stand: a quotation mark in these files is a quotation mark.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bbert.errors import InputError
from bbert.finetune.tasks.dataset_files import is_dataset_file, rows_of
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.text_lines import read_lines

FIRST = ("sentence1", "premise")
SECOND = ("sentence2", "hypothesis", "hypo")
LABEL = ("gold_label", "label")
KEY = ("pairID", "id")
_LANGUAGE = ("language", "lang")


class PairRow(NamedTuple):
    """One row; `line` from 1, `key` the pair's id or empty."""

    line: int
    first: str
    second: str
    label: str
    key: str = ""


def pair_rows(
    file: Path, language: str, reading: Reading, must_say: bool = False
) -> Iterator[PairRow]:
    """The rows of `file` in `language`.

    Args:
        file: the file.
        language: its code.
        reading: options and findings.
        must_say: whether the rows have to say their language, as the name of the file does not.

    Raises:
        InputError: a missing column, a row with too few or too many columns, no row in the
            language, rows that do not say theirs and have to; with file and line.
    """
    if is_dataset_file(file):
        return _dataset_rows(file, language, must_say)
    lines = read_lines(file, reading)
    if file.suffix == ".jsonl":
        return _jsonl_rows(file, lines, language, must_say)
    header = [name.strip() for name in lines[0].split("\t")]
    if must_say and not any(name in header for name in _LANGUAGE):
        raise _does_not_say(file, 1, language)
    if any(name in header for name in (*FIRST, *SECOND, *LABEL)):
        return _header_rows(file, header, lines, language)
    return _three_columns(file, lines)


def _does_not_say(file: Path, line: int, language: str) -> InputError:
    return InputError(
        f"{file}:{line}: neither the rows nor the name of the file say a language; give the rows a "
        f"column language, or the file or its folder a name with {language} in it as "
        f"test-{language}{file.suffix} has"
    )


def _header_rows(
    file: Path, header: Sequence[str], lines: Sequence[str], language: str
) -> Iterator[PairRow]:
    first, second, label = (_column(header, names, file) for names in (FIRST, SECOND, LABEL))
    key = next((header.index(name) for name in KEY if name in header), None)
    of_language = next((header.index(name) for name in _LANGUAGE if name in header), None)
    needed = max(first, second, label, of_language or 0) + 1
    there = set()
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        row = line.split("\t")
        if len(row) < needed or any(row[len(header) :]):  # a tab in a text moves all columns
            raise InputError(
                f"{file}:{number}: {len(row)} columns where the header has {len(header)}"
            )
        if of_language is not None:
            there.add(row[of_language])
            if row[of_language] != language:
                continue
        name = row[key] if key is not None and key < len(row) else ""
        yield PairRow(number, row[first], row[second], row[label].strip(), name)
    _check_language(file, language, there)


def _three_columns(file: Path, lines: Sequence[str]) -> Iterator[PairRow]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = line.split("\t")
        if len(row) != 3:
            raise InputError(
                f"{file}:{number}: {len(row)} columns; without a header there must be three: "
                "first text, second text, label (a test file without labels cannot be scored)"
            )
        yield PairRow(number, row[0], row[1], row[2].strip())


def _jsonl_rows(
    file: Path, lines: Sequence[str], language: str, must_say: bool
) -> Iterator[PairRow]:
    there = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            why = getattr(error, "msg", "brackets within brackets without end")
            raise InputError(f"{file}:{number}: not JSON ({why})") from None
        if not isinstance(row, dict):
            raise InputError(f"{file}:{number}: expected a JSON object a line")
        said = next((str(row[name]) for name in _LANGUAGE if name in row), None)
        if said is None and must_say:
            raise _does_not_say(file, number, language)
        if said is not None:
            there.add(said)
            if said != language:
                continue
        names = list(row)
        first, second, label = (
            _text(row[names[_column(names, known, file, number)]], f"{file}:{number}")
            for known in (FIRST, SECOND, LABEL)
        )
        yield PairRow(number, first, second, label.strip(), _key(row))
    _check_language(file, language, there)


def _text(value: Any, where: str) -> str:
    """A value of JSON as text; null is an empty one. Escapes can spell what no text holds."""
    if isinstance(value, dict | list):
        raise InputError(f"{where}: expected a text, found {json.dumps(value)[:60]}")
    text = "" if value is None else str(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: \\u{ord(text[error.start]):04x} is half a character (a surrogate without "
            "its other half): mend or leave out the line"
        ) from None
    return text


def _dataset_rows(file: Path, language: str, must_say: bool) -> Iterator[PairRow]:
    for number, row in rows_of(file, language):
        where = f"{file}:{number}"
        names = list(row)
        first, second, label = (
            row[names[_column(names, known, file, number)]] for known in (FIRST, SECOND, LABEL)
        )
        said = any(isinstance(row.get(name), str) for name in _LANGUAGE)
        if must_say and not said and isinstance(first, str):
            raise _does_not_say(file, number, language)
        first, second = (_in_language(value, language, where) for value in (first, second))
        gold = "-" if label in (-1, None) else str(label)
        yield PairRow(number, first, second, gold, _key(row))


def _in_language(value: Any, language: str, where: str) -> str:
    """A text, also out of the translations of all languages that a row may hold."""
    if value is None:  # a text that is missing, as an empty cell of a column file
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("translation"), list):
        value = dict(zip(value["language"], value["translation"], strict=True))
    if isinstance(value, list) and all(isinstance(item, tuple) for item in value):
        value = dict(value)  # a mapping as Arrow has it
    text = value.get(language) if isinstance(value, dict) else None
    if not isinstance(text, str):
        there = ", ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__
        raise InputError(f"{where}: no text in {language!r} (there: {there})")
    return text


def _key(row: Mapping[str, Any]) -> str:
    return next((str(row[name]) for name in KEY if row.get(name) is not None), "")


def _column(header: Sequence[str], names: Sequence[str], file: Path, line: int = 1) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise InputError(
        f"{file}:{line}: no column {' or '.join(names)} (there: {', '.join(header)[:100]})"
    )


def _check_language(file: Path, language: str, there: set[str]) -> None:
    if there and language not in there:
        raise InputError(f"{file}: no pair in {language!r} (there: {', '.join(sorted(there))})")
