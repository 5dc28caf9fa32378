"""How a task's files are to be read, and what was noticed while reading them.

One `Reading` belongs to one set of files. What it notices is written beside the scores: a reader
never leaves out, converts or repairs anything without counting it here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

IllegalTags: TypeAlias = Literal["refuse", "repair"]
Relations: TypeAlias = Literal["universal", "subtypes"]


@dataclass
class Reading:
    """Options of the readers, and their findings.

    Attributes:
        encoding: of files that are not UTF-8; None where there are none.
        illegal_tags: whether a tag sequence that its scheme forbids stops the run or is repaired.
        relations: whether dependency relations keep their subtypes ("nsubj:pass") or not ("nsubj").
        counts: what was left out, converted or repaired → how often.
        found: what was recognised, e.g. the tagging scheme → its name.
        left_out: places, from 0, of rows that were left out and that other languages may have.
    """

    encoding: str | None = None
    illegal_tags: IllegalTags = "refuse"
    relations: Relations = "universal"
    counts: Counter[str] = field(default_factory=Counter)
    found: dict[str, str] = field(default_factory=dict)
    left_out: list[int] = field(default_factory=list)

    def notice(self, what: str, value: str) -> None:
        """Note what was recognised in a file; several files may differ."""
        known = self.found.get(what, "").split(", ")
        if value not in known:
            self.found[what] = ", ".join([*filter(None, known), value])

    def notes(self) -> dict[str, Any]:
        """Findings and counts in one mapping, without zeros."""
        return {**self.found, **{what: n for what, n in sorted(self.counts.items()) if n}}
