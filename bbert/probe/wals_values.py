"""The values of WALS (Dryer and Haspelmath 2013): of its CLDF edition, or of one CSV file.

The CLDF edition (github.com/cldf-datasets/wals) is a folder of tables joined by ids: `values.csv`,
`languages.csv` and `codes.csv`, or all three in `cldf/`. The file has the columns of `COLUMNS`, one
line a language and feature.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bbert.errors import InputError
from bbert.probe.parallel import text_lines

COLUMNS = ("wals_code", "iso639_3", "feature", "value_name")
_TABLES = {
    "values.csv": ("Language_ID", "Parameter_ID", "Code_ID"),
    "languages.csv": ("ID", "ISO639P3code"),
    "codes.csv": ("ID", "Name"),
}


class Value(NamedTuple):
    """What a language has of a feature."""

    wals_code: str
    """ger"""
    iso_codes: tuple[str, ...]
    """ISO 639-3, as ("deu",); several where WALS has one language for what ISO counts as several"""
    feature: str
    """81A"""
    name: str
    """SVO"""


def files_of(path: Path) -> list[Path]:
    """The files that are read of a CSV file or a CLDF folder; `values.csv` means its folder.

    Raises:
        InputError: neither is there.
    """
    if path.is_file() and path.name == "values.csv":
        path = path.parent
    if not path.is_dir():
        return [path]
    for folder in (path, path / "cldf"):
        if (folder / "values.csv").is_file():
            return [folder / name for name in _TABLES]
    raise InputError(f"{path}: no values.csv in it; give the cldf folder of WALS, or a CSV file")


def read_values(path: Path) -> Iterator[Value]:
    """All values of a CSV file or a CLDF folder, in the order of the file.

    Raises:
        InputError: a file or column that is not there.
    """
    files = files_of(path)
    if len(files) == 1:
        for row in _rows(path, COLUMNS):
            iso = (row["iso639_3"],) if row["iso639_3"] else ()
            yield Value(row["wals_code"], iso, row["feature"], row["value_name"])
        return
    values, languages, codes = (_rows(file, _TABLES[file.name]) for file in files)
    iso_of = {row["ID"]: _iso_codes(row) for row in languages}
    name_of = {row["ID"]: row["Name"] for row in codes}
    for row in values:
        code, feature = row["Language_ID"], row["Parameter_ID"]
        yield Value(code, iso_of.get(code, ()), feature, name_of.get(row["Code_ID"], ""))


def _iso_codes(language: dict[str, str]) -> tuple[str, ...]:
    """The code; where there are several (Albanian: aln als) the column `ISO_codes` lists them."""
    return tuple((language["ISO639P3code"] or language.get("ISO_codes") or "").split())


def _rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(io.StringIO("\n".join(text_lines(path))), restval="")
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{path}:1: no column {missing[0]!r}; expected {', '.join(columns)}")
    return iter(reader)
