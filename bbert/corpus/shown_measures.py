"""Measures of interventions as the certificate and `bbert corpus inspect` show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def beside_expected(entry: Mapping[str, Any]) -> str:
    """The measures of an intervention, each beside what chance or the option leads to expect."""
    if "share" in entry:
        realised, share = entry["shared_word_types"], entry["share"]
        return f"{realised:.2%} of the word types shared, {share:.0%} promised"
    expected = {key: entry[f"expected_{key}"] for key in entry if f"expected_{key}" in entry}
    shown = []
    for key, value in expected.items():
        digits = 4 if entry["within_sampling_error"] else _digits_that_differ(entry[key], value)
        found, promised = _rounded(entry[key], digits), _rounded(value, digits)
        shown.append(f"{key.replace('_', ' ')} {found}, {promised} expected")
    return ", ".join(shown)


def _digits_that_differ(found: float | None, expected: float | None) -> int:
    """Digits, at least four, in which two measures are seen to differ."""
    if found is None or expected is None:
        return 4
    return next((d for d in range(4, 13) if round(found, d) != round(expected, d)), 4)


def four_digits(value: float | None) -> str:
    """A measure as it is shown; without the sign of a number that is 0 to four digits."""
    return _rounded(value, 4)


def _rounded(value: float | None, digits: int) -> str:
    return "not measured" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"
