"""Options of `bbert report`: which runs go on the page."""

from __future__ import annotations

from dataclasses import dataclass

import tyro

from bbert.stage_config import StageConfig


@dataclass(frozen=True)
class ReportConfig(StageConfig):
    """Write one HTML page, Markdown, CSV tables and SVG figures from finished runs.

    Only run directories are read, never a model: a report takes a second or two.
    """

    runs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names or folders of corpus, model or transfer runs; each brings the runs it was made from.
    Without any: all complete runs of the work folder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for run in self.runs:
            if not run.strip():
                raise ValueError("RUN is empty; give a run's name or folder, or nothing for all")
