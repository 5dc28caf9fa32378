"""Word order of languages from WALS (Dryer and Haspelmath 2013).

A language is found by its ISO 639-3 code; where WALS has several under one code (German and its
dialects) the one with most of the features is taken, then the first by WALS code. A fake language
has the word order of its source; in a reversed one it is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bbert.errors import InputError
from bbert.languages import Language
from bbert.probe.language_codes import FURTHER, ISO_639_3
from bbert.probe.wals_values import files_of, read_values

SUBJECT_VERB_OBJECT, ADJECTIVE_NOUN = "81A", "87A"


@dataclass(frozen=True)
class WordOrder:
    """A language's features (code → value), or why there are none."""

    features: dict[str, str]
    wals_code: str = ""
    reason: str | None = None


class Wals:
    """The features of all languages."""

    def __init__(self, path: Path, features: Sequence[str], codes: Mapping[str, str]) -> None:
        """Read the values.

        Args:
            path: CSV file or CLDF folder (`bbert.probe.wals_values`).
            features: those that count.
            codes: language → WALS code, where it shall not be looked up.

        Raises:
            InputError: a file, a column or a feature that is not there.
        """
        self.path, self.codes = path, dict(codes)
        self._by_code: dict[str, dict[str, str]] = {}
        self._codes_of: dict[str, list[str]] = {}
        known = set()
        for value in read_values(path):
            known.add(value.feature)
            entry = self._by_code.setdefault(value.wals_code, {})
            if value.feature in features and value.name:
                entry[value.feature] = value.name
            for iso in value.iso_codes:
                codes_of = self._codes_of.setdefault(iso, [])
                if value.wals_code not in codes_of:
                    codes_of.append(value.wals_code)
        absent = [name for name in features if name not in known]
        if absent:
            some = ", ".join(sorted(known)[:12]) + (", …" if len(known) > 12 else "")
            raise InputError(f"{path}: no feature {absent[0]!r}; it has {some}")

    @property
    def files(self) -> list[Path]:
        """What was read."""
        return files_of(self.path)

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
