"""Options of `bbert sample`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from bbert.stage_config import Switch


@dataclass(frozen=True)
class SampleConfig:
    """Write the embedded sample: wiki dumps and labelled task files in en, es, hi and ru."""

    directory: tyro.conf.Positional[Path]
    """Folder to write; laid out like real data."""
    seed: int = 0
    """Seed of every random choice."""
    quiet: Switch = False
    """Only errors and the final result."""
    debug: Switch = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"--seed {self.seed} is negative; give a whole number from 0 on")
