"""`bbert finetune` again: the same bytes, up to date, refused, killed, failed and mended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from quick_finetune import QUICK, finetune, results, same_files

from bbert.cli import main


@pytest.mark.parametrize("fusion", ["last", "dlfa"])
def test_the_same_command_gives_the_same_bytes(bert: Path, ner_data: Path, work: Path, fusion):
    typed = ["--model", str(bert), "--data", str(ner_data), "--fusion", fusion, "--seeds", "2"]
    first = finetune(*typed, name="first", work=work)
    second = finetune(*typed, name="second", work=work)
    assert same_files(first, second)
    values = results(first)["languages"]["en"]["values"]
    alone = finetune(*typed[:-1], "1", "--seed", "1", name="alone", work=work)
    assert results(alone)["languages"]["en"]["values"] == values[1:]


def test_a_finished_run_is_up_to_date_and_another_is_refused(
    bert: Path, ner_data: Path, work: Path, capsys
):
    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en"]
    run = finetune(*typed, name="run", work=work)
    before = (run / "manifest.json").stat().st_mtime_ns
    finetune(*typed, name="run", work=work)
    assert (run / "manifest.json").stat().st_mtime_ns == before
    other = ["finetune", "--work", str(work), "--name", "run", *QUICK, *typed, "--fusion", "dlfa"]
    capsys.readouterr()
    assert main(other) == 2
    error = capsys.readouterr().err
    assert "--fusion 'last' → 'dlfa'" in error
    assert len(error.splitlines()) <= 2
    assert main([*other, "--force"]) == 0
    assert results(run)["fusion"] == "dlfa"


def test_a_run_killed_in_its_second_seed_goes_on(bert: Path, ner_data: Path, work: Path):
    typed = ["--model", str(bert), "--data", str(ner_data), "--seeds", "2", "--epochs", "8"]
    whole = finetune(*typed, name="whole", work=work)
    command = [sys.executable, "-m", "bbert", "finetune", "--work", str(work), "--name", "killed",
               *QUICK, *typed]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    partial = work / "transfer" / "killed.partial"
    deadline = time.monotonic() + 120
    while not (partial / ".steps" / "seed-0.json").is_file():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (work / "transfer" / "killed").exists()
    first_seed = (partial / "predictions" / "en.conll").stat().st_mtime_ns
    (partial / "predictions" / "seed-1").mkdir(exist_ok=True)  # what a kill may leave
    (partial / "predictions" / "seed-1" / "en.conll").write_text("half a li")
    killed = finetune(*typed, name="killed", work=work)
    assert (killed / "predictions" / "en.conll").stat().st_mtime_ns == first_seed
    assert same_files(whole, killed)


def test_a_loss_that_explodes_is_a_failure_without_traceback(
    bert: Path, ner_data: Path, work: Path, capsys
):
    typed = ["finetune", "--work", str(work), "--model", str(bert), "--data", str(ner_data)]
    assert main([*typed, "--learning-rate", "1e30", "--quiet"]) == 1
    error = capsys.readouterr().err
    assert "lower --learning-rate" in error
    warned = [line for line in error.splitlines() if line.startswith("warning: test examples")]
    assert len(error.splitlines()) - len(warned) <= 2


@pytest.mark.parametrize("fusion", ["last", "dlfa"])
def test_a_full_disk_is_a_failure_that_the_same_command_mends(
    bert: Path, ner_data: Path, work: Path, capsys, monkeypatch, fusion
):
    import safetensors.torch
    import transformers.modeling_utils

    def full(*arguments: object, **options: object) -> None:
        raise safetensors.SafetensorError("I/O error: No space left on device (os error 28)")

    typed = ["--model", str(bert), "--data", str(ner_data), "--fusion", fusion]
    with monkeypatch.context() as patched:
        patched.setattr(safetensors.torch, "save_file", full)
        patched.setattr(transformers.modeling_utils, "safe_save_file", full)
        assert main(["finetune", "--work", str(work), "--name", "run", *QUICK, *typed]) == 1
    error = capsys.readouterr().err
    assert "No space left on device; free some space" in error
    assert len(error.splitlines()) <= 2
    finetune(*typed, name="run", work=work)
