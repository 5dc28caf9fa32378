"""Progress of a plan: runs that are complete, and those that run."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest

from bbert.reproduce import watch as watching
from bbert.reproduce.jobs import Job, Plan
from bbert.reproduce.scale import load_scale
from bbert.reproduce.shipped import pipelines_folder
from bbert.reproduce.written_plan import log_of, mark_of
from bbert.run_directory import STAGE_FOLDERS


class Snakemake:
    """Ends after `script`, of which every look at it takes a step."""

    def __init__(self, *script):
        self.script = list(script)

    def poll(self):
        if not self.script:
            return 0
        self.script.pop(0)()
        return None


def test_a_run_counts_while_it_runs_and_never_whole(tmp_path, monkeypatch):
    seconds = {"corpus": 100.0, "pretrain": 300.0, "finetune": 600.0, "probe": 0.0}
    scale = replace(load_scale(pipelines_folder() / "scales", "sample"), seconds=seconds)
    plan = Plan(scale)
    corpus, model, _ = (plan.add(Job(stage, "a", scale.pretrain)) for stage in list(seconds)[:3])
    clock, shown = [0.0], []

    def log(job):
        log_of(tmp_path, job).parent.mkdir(parents=True, exist_ok=True)
        log_of(tmp_path, job).touch()

    def end(job):
        for path in (mark_of(tmp_path, job),
                     tmp_path / STAGE_FOLDERS[job.stage] / job.name / "manifest.json"):  # fmt: skip
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def later(by):
        clock[0] += by

    @contextmanager
    def remember(description, total, unit, start):
        shown.append(start)
        yield lambda amount: shown.append(shown[-1] + amount)

    monkeypatch.setattr(watching, "progress", remember)
    monkeypatch.setattr(watching.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(watching.time, "sleep", lambda seconds: None)
    end(corpus)
    watching.watch(plan, tmp_path, Snakemake(
        lambda: log(model), lambda: later(150), lambda: later(900), lambda: end(model),
    ))  # fmt: skip
    # of 1,000 s: the corpus that was there; half of the model; 95 % of it at most; all of it
    assert shown == pytest.approx([10, 25, 38.5, 40])
