"""Fixtures that every room shares."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import pytest

# Tests run beside each other and in child processes: one thread each, and no network.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.pop("COLUMNS", None)  # a terminal's width, which workers of pytest-xdist are given too

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real corpora and task files beside the checkout; skips where it is absent."""
    folder = Path(os.environ.get("BBERT_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set BBERT_REAL_DATA")
    return folder


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded sample of seed 0, as `bbert sample` writes it; once a worker, for all rooms."""
    from bbert.sample.write import write_sample

    folder = tmp_path_factory.mktemp("sample") / "sample"
    assert write_sample(folder, seed=0)
    return folder


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty work folder that the commands use."""
    folder = tmp_path / "work"
    monkeypatch.setenv("BBERT_WORK", str(folder))
    return folder


@pytest.fixture
def greet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command `bbert greet` beside the others, as long as a test lasts."""
    import greet_command

    from bbert import cli

    greet_command.outcome.clear()
    package = types.ModuleType("greeting")
    monkeypatch.setitem(sys.modules, "greeting", package)
    monkeypatch.setitem(sys.modules, "greeting.greet", greet_command)
    monkeypatch.setitem(
        cli.COMMANDS,
        "greet",
        cli.Command("greeting", "GreetConfig", "says hello", "greet", "greet"),
    )
