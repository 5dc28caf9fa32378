"""`bbert finetune --head bilstm-crf` from the command line."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from tiny_task_files import ner_sentences, write_columns

from bbert.cli import main, parse
from bbert.finetune.plan import make_plan
from bbert.finetune.training import learning_rate_at

QUICK = ["--epochs", "12", "--learning-rate", "1e-2", "--batch-size", "16", "--lstm-size", "24",
         "--dropout", "0.1", "--quiet", "--head", "bilstm-crf"]  # fmt: skip


def finetune(*arguments: str, name: str, work: Path) -> Path:
    assert main(["finetune", "--work", str(work), "--name", name, *QUICK, *arguments]) == 0
    return work / "transfer" / name


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def tags(path: Path) -> list[list[str]]:
    blocks = path.read_text(encoding="utf-8").strip("\n").split("\n\n")
    return [[line.split("\t")[1] for line in block.split("\n")] for block in blocks]


def same_results(first: Path, second: Path) -> bool:
    names = ["results.json", "metrics.jsonl", "model/model.safetensors", "predictions/en.conll"]
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_scores_are_those_of_seqeval_on_the_predictions(bert: Path, ner_data: Path, work: Path):
    typed = ["--model", str(bert), "--data", str(ner_data), "--train-lang", "en"]
    run = finetune(*typed, "--eval-langs", "en", "enfake", "es", "--seeds", "2", name="run",
                   work=work)  # fmt: skip
    content = results(run)
    assert (content["head"], content["fusion"]) == ("bilstm-crf", "scalar-mix")
    assert (content["freeze"], content["selection"]) == ("all", "best-dev")
    assert content["labels"] == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    for name, entry in content["languages"].items():
        gold = tags(run / "predictions" / "gold" / f"{name}.conll")
        for value, folder in zip(entry["values"], ("", "seed-1"), strict=True):
            found = tags(run / "predictions" / folder / f"{name}.conll")
            assert {tag[0] for sentence in found for tag in sentence} <= set("OBI")
            assert value == pytest.approx(f1_score(gold, found, mode="strict", scheme=IOB2))
    assert content["languages"]["en"]["mean"] > 0.7  # tags follow from the words
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert all(row["learning_rate"] == 1e-2 for row in rows)
    encoder = load_file(bert / "model.safetensors")
    exported = load_file(run / "model" / "model.safetensors")
    name = "encoder.layer.1.output.dense.weight"
    assert torch.equal(exported[f"encoder.{name}"], encoder[f"bert.{name}"])
    assert sum(1 for _ in (work / "features").iterdir()) == 5  # train, dev, three to test on
    assert content["contamination"] is not None


KILLED = """
import os, signal, sys
import torch
from bbert.cli import main
from bbert.finetune import feature_files

write, step, steps = feature_files.write_json_atomically, torch.optim.AdamW.step, []

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def written(path, content):
    write(path, content)
    if where == "features" and content.get("rows") == 512:
        die()

def stepped(self, *arguments):
    steps.append(1)
    if where == "training" and len(steps) == number:
        die()
    return step(self, *arguments)

where, number = sys.argv[1], int(sys.argv[2])
feature_files.write_json_atomically, torch.optim.AdamW.step = written, stepped
sys.exit(main(sys.argv[3:]))
"""
"""Runs the command and kills itself after 512 sentences of features, or in the step of a number."""


def test_a_run_killed_in_the_feature_pass_or_in_training_ends_the_same(bert: Path, tmp_path: Path):
    data = tmp_path / "panx"
    for seed, (name, number) in enumerate({"train": 700, "dev": 30, "test": 30}.items()):
        write_columns(data / f"{name}-en.tsv", ner_sentences(number, seed))
    typed = ["--model", str(bert), "--data", str(data), "--train-lang", "en", "--eval-langs",
             "en", "--epochs", "2", "--seeds", "2"]  # fmt: skip
    whole = finetune(*typed, name="run", work=tmp_path / "whole")
    work = tmp_path / "killed"
    steps_of_a_seed = 2 * -(-700 // 16)

    def killed(where: str, step: int = 0) -> None:
        command = ["finetune", "--work", str(work), "--name", "run", *QUICK, *typed]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, where, str(step), *command], capture_output=True
        )
        assert done.returncode == -signal.SIGKILL, done.stderr

    killed("features")
    (progress,) = work.glob("features/*/progress.json")
    assert json.loads(progress.read_text())["rows"] == 512  # of 700
    killed("training", steps_of_a_seed + 60)  # in the second epoch of the second seed
    assert not list(work.glob("features/*/*.partial"))
    seeds = [file.name for file in work.glob("transfer/run.partial/.steps/seed-*.json")]
    assert seeds == ["seed-0.json"]
    written = {p: p.stat().st_mtime_ns for p in work.rglob("*.f16")}
    assert same_results(whole, finetune(*typed, name="run", work=work))
    assert all(path.stat().st_mtime_ns == when for path, when in written.items())


def test_cells_and_seeds_take_the_same_features(bert: Path, ner_data: Path, work: Path, caplog):
    typed = ["--model", str(bert), "--data", str(ner_data), "--train-lang", "en", "--eval-langs",
             "en", "--epochs", "1"]  # fmt: skip
    finetune(*typed, "--fusion", "dlfa", "--fusion-layer", "2", name="first", work=work)
    written = {p: p.stat().st_mtime_ns for p in (work / "features").rglob("*.f16")}
    assert main(["finetune", "--work", str(work), *QUICK, *typed, "--fusion", "dlfa",
                 "--fusion-layer", "1-2"]) == 0  # fmt: skip
    after = {p: p.stat().st_mtime_ns for p in (work / "features").rglob("*.f16")}
    assert all(after[path] == when for path, when in written.items())
    assert {p.name for p in set(after) - set(written)} == {"layer-01.f16"}


def test_patience_ends_training(bert: Path, ner_data: Path, work: Path):
    typed = ["--model", str(bert), "--data", str(ner_data), "--train-lang", "en", "--eval-langs",
             "en", "--learning-rate", "1e-12", "--patience", "3"]  # fmt: skip
    run = finetune(*typed, name="run", work=work)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 4  # nothing is learned: the first epoch and three that are no better
    assert rows[0]["kept"]


def test_a_random_encoder_is_a_floor(bert: Path, ner_data: Path, work: Path):
    typed = ["--model", str(bert), "--data", str(ner_data), "--train-lang", "en", "--eval-langs",
             "en", "--random-init", "all"]  # fmt: skip
    run = finetune(*typed, name="floor", work=work)
    assert results(run)["random_init"] == "all"
    assert not list((work / "features").iterdir())


def plan(bert: Path, ner_data: Path, *options: str):
    typed = ["--model", str(bert), "--data", str(ner_data), "--train-lang", "en"]
    return make_plan(parse("finetune", [*typed, *options])).config


def test_the_recipe_and_the_head_alone_are_the_papers(bert: Path, ner_data: Path):
    recipe = plan(bert, ner_data, "--recipe", "k2020")
    alone = plan(bert, ner_data, "--head", "bilstm-crf")
    for config in (recipe, alone):
        assert (config.head, config.fusion, config.freeze) == ("bilstm-crf", "scalar-mix", "all")
        assert (config.lstm_size, config.dropout, config.batch_size) == (200, 0.5, 32)
        assert (config.learning_rate, config.schedule, config.warmup) == (1e-3, "constant", 0)
        assert (config.weight_decay, config.max_gradient_norm) == (0, 5)
        assert (config.epochs, config.patience, config.selection) == (75, 25, "best-dev")
    assert (recipe.seeds, alone.seeds) == (5, 1)
    assert str(recipe.name).startswith("tiny-bert-ner-scalar-mix-")
    other = plan(bert, ner_data, "--head", "bilstm-crf", "--fusion", "last", "--selection", "last")
    assert (other.fusion, other.patience) == ("last", None)
    usual = plan(bert, ner_data)
    assert (usual.head, usual.fusion, usual.freeze, usual.schedule) == (
        "linear",
        "last",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--head", "bilstm-crf", "--freeze", "1-2"], "does not learn at all"),
        (
            ["--head", "bilstm-crf", "--fusion", "dlfa", "--fusion-pool", "paper"],
            "--fusion-pool paper counts padding, which --head bilstm-crf does not read",
        ),
        (["--lstm-size", "8"], "--lstm-size is an option of --head bilstm-crf"),
        (["--recipe", "k2020", "--head", "linear"], "is one for --head bilstm-crf"),
        (["--recipe", "muller2021", "--head", "bilstm-crf"], "is one for --head linear"),
        (["--patience", "3"], "give --selection best-dev"),
        (["--task", "pos", "--head", "bilstm-crf"], "does not fit task pos"),
        (["--patience", "0"], "must be greater than 0"),
        (["--task", "pos", "--lstm-size", "8"], "option of task ner"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    bert: Path, ner_data: Path, work: Path, capsys, options, said
):
    typed = ["finetune", "--work", str(work), "--model", str(bert), "--data", str(ner_data),
             "--train-lang", "en"]  # fmt: skip
    assert main([*typed, *options]) == 2
    error = capsys.readouterr().err
    assert said in " ".join(error.split())
    assert "Traceback" not in error


def test_a_dry_run_counts_the_features(bert: Path, ner_data: Path, work: Path, capsys):
    typed = ["finetune", "--work", str(work), "--model", str(bert), "--data", str(ner_data),
             "--train-lang", "en", "--head", "bilstm-crf", "--dry-run"]  # fmt: skip
    assert main(typed) == 0
    assert "features: about" in capsys.readouterr().out
    assert main([*typed, "--random-init", "none/1"]) == 0
    shown = capsys.readouterr().out
    assert "features: at most about" in shown
    assert re.search(r"# time: at most about [\d.,]+ min on this machine, all runs together", shown)
    assert not work.exists()


def test_a_constant_rate_stays_after_the_warm_up():
    rates = [learning_rate_at(step, 10, 1.0, 0.2, "constant") for step in range(10)]
    assert rates == [0.5, *[1.0] * 9]
