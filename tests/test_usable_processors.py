"""As many workers as there are processors to use: affinity and a container's quota."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bbert import usable_processors
from bbert.doctor import machine


@pytest.mark.parametrize(
    ("cpu_max", "allowed", "expected"),
    [
        ("max 100000\n", 8, 8),
        ("200000 100000\n", 8, 2),
        ("150000 100000\n", 8, 2),
        ("20000 100000\n", 8, 1),
        ("800000 100000\n", 2, 2),
        ("nonsense", 3, 3),
        (None, 3, 3),
    ],
)
def test_the_smaller_of_affinity_and_quota(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cpu_max: str | None,
    allowed: int,
    expected: int,
) -> None:
    path = tmp_path / "cpu.max"
    if cpu_max is not None:
        path.write_text(cpu_max)
    monkeypatch.setattr(usable_processors, "CPU_MAX", path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(allowed), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert usable_processors.usable_processors() == expected
    found = machine.cores().found
    assert found.startswith(f"{allowed} usable")
    assert ("by the container" in found) == (cpu_max is not None and cpu_max[0].isdigit())


def test_without_affinity_all_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usable_processors, "CPU_MAX", tmp_path / "none")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert usable_processors.usable_processors() == 5


def test_a_build_takes_as_many_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bbert.corpus.config import CorpusConfig
    from bbert.corpus.run import run
    from bbert.stage_config import DryRun

    (tmp_path / "cpu.max").write_text("300000 100000")
    (tmp_path / "en.txt").write_text("One.\n")
    monkeypatch.setattr(usable_processors, "CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(8), raising=False)
    planned = run(CorpusConfig(work=tmp_path, text=(f"en={tmp_path / 'en.txt'}",), dry_run=True))
    assert isinstance(planned, DryRun)
    assert planned.estimates["time"].endswith("with 3 processes")
