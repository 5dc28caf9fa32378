"""What a user can get wrong, at the command line: one clear error, or a run that goes on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from commands import Command
from random_corpus import FIRST_ORDINARY_ID, write_corpus
from tiny_corpus import build_tiny_corpus

from bbert.cli import main
from bbert.json_files import write_json_atomically
from bbert.pretrain.checkpoint import list_checkpoints
from bbert.pretrain.metrics_log import read_metrics
from bbert.run_directory import timestamp

OPTIONS = (
    "--depth", "2", "--heads", "2", "--hidden", "16", "--seq-len", "24", "--batch-size", "6",
    "--steps", "30", "--log-every", "10", "--eval-every", "30", "--save-every", "5",
    "--no-probe", "--device", "cpu",
)  # fmt: skip


def command(work: Path, name: str, *more: str, **how) -> Command:
    return Command(work / f"{name}.log", *arguments(work, name, *more), **how)


def arguments(work: Path, name: str, *more: str) -> list[str]:
    return ["pretrain", "--work", str(work), "--name", name, *OPTIONS, *more]


def refused(capsys: pytest.CaptureFixture[str], work: Path, name: str, *more: str) -> str:
    assert main([*arguments(work, name, *more), "--quiet"]) == 2
    error = capsys.readouterr().err
    assert 1 <= len(error.splitlines()) <= 2, error
    assert "Traceback" not in error
    return error


def interrupted(work: Path, name: str) -> Path:
    """A run that was killed after a checkpoint; returns its checkpoints' folder."""
    folder = work / "models" / f"{name}.partial" / "checkpoints"
    started = command(work, name, "--steps", "100000")
    started.wait_until((folder / "latest").exists)
    started.process.kill()
    started.process.join()
    return folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder in which a run has been killed."""
    work = tmp_path_factory.mktemp("stopped") / "work"
    build_tiny_corpus(work, documents=30)
    interrupted(work, "first")
    return work


@pytest.fixture
def work(stopped: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(stopped, tmp_path / "work", symlinks=True))


def test_a_corpus_that_changed_since_the_checkpoint(work: Path, capsys):
    shutil.rmtree(work / "corpora" / "tiny")
    build_tiny_corpus(work, documents=30, seed=1)
    error = refused(capsys, work, "first", "--steps", "100000")
    assert "corpus" in error
    assert "--force" in error


def test_another_architecture_than_the_checkpoints(work: Path, capsys):
    error = refused(capsys, work, "first", "--steps", "100000", "--hidden", "32")
    assert "--hidden 16 → 32" in error
    assert "--force" in error


def test_a_checkpoint_of_another_run(work: Path, capsys):
    mine = work / "models" / "first.partial" / "checkpoints"
    for path in list_checkpoints(mine):
        shutil.rmtree(path)
    other = command(work, "other", "--depth", "1", "--steps", "5")
    assert other.wait() == 0, other.output
    foreign = list_checkpoints(work / "models" / "other" / "checkpoints")[-1]
    shutil.copytree(foreign, mine / foreign.name)
    error = refused(capsys, work, "first", "--steps", "100000")
    assert foreign.name in error
    assert "another configuration" in error


def test_a_half_written_checkpoint_is_passed_over(work: Path):
    folder = work / "models" / "first.partial" / "checkpoints"
    whole = list_checkpoints(folder)[-1]
    step = int(whole.name.removeprefix("step-"))
    half = folder / f"step-{step + 5:08d}"
    shutil.copytree(whole, half)
    os.truncate(half / "state.safetensors", 1000)
    again = command(work, "first", "--steps", "100000")
    again.wait_until(lambda: "going on from step" in again.output)
    assert f"{half} is damaged" in again.output.replace("\n", "")
    assert f"going on from step {step:,} " in again.output
    again.process.kill()


def without_compilers() -> None:
    os.environ["PATH"] = "/nowhere"
    os.environ.pop("CC", None)
    os.environ.pop("CXX", None)


def test_without_a_compiler_the_run_goes_on(stopped: Path):
    run = command(stopped, "uncompiled", "--compile", "on", prepare=without_compilers)
    assert run.wait() == 0, run.output
    assert "going on without torch.compile" in run.output


def with_stale_locks() -> None:
    """As killed compilations of DeepSpeed's operations have left them, where they are built."""
    folder = Path(os.environ["TORCH_EXTENSIONS_DIR"])
    for operation in ("fused_adam", "cpu_adam", "deepspeed_shm_comm", "utils"):
        (folder / operation).mkdir(parents=True)
        (folder / operation / "lock").touch()


def test_a_stale_lock_of_a_compilation_hangs_nothing(
    stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "extensions"))
    with_stale_locks()
    environment = {"TORCH_EXTENSIONS_DIR": str(tmp_path / "extensions")}
    for stage in ("0", "2"):
        run = command(
            stopped, f"locks{stage}", "--zero-stage", stage, prepare=_Environment(environment)
        )
        assert run.wait(60) == 0, run.output


class _Environment:
    """Sets variables in the command's process."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables

    def __call__(self) -> None:
        os.environ.update(self.variables)


def test_a_corpus_smaller_than_one_batch_is_seen_several_times(tmp_path: Path):
    build_tiny_corpus(tmp_path, documents=2)
    run = command(tmp_path, "small", "--batch-size", "64")
    assert run.wait() == 0, run.output
    manifest = json.loads((tmp_path / "models" / "small" / "manifest.json").read_text())
    assert min(manifest["counts"]["passes"].values()) > 30
    last = read_metrics(tmp_path / "models" / "small" / "metrics.jsonl")[-1]
    assert last["loss"] > 0


def test_a_language_without_sentences_is_named(tmp_path: Path, capsys):
    folder = write_corpus(
        tmp_path / "corpora" / "lopsided", {"en": [[9, 4], [6]] * 30, "es": []},
        vocab_size=FIRST_ORDINARY_ID + 200,
    )  # fmt: skip
    now = timestamp(0)
    write_json_atomically(
        folder / "manifest.json",
        {"stage": "corpus", "name": "lopsided", "config": {}, "config_hash": "0", "inputs": [],
         "seed": 0, "versions": {}, "git_revision": None, "started": now, "finished": now,
         "seconds": 0.0, "counts": {}, "metrics": {}, "languages": ["en", "es"], "sample": None},
    )  # fmt: skip
    error = refused(capsys, tmp_path, "lopsided")
    assert "'es'" in error or " es" in error
    assert not list((tmp_path / "models").glob("lopsided*"))
