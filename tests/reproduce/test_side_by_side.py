"""Snakemake starts as many commands side by side as it is told, and no more."""

from __future__ import annotations

import json
import sys
import tomllib
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import bbert.reproduce.workflow as workflow
from bbert.errors import InputError
from bbert.reproduce.jobs import Job, Plan
from bbert.reproduce.scale import load_scale
from bbert.reproduce.shipped import pipelines_folder
from bbert.reproduce.workflow import OLDEST_SNAKEMAKE, run_workflow
from bbert.reproduce.written_plan import write_plan
from bbert.run_directory import STAGE_FOLDERS

STAND_IN = """
import json, sys, time
from pathlib import Path

import yaml

folders = json.loads(Path(__file__).with_suffix(".json").read_text())
work = Path(sys.argv[sys.argv.index("--work") + 1])
options = yaml.safe_load(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
run = work / folders[sys.argv[1]] / options["name"]
began = time.time()
time.sleep(0.4)
run.mkdir(parents=True)
span = {"began": began, "ended": time.time(), "seconds": 0.4, "inputs": []}
(run / "manifest.json").write_text(json.dumps(span))
"""


def most_at_a_time(work: Path) -> int:
    manifests = [json.loads(path.read_text()) for path in work.glob("*/*/manifest.json")]
    starts = [(span["began"], 1) for span in manifests]
    counted, most = 0, 0
    for _, change in sorted(starts + [(span["ended"], -1) for span in manifests]):
        counted += change
        most = max(most, counted)
    return most


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that take 0.4 s and write when."""
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)
    program.with_suffix(".json").write_text(json.dumps(STAGE_FOLDERS))

    @contextmanager
    def fast_start(*unused: object):
        yield f"{sys.executable} {program}"

    monkeypatch.setattr(workflow, "_fast_start", fast_start)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("resource", ["processors", "GPUs"])
def test_a_command_that_was_the_only_one_ready_makes_no_further_place(
    tmp_path: Path, slots: int, resource: str
):
    plan = Plan(load_scale(pipelines_folder() / "scales", "sample"))
    plan.add(Job("corpus", "c", {}))
    for number in range(5):
        plan.add(Job("pretrain", f"m{number}", {}, ("corpus/c",)))
    work = tmp_path / "work"
    work.mkdir()
    gpus = slots if resource == "GPUs" else 0
    written = write_plan(plan, work, "x", 1, 1 if gpus else 0)
    cores = 8 if gpus else slots
    failed = run_workflow(plan, written, work, pipelines_folder() / "Snakefile", cores, gpus)
    assert failed == []
    assert most_at_a_time(work) == slots


@pytest.mark.usefixtures("stand_in")
def test_pretrainings_come_before_fine_tunings(tmp_path: Path):
    """They take longest: one that is left for the end runs alone while other places stand empty."""
    plan = Plan(load_scale(pipelines_folder() / "scales", "sample"))
    plan.add(Job("corpus", "c", {}))
    for number in range(3):
        plan.add(Job("pretrain", f"m{number}", {}, ("corpus/c",)))
        for seed in range(2):
            options = {"words": "long" * 99}  # larger files would come first
            plan.add(Job("finetune", f"t{number}{seed}", options, (f"pretrain/m{number}",)))
    work = tmp_path / "work"
    work.mkdir()
    written = write_plan(plan, work, "x", 1, 0)
    assert run_workflow(plan, written, work, pipelines_folder() / "Snakefile", 1, 0) == []
    spans = {path.parent.name: json.loads(path.read_text())["began"]
             for path in work.glob("*/*/manifest.json")}  # fmt: skip
    order = "".join(name[0] for name in sorted(spans, key=spans.__getitem__))
    assert order == "cmmmtttttt"


def test_an_older_snakemake_is_refused_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(metadata, "version", lambda name: "9.15.0")
    with pytest.raises(InputError, match=r"Snakemake 9\.15\.0 starts more commands") as error:
        workflow._refuse_other_snakemake()
    assert f"pip install 'snakemake>={OLDEST_SNAKEMAKE}'" in str(error.value)


def test_the_extra_asks_for_the_same_version():
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    for extra in ("pipelines", "dev"):
        found = [r for r in map(Requirement, extras[extra]) if r.name == "snakemake"]
        assert [str(r.specifier) for r in found] == [f">={OLDEST_SNAKEMAKE}"]
