"""Options of `bbert doctor`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bbert.stage_config import Switch, default_work


@dataclass(frozen=True)
class DoctorConfig:
    """Show what this machine has for bbert, what is missing and the mend; changes nothing."""

    work: Path = field(default_factory=default_work)
    """Folder whose disk and permissions are looked at; also $BBERT_WORK."""
    quiet: Switch = False
    """Only errors and the final result."""
    debug: Switch = False
    """Show the traceback of an error."""
