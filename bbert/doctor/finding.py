"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GIGABYTE = 1e9

State = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Finding:
    """One line of the table; `mend` is what to do about a "note" or something "missing"."""

    topic: str
    state: State
    found: str
    mend: str = ""
