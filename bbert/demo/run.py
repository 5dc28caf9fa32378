"""Calls every stage with the sample's defaults, one after the other, and reports what came out.

The stages run in this process, so that torch is imported once; each finds its own earlier result up
to date or goes on with it, so an interrupted demo is resumed by the same command.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

from bbert.demo.config import DemoConfig
from bbert.demo.estimate import (
    DEFAULT_SEEDS,
    DEFAULT_STEPS,
    PEAK_MEMORY,
    megabytes,
    seconds_of_stages,
)
from bbert.run_directory import STAGE_FOLDERS, RunDirectory
from bbert.stage_config import DryRun, joined_name, knobs_that_differ

logger = logging.getLogger(__name__)

StageResult: TypeAlias = RunDirectory | DryRun | None
"""What a stage's `run` returns; always a run here, where nothing is dry and there is one rank."""

CONDITIONS: dict[str, dict[str, Any]] = {
    "last": {"fusion": "last"},
    "dlfa": {"fusion": "dlfa"},
    "random encoder": {"fusion": "last", "random_init": "all"},
}
"""Rows of the table: the baseline, DLFA, and the floor that both have to beat."""


def run(config: DemoConfig) -> RunDirectory | DryRun:
    """The report of the whole job."""
    name = config.name or joined_name(["demo", *knobs_that_differ(config)])
    if config.dry_run:
        return _dry_run(config, name)
    seconds: dict[str, float] = {}
    shared: dict[str, Any] = {
        "work": config.work, "seed": config.seed, "force": config.force, "renew": config.renew,
        "quiet": config.quiet, "debug": config.debug,
    }  # fmt: skip
    corpus = _timed(seconds, "corpus build", lambda: _build_corpus(shared))
    model = _timed(seconds, "pretrain", lambda: _pretrain(shared, corpus, config.steps))
    transfer = []
    for task, row in _rows(config):
        options = {**shared, **CONDITIONS[row], "task": task, "seeds": config.seeds}
        finetuned = _timed(seconds, "finetune", lambda o=options: _finetune(o, model), row, task)
        transfer.append(finetuned)
    report = _timed(seconds, "report", lambda: _report(shared, name, transfer))
    each = ", ".join(f"{stage} {_clock(spent)}" for stage, spent in seconds.items())
    logger.info("time: %s; %s in all", each, _clock(sum(seconds.values())))
    return report


def _dry_run(config: DemoConfig, name: str) -> DryRun:
    steps, seeds = config.steps or DEFAULT_STEPS, config.seeds or DEFAULT_SEEDS
    fine_tunings = (f"finetune {task}: {row}" for task, row in _rows(config))
    seconds = seconds_of_stages(steps, config.tasks, len(CONDITIONS), seeds)
    each = ", ".join(f"{stage} {_clock(spent)}" for stage, spent in seconds.items())
    estimates = {
        "stages": "; ".join(["corpus build", "pretrain", *fine_tunings, "report"]),
        "time": f"about {_clock(sum(seconds.values()))} on two cores ({each})",
        "memory": PEAK_MEMORY,
        "disk": f"about {megabytes(config.tasks, len(CONDITIONS), seeds):,.0f} MB",
    }
    resolved = replace(config, name=name, steps=steps, seeds=seeds)
    return DryRun(resolved, config.work / STAGE_FOLDERS["report"] / name, estimates)


def _rows(config: DemoConfig) -> Iterator[tuple[str, str]]:
    for task in config.tasks:
        for row in CONDITIONS:
            yield task, row


def _timed(
    seconds: dict[str, float], stage: str, call: Callable[[], StageResult], *what: str
) -> RunDirectory:
    """Run a stage under its heading and add its time to `seconds`."""
    logger.info("%s", f"── {stage}{': ' if what else ''}{', '.join(reversed(what))}")
    began = time.monotonic()
    result = call()
    assert isinstance(result, RunDirectory)
    seconds[stage] = seconds.get(stage, 0.0) + time.monotonic() - began
    return result


def _build_corpus(shared: dict[str, Any]) -> StageResult:
    from bbert.corpus.config import CorpusConfig
    from bbert.corpus.run import run

    return run(CorpusConfig(**shared))


def _pretrain(shared: dict[str, Any], corpus: RunDirectory, steps: int | None) -> StageResult:
    from bbert.pretrain.config import PretrainConfig
    from bbert.pretrain.run import run

    # Without NSP: between two languages it mostly teaches a model this small to tell them apart.
    return run(PretrainConfig(**shared, corpus=corpus.name, steps=steps, nsp=False))


def _finetune(options: dict[str, Any], model: RunDirectory) -> StageResult:
    from bbert.finetune.config import FinetuneConfig
    from bbert.finetune.grid import Grid
    from bbert.finetune.run import run

    result = run(FinetuneConfig(**options, model=model.name))
    assert not isinstance(result, Grid)  # no option here has several values
    return result


def _report(shared: dict[str, Any], name: str, transfer: list[RunDirectory]) -> StageResult:
    from bbert.report.config import ReportConfig
    from bbert.report.run import run

    return run(
        ReportConfig(**shared, name=name, runs=tuple(finished.name for finished in transfer))
    )


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
