"""Options of `bbert demo`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bbert.stage_config import StageConfig


@dataclass(frozen=True)
class DemoConfig(StageConfig):
    """The whole job on the embedded sample, in minutes: corpus, model, transfer, report.

    Every stage is the ordinary command with the sample's defaults; what is done already is kept.
    """

    tasks: tuple[Literal["ner", "pos", "parsing", "xnli"], ...] = ("ner", "pos")
    """Tasks to fine-tune for, each with the last layer, with DLFA, and from a random encoder."""
    seeds: int | None = None
    """Fine-tuning runs per row, with the seeds SEED, SEED+1, ...; without it, the sample's 3."""
    steps: int | None = None
    """Pretraining steps; without it, the sample's default."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tasks:
            raise ValueError("--tasks names none; give one or more of ner, pos, parsing, xnli")
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"--tasks {' '.join(self.tasks)} names a task twice")
        for option in ("seeds", "steps"):
            value = getattr(self, option)
            if value is not None and value < 1:
                raise ValueError(f"--{option} {value} must be at least 1")
