"""What `--max-length` cut off the test examples, in sentences: for log, terminal and page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PAIRS = {
    "wrong": "pairs longer than --max-length, which count as wrong",
    "cut": "pairs longer than --max-length, scored on what is left of them",
}


def truncation_notes(too_long: str | None, languages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One sentence with the counts of all languages; empty where nothing was cut off.

    Args:
        too_long: what `--too-long` says; None in results of before it was there.
        languages: name → the counts of its test examples, as in `languages` of results.json.
    """
    if too_long is None:
        return []
    of_words = all("truncated_words" in entry for entry in languages.values())
    key, of = ("truncated_words", "labels") if of_words else ("truncated_examples", "n")
    counts = [share(name, e[key], e[of]) for name, e in languages.items() if e.get(key)]
    if not counts:
        return []
    what = "words beyond --max-length, which count as wrong" if of_words else _PAIRS[too_long]
    return [f"{what}: {', '.join(counts)}"]


def share(name: str, number: int, total: int) -> str:
    """A count of a language with its share."""
    return f"{name} {number:,} of {total:,} ({number / total:.1%})"
