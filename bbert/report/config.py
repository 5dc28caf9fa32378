"""Options of `bbert report`: which runs go on the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from bbert.stage_config import StageConfig


@dataclass(frozen=True)
class ReportConfig(StageConfig):
    """Write one page (HTML, Markdown), its tables (CSV, LaTeX) and figures (SVG, PDF) from runs.

    Only run directories are read, never a model: a report takes a second or two.
    """

    runs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names or folders of corpus, model, transfer or probe runs; each brings what it was made from.
    Without any: all complete runs of the work folder."""

    compare: tuple[str, str] | None = None
    """Two transfer runs on the same test sets: difference, interval and significance per language;
    an asterisk marks p < 0.05 after Holm's correction."""

    plan: Path | None = None
    """Plan file of `bbert reproduce`: puts its tables beside the published ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compare is not None and self.compare[0] == self.compare[1]:
            raise ValueError(f"--compare names {self.compare[0]} twice; give two different runs")
        for run in self.runs:
            if not run.strip():
                raise ValueError("RUN is empty; give a run's name or folder, or nothing for all")
