"""`bbert pretrain` from the command line: what it leaves, what it refuses, what it says."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from commands import Command
from tiny_corpus import build_tiny_corpus

from bbert import processor_precision
from bbert.cli import main
from bbert.errors import InputError
from bbert.pretrain import assemble
from bbert.pretrain.batches import BatchSource
from bbert.pretrain.config import PretrainConfig
from bbert.pretrain.metrics_log import read_metrics
from bbert.pretrain.plan import make_plan
from bbert.pretrain.process_group import ProcessGroup, launched_group
from bbert.pretrain.run import _check_corpora, _Orders
from bbert.run_directory import RunDirectory
from bbert.stage_config import load_yaml, save_yaml

SMALL = (
    "--depth", "2", "--heads", "2", "--hidden", "16", "--seq-len", "24", "--batch-size", "6",
    "--steps", "30", "--log-every", "10", "--eval-every", "20", "--device", "cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A work folder with one model, and what its command said."""
    work = tmp_path_factory.mktemp("run") / "work"
    build_tiny_corpus(work, documents=30, sample=True)
    command = Command(work / "log", "pretrain", "--work", str(work), *SMALL, "--lang-id")
    assert command.wait() == 0, command.output
    return work, command.output


def the_run(work: Path) -> RunDirectory:
    (path,) = (work / "models").iterdir()
    return RunDirectory(path)


def files(work: Path) -> list[str]:
    return sorted(str(p) for p in work.rglob("*") if p.is_file() and ".locks" not in p.parts)


def refused(capsys: pytest.CaptureFixture[str], work: Path, *options: str) -> str:
    """The error of a command that must end with code 2 and leave nothing behind."""
    before = files(work)
    assert main(["pretrain", "--work", str(work), "--quiet", *options]) == 2
    assert files(work) == before
    error = capsys.readouterr().err
    assert 1 <= len(error.splitlines()) <= 2, error
    assert "Traceback" not in error
    return error


def test_it_leaves_a_complete_model_run(trained: tuple[Path, str]):
    work, _ = trained
    run = the_run(work)
    there = {path.name for path in run.path.iterdir()}
    assert there == {
        "config.yaml", "manifest.json", "metrics.jsonl", "tensorboard", "checkpoints", "model",
        "deepspeed.log",
    }  # fmt: skip
    manifest = run.manifest
    assert run.name == "tiny-depth2-heads2-hidden16-lang-id-seq-len24-batch-size6-steps30-" \
        "log-every10-eval-every20"  # fmt: skip
    assert manifest["languages"] == ["enfake", "en"]
    assert manifest["sample"] == str(work / "sample")
    assert manifest["corpus"] == str(work / "corpora" / "tiny")
    assert manifest["counts"]["tokens"] == 30 * 6 * 24
    config = replace(load_yaml(PretrainConfig, run.path / "config.yaml"), work=work)
    settings = make_plan(config).batch_settings()
    source = BatchSource(work / "corpora" / "tiny", ["enfake", "en"], settings, seed=0)
    rows_of_passes = zip(manifest["counts"]["passes"].values(), source.rows_per_pass, strict=True)
    read = [passes * rows for passes, rows in rows_of_passes]
    assert sum(read) == pytest.approx(30 * 6, rel=0.01), "all rows, each of one language"
    assert read == pytest.approx([180 * share for share in source.language_shares], rel=0.01)
    extra = json.loads((run.path / "model" / "config.json").read_text())["bbert"]
    assert extra["languages"] == ["enfake", "en"]
    assert set(extra["language_separators"]) == {"enfake", "en"}
    rows = read_metrics(run.path / "metrics.jsonl")
    assert [row["step"] for row in rows] == [10, 20, 30]
    assert ["validation_perplexity/en" in row for row in rows] == [False, True, True]
    assert manifest["metrics"]["loss"] == rows[-1]["loss"]


def test_the_loss_falls(trained: tuple[Path, str]):
    metrics = the_run(trained[0]).manifest["metrics"]
    assert metrics["loss"] < metrics["first_loss"]


def test_it_says_what_it_took_and_what_came_out(trained: tuple[Path, str]):
    lines = trained[1].splitlines()
    assert lines[0] == "corpus tiny (the only one): enfake, en"
    assert "embedded sample" in lines[1]
    assert "bbert corpus build" in lines[1]
    assert "with language ids" in lines[2]
    assert "[" not in lines[0]
    assert "DeepSpeed" not in trained[1]
    (line,) = [line for line in lines if "validation perplexity, en " in line]
    assert "(unigrams: " in line


@pytest.mark.parametrize(("flag", "warned"), [("avx2", True), ("amx_bf16", False)])
def test_emulated_bf16_is_warned_of(
    trained: tuple[Path, str], capsys, monkeypatch, flag: str, warned: bool
):
    monkeypatch.setattr(processor_precision, "_flags", lambda _: {flag})
    typed = ["pretrain", "--work", str(trained[0]), "--device", "cpu", "--precision", "bf16"]
    assert main([*typed, *SMALL, "--dry-run"]) == 0
    assert ("emulates it" in capsys.readouterr().err) == warned
    assert main([*typed[:-1], "fp32", *SMALL, "--dry-run"]) == 0
    assert "emulates it" not in capsys.readouterr().err


def test_again_is_up_to_date(trained: tuple[Path, str], capsys: pytest.CaptureFixture[str]):
    work, _ = trained
    before = the_run(work).manifest
    options = (*SMALL, "--lang-id", "--processes", "2", "--save-every", "3")
    assert main(["pretrain", "--work", str(work), *options]) == 0
    captured = capsys.readouterr()
    assert "is up to date" in captured.err
    assert "validation perplexity" in captured.out
    assert the_run(work).manifest == before


def test_another_configuration_of_that_name_is_refused(
    trained: tuple[Path, str], capsys: pytest.CaptureFixture[str]
):
    work, _ = trained
    error = refused(capsys, work, *SMALL, "--name", the_run(work).name, "--learning-rate", "0.1")
    assert "--lang-id True → False" in error
    assert re.search(r"--learning-rate 0\.0\d+ → 0\.1", error)
    assert "--force" in error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--hidden", "30", "--heads", "4"), ("--hidden 30", "--heads")),
        (("--seq-len", "600"), ("--seq-len 600", "512")),
        (("--processes", "40"), ("--processes 40", "--batch-size")),
        (("--corpus", "nowhere"), ("nowhere", "tiny")),
        (("--zero-stage", "3"), ("zero-stage",)),
        (("--depht", "3"), ("--depth",)),
    ],
)
def test_bad_options_are_refused(
    options: tuple[str, ...],
    words: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    build_tiny_corpus(tmp_path, documents=5, sample=True)
    error = refused(capsys, tmp_path, *options)
    assert all(word in error for word in words), error


def test_without_a_corpus_it_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert "bbert corpus build" in refused(capsys, tmp_path)


@pytest.mark.parametrize("harm", ["truncated store", "no tokenizer", "no text"])
def test_a_corpus_that_cannot_be_used_is_refused(
    harm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    corpus = build_tiny_corpus(tmp_path, documents=0 if harm == "no text" else 20)
    if harm == "truncated store":
        os.truncate(corpus / "tokens" / "en" / "ids.bin", 10)
    elif harm == "no tokenizer":
        (corpus / "tokenizer" / "tokenizer.json").unlink()
    error = refused(capsys, tmp_path, *SMALL)
    assert "tokenizer" in error if harm == "no tokenizer" else "en" in error
    assert "build" in error


def test_a_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    build_tiny_corpus(tmp_path, documents=5)
    (tmp_path / "models").write_text("a file in the way")
    assert "models" in refused(capsys, tmp_path, *SMALL)


def test_a_loss_that_is_not_a_number_stops_the_run(tmp_path: Path):
    build_tiny_corpus(tmp_path, documents=10)
    options = ("--learning-rate", "1e30", "--save-every", "1")
    command = Command(tmp_path / "log", "pretrain", "--work", str(tmp_path), *SMALL, *options)
    assert command.wait() == 1
    first, second = command.output.splitlines()[-2:]
    assert first.startswith("bbert pretrain: ")
    assert "not finite at step 3" in first
    assert "step-00000002" in second
    assert "Traceback" not in command.output


def test_a_node_with_another_corpus_is_named(tmp_path: Path):
    corpus = build_tiny_corpus(tmp_path, documents=5)
    plan = make_plan(PretrainConfig(work=tmp_path, device="cpu"))
    orders = _Orders(plan, plan.identity["corpus"], tmp_path, None, False)
    _check_corpora(orders, ProcessGroup())
    for harm, words in (("{}", "of another corpus"), (None, "No such file")):
        if harm is None:
            (corpus / "manifest.json").unlink()
        else:
            (corpus / "manifest.json").write_text(harm)
        with pytest.raises(InputError, match=rf"process 0 on .*{words}"):
            _check_corpora(orders, ProcessGroup())


def test_a_saved_configuration_names_the_same_run(tmp_path: Path):
    build_tiny_corpus(tmp_path, documents=5)
    plan = make_plan(PretrainConfig(work=tmp_path, device="cpu", depth=2))
    save_yaml(plan.config, tmp_path / "config.yaml")
    again = make_plan(replace(load_yaml(PretrainConfig, tmp_path / "config.yaml"), work=tmp_path))
    assert again.name == plan.name == "tiny-depth2"
    assert again.identity == plan.identity


def test_a_launcher_of_one_process_decides_how_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    build_tiny_corpus(tmp_path, documents=5)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    for more in ((), ("--dry-run",)):
        error = refused(capsys, tmp_path, *SMALL, "--processes", "2", *more)
        assert "--processes 2: the launcher started 1; leave it out" in error
    monkeypatch.setattr("bbert.pretrain.plan.count_gpus", lambda: 4)
    config = PretrainConfig(work=tmp_path, compile="off")
    assert make_plan(config, launched_group()).config.processes == 1
    assert make_plan(config).config.processes == 4


@pytest.mark.parametrize("compile_", ["auto", "on"])
def test_the_share_of_the_peak_counts_what_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compile_: Literal["auto", "on"]
):
    corpus = build_tiny_corpus(tmp_path, documents=30)
    config = PretrainConfig(work=tmp_path, device="cpu", depth=2, hidden=16, heads=2, seq_len=24)
    plan = make_plan(replace(config, compile=compile_))
    source = BatchSource(corpus, plan.languages, plan.batch_settings(), 0)
    assert source.num_slots > 1.2 * 0.15 * 21
    monkeypatch.setattr(assemble, "matrix_peak", lambda precision, device: 1e9)
    engine: Any = SimpleNamespace(model=assemble.new_model(plan), device="cpu")
    peak = assemble._peak_tokens_per_second(plan, engine, source, ProcessGroup())
    share = (0.15 * 21 if compile_ == "auto" else source.num_slots) / 24
    flops = engine.model.architecture.training_flops_per_token(24, share)
    assert peak == pytest.approx(1e9 / flops)


def test_a_dry_run_estimates_and_leaves_nothing(
    trained: tuple[Path, str], capsys: pytest.CaptureFixture[str]
):
    work, _ = trained
    before = sorted(work.rglob("*"))
    assert main(["pretrain", "--work", str(work), *SMALL, "--steps", "1000", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "steps: 1000" in text
    for quantity in ("parameters", "tokens", "arithmetic", "memory", "disk", "time"):
        assert f"# {quantity}: " in text
    assert "from a measurement" in text
    assert sorted(work.rglob("*")) == before
