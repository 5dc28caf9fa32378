"""`bbert demo`: every stage with the sample's defaults, resumable, ending with the table."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bbert.demo.run as demo
from bbert.demo.config import DemoConfig
from bbert.demo.estimate import SECONDS_OF_A_STEP
from bbert.run_directory import RunDirectory
from bbert.stage_config import DryRun, as_yaml


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """The stages' calls in order; nothing is computed."""
    calls: list[tuple] = []

    def stage(name: str):
        def record(*arguments):
            calls.append((name, *arguments))
            return RunDirectory(Path(f"{name}-{len(calls)}"))

        return record

    for name in ("_build_corpus", "_pretrain", "_finetune", "_report"):
        monkeypatch.setattr(demo, name, stage(name))
    return calls


def test_every_stage_once_and_every_row_of_every_task(called: list[tuple], work: Path):
    result = demo.run(DemoConfig(work=work, tasks=("ner", "pos")))
    assert [call[0] for call in called] == [
        "_build_corpus", "_pretrain", *["_finetune"] * 6, "_report",
    ]  # fmt: skip
    rows = [(c[1]["task"], c[1]["fusion"], c[1].get("random_init")) for c in called[2:8]]
    assert rows == [
        (task, fusion, layers)
        for task in ("ner", "pos")
        for fusion, layers in (("last", None), ("dlfa", None), ("last", "all"))
    ]
    assert result == RunDirectory(Path("_report-9"))
    _, shared, name, transfer = called[-1]
    assert (shared["work"], name, len(transfer)) == (work, "demo", 6)


def test_model_and_corpus_are_handed_on_by_name(called: list[tuple], work: Path):
    demo.run(DemoConfig(work=work, tasks=("ner",), steps=7))
    _, _, corpus, steps = called[1]
    assert (corpus.name, steps) == ("_build_corpus-1", 7)
    assert {call[2].name for call in called[2:5]} == {"_pretrain-2"}


def test_another_seed_gets_a_report_of_its_own(called: list[tuple], work: Path):
    demo.run(DemoConfig(work=work, seed=3))
    assert called[-1][2] == "demo-seed3"
    assert all(call[1]["seed"] == 3 for call in called)


def test_options_left_out_stay_the_sample_defaults(called: list[tuple], work: Path):
    demo.run(DemoConfig(work=work))
    assert called[1][3] is None
    assert all(call[1]["seeds"] is None for call in called[2:8])


def test_dry_run_calls_nothing(called: list[tuple], work: Path):
    planned = demo.run(DemoConfig(work=work, dry_run=True))
    assert isinstance(planned, DryRun)
    assert "finetune pos: random encoder" in planned.estimates["stages"]
    assert not called
    assert not work.exists()


def test_a_dry_run_costs_more_for_more_steps_seeds_and_tasks(called: list[tuple], work: Path):
    def planned(**options: Any) -> tuple[float, float]:
        result = demo.run(DemoConfig(work=work, dry_run=True, **options))
        assert isinstance(result, DryRun)
        assert set(result.estimates) == {"stages", "time", "memory", "disk"}
        time, disk = result.estimates["time"], result.estimates["disk"]
        minutes, seconds = re.match(r"about (?:(\d+) min )?(\d+) s on two cores", time).groups()
        return 60 * int(minutes or 0) + int(seconds), float(disk.split()[1])

    usual = planned()
    assert "steps: 3000\n" in as_yaml(demo.run(DemoConfig(work=work, dry_run=True)).config)
    assert 60 < usual[0] <= 300
    longer = planned(steps=30_000)
    assert longer[0] - usual[0] == pytest.approx(9 * 3_000 * SECONDS_OF_A_STEP, abs=2)
    for options in ({"seeds": 9}, {"tasks": ("ner", "pos", "parsing", "xnli")}):
        assert all(more > before for more, before in zip(planned(**options), usual, strict=True))
    quick = planned(steps=20, seeds=1, tasks=("ner",))
    assert all(less < before for less, before in zip(quick, usual, strict=True))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"tasks": ()}, "--tasks"),
        ({"tasks": ("ner", "ner")}, "twice"),
        ({"seeds": 0}, "--seeds 0"),
        ({"steps": -1}, "--steps -1"),
    ],
)
def test_impossible_options(options: dict, named: str):
    with pytest.raises(ValueError, match=named):
        DemoConfig(**options)


@pytest.mark.slow
def test_a_short_demo_from_the_command_line(tmp_path: Path):
    """All stages, a few training steps: the table comes out; the second time nothing is done."""
    command = [sys.executable, "-m", "bbert", "demo", "--work", str(tmp_path / "work")]
    command += ["--steps", "20", "--seeds", "1", "--tasks", "ner"]
    environment = {**os.environ, "COLUMNS": "160", "OMP_NUM_THREADS": "2"}
    first = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert first.returncode == 0, first.stderr
    for row in ("last", "dlfa", "random encoder", "chance", "examples (n)"):
        assert row in first.stdout
    page = Path(re.search(r"page: (.*report\.html)", first.stdout).group(1))
    assert page.is_file()
    changed = page.stat().st_mtime_ns
    second = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert second.stdout == first.stdout
    assert second.stderr.count("up to date") == 6
    assert page.stat().st_mtime_ns == changed
