"""What a plan makes again: runs that were removed, and what was made from them or from other files.

The commands are stand-ins that keep the stage contract: a run copies what it is made from.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import bbert.reproduce.workflow as workflow
from bbert.errors import InputError
from bbert.reproduce.changed_files import made_from_other_files, refuse_changed_files
from bbert.reproduce.cost import cost_of
from bbert.reproduce.jobs import Job, Plan
from bbert.reproduce.scale import load_scale
from bbert.reproduce.shipped import pipelines_folder
from bbert.reproduce.workflow import run_workflow
from bbert.reproduce.written_plan import log_of, write_plan

STAND_IN = """
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from bbert.errors import InputError
from bbert.run_directory import open_run
from bbert.stage_config import StageConfig

stage = sys.argv[1]
work = Path(sys.argv[sys.argv.index("--work") + 1])
options = yaml.safe_load(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
made_from = work / options["made_from"]
config = StageConfig(work=work, name=options["name"], renew="--renew" in sys.argv)
try:
    with open_run(stage, config.name, config, [made_from]) as run:
        if not run.up_to_date:
            if "broken" in made_from.read_text():
                raise SystemExit(1)
            (run.path / "made.txt").write_text(made_from.read_text())
            run.finish()
except InputError as error:
    print(error)
    raise SystemExit(2)
"""


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """A work folder with a file of data; `bbert` is the stand-in."""
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)

    @contextmanager
    def stand_in(*unused: object):
        yield f"{sys.executable} {program}"

    monkeypatch.setattr(workflow, "_fast_start", stand_in)
    (tmp_path / "work").mkdir()
    (tmp_path / "data.txt").write_text("first")
    return tmp_path / "work"


def plan_of_three() -> Plan:
    plan = Plan(load_scale(pipelines_folder() / "scales", "sample"))
    plan.add(Job("corpus", "c", {"made_from": "../data.txt"}))
    plan.add(Job("pretrain", "m", {"made_from": "corpora/c/made.txt"}, ("corpus/c",)))
    plan.add(Job("finetune", "t", {"made_from": "models/m/made.txt"}, ("pretrain/m",)))
    return plan


def made(work: Path, again=(), plan: Plan | None = None) -> list[str]:
    """Run the plan; the keys that failed."""
    plan = plan or plan_of_three()
    written = write_plan(plan, work, "x", 1, 0)
    return run_workflow(plan, written, work, pipelines_folder() / "Snakefile", 2, 0, again=again)


def held(work: Path) -> list[str]:
    return [
        (work / run / "made.txt").read_text() for run in ("corpora/c", "models/m", "transfer/t")
    ]


def finished(work: Path, run: str) -> int:
    return (work / run / "manifest.json").stat().st_mtime_ns


def test_what_is_made_again_is_counted_with_what_depends_on_it(work):
    assert made(work) == []
    plan = plan_of_three()
    assert cost_of(plan, work, 1).pending.total() == 0
    for key, stages in (("corpus/c", 3), ("pretrain/m", 2), ("finetune/t", 1)):
        cost = cost_of(plan, work, 1, again=[plan.jobs[key]])
        assert (cost.done, cost.pending.total()) == (3 - stages, stages)
    shutil.rmtree(work / "models" / "m")
    assert set(cost_of(plan, work, 1).pending) == {"pretrain"}, "it comes out as it was"


def test_a_removed_run_is_made_again_and_what_came_out_the_same_stays(work):
    assert made(work) == []
    before = finished(work, "transfer/t")
    shutil.rmtree(work / "models" / "m")
    assert made(work) == []
    assert held(work) == ["first"] * 3
    assert finished(work, "transfer/t") == before, "its model came out the same"
    shutil.rmtree(work / "transfer" / "t")
    assert made(work) == []
    assert held(work) == ["first"] * 3


def test_what_was_made_from_a_run_that_came_out_differently_is_replaced(work):
    assert made(work) == []
    shutil.rmtree(work / "corpora" / "c")
    (work.parent / "data.txt").write_text("second")
    assert made(work) == []
    assert held(work) == ["second"] * 3
    # One that cannot be replaced has failed, though the run of before stands.
    log = log_of(work, plan_of_three().jobs["pretrain/m"])
    broken = replace(plan_of_three().jobs["pretrain/m"], options={"made_from": "../broken.txt"})
    (work.parent / "broken.txt").write_text("broken")
    plan = plan_of_three()
    plan.jobs["pretrain/m"] = broken
    assert made(work, plan=plan) == ["pretrain/m", "finetune/t"]
    assert log.is_file()
    assert held(work) == ["second"] * 3


def test_a_run_made_from_a_file_that_has_changed_is_refused_and_made_again_with_force(work):
    plan = plan_of_three()
    assert made(work) == []
    data = work.parent / "data.txt"
    data.write_text("first")  # another time, the same content
    assert made_from_other_files(plan, work) == {}
    assert refuse_changed_files(plan, work, force=True) == []
    data.write_text("second")
    with pytest.raises(InputError) as refused:
        refuse_changed_files(plan, work, force=False)
    assert f"{work / 'corpora' / 'c'}: made from another {data}" in str(refused.value)
    assert "--force makes these runs again" in str(refused.value)
    again = refuse_changed_files(plan, work, force=True)
    assert [job.key for job in again] == ["corpus/c"], "what is made from it the workflow follows"
    assert made(work, again) == []
    assert held(work) == ["second"] * 3
    assert refuse_changed_files(plan, work, force=False) == []


def test_a_workflow_that_cannot_start_shows_no_log_of_before(work, tmp_path):
    plan = plan_of_three()
    log = log_of(work, plan.jobs["finetune/t"])
    log.parent.mkdir(parents=True)
    log.write_text("of another time")
    (tmp_path / "profile").mkdir()
    options = {"executor": "nowhere", "jobs": 1}
    (tmp_path / "profile" / "config.yaml").write_text(yaml.safe_dump(options))
    written = write_plan(plan, work, "x", 1, 0)
    with pytest.raises(InputError, match="no executor 'nowhere'"):
        run_workflow(plan, written, work, pipelines_folder() / "Snakefile", 2, 0,
                     profile=tmp_path / "profile")  # fmt: skip
    assert not log.exists()
