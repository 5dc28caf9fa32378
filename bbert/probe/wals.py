"""Word order of languages from WALS (Dryer and Haspelmath 2013), read from a CSV of feature values.

A language is found by its ISO 639-3 code; where WALS has several under one code (German and its
dialects) the one with most of the features is taken, then the first by WALS code. A fake language
has the word order of its source; in a reversed one it is nobody's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bbert.errors import InputError
from bbert.languages import Language
from bbert.probe.language_codes import FURTHER, ISO_639_3
from bbert.probe.parallel import text_lines

_COLUMNS = ("wals_code", "iso639_3", "feature", "value_name")
SUBJECT_VERB_OBJECT, ADJECTIVE_NOUN = "81A", "87A"


@dataclass(frozen=True)
class WordOrder:
    """A language's features (code → value), or why there are none."""

    features: dict[str, str]
    wals_code: str = ""
    reason: str | None = None


class Wals:
    """The features of a CSV file."""

    def __init__(self, path: Path, features: Sequence[str], codes: Mapping[str, str]) -> None:
        """Read the file.

        Args:
            path: CSV with the columns of `_COLUMNS`, one line a language and feature.
            features: those that count.
            codes: language → WALS code, where it shall not be looked up.

        Raises:
            InputError: a column or a feature that the file does not have.
        """
        self.path, self.codes = path, dict(codes)
        self._by_code: dict[str, dict[str, str]] = {}
        self._codes_of: dict[str, list[str]] = {}
        reader = csv.DictReader(io.StringIO("\n".join(text_lines(path))))
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{path}:1: no column {missing[0]!r}; expected {', '.join(_COLUMNS)}")
        known = set()
        for row in reader:
            code = row["wals_code"]
            known.add(row["feature"])
            entry = self._by_code.setdefault(code, {})
            if row["feature"] in features and row["value_name"]:
                entry[row["feature"]] = row["value_name"]
            if row["iso639_3"] and code not in self._codes_of.setdefault(row["iso639_3"], []):
                self._codes_of[row["iso639_3"]].append(code)
        absent = [name for name in features if name not in known]
        if absent:
            raise InputError(f"{path}: no feature {absent[0]!r}; it has {', '.join(sorted(known))}")

    def of(self, language: Language) -> WordOrder:
        """The word order of a language."""
        if language.is_reversed:
            return WordOrder({}, reason=f"{language.name}: its words stand in reverse order")
        code = self.codes.get(language.source) or self._found(language.source)
        if code is None:
            return WordOrder(
                {}, reason=f"{language.name}: not in {self.path.name} under its ISO code; "
                f"give --wals-code {language.source}=CODE",
            )  # fmt: skip
        if code not in self._by_code:
            raise InputError(f"--wals-code {language.source}={code}: {self.path} has no such code")
        features = self._by_code[code]
        if not features:
            return WordOrder({}, code, f"{language.name}: WALS has none of the features")
        return WordOrder(features, code)

    def _found(self, source: str) -> str | None:
        codes = [ISO_639_3[source]] if source in ISO_639_3 else [source]
        for iso in (*codes, *FURTHER.get(source, ())):
            candidates = self._codes_of.get(iso)
            if candidates:
                return min(candidates, key=lambda code: (-len(self._by_code[code]), code))
        return None


def shared(first: WordOrder, second: WordOrder) -> tuple[int, int]:
    """How many features have the same value, and how many both languages have."""
    both = first.features.keys() & second.features.keys()
    return sum(first.features[f] == second.features[f] for f in both), len(both)


def order_class(found: WordOrder, feature: str) -> str | None:
    """SVO or SOV by feature 81A, AN or NA by 87A; None for another order."""
    value = found.features.get(feature)
    if feature == SUBJECT_VERB_OBJECT:
        return value if value in ("SVO", "SOV") else None
    return {"Adjective-Noun": "AN", "Noun-Adjective": "NA"}.get(value or "")
