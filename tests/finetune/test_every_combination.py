"""Every task with every head and fusion trains, and independent scorers find the same scores.

The scores are computed again from the files in `predictions/`: entities by seqeval in strict mode,
labels by scikit-learn, trees by the scorer of the CoNLL-2018 shared task.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from official_scorer import official_scores
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score

from bbert.cli import parse
from bbert.finetune.examples import RunData, load_data
from bbert.finetune.fusion import FUSIONS
from bbert.finetune.plan import Plan, make_plan
from bbert.finetune.seed_run import run_seed, write_gold
from bbert.finetune.tasks import TASKS, load_task

COMBINATIONS = [
    (task, head, fusion) for task in TASKS for head in load_task(task).heads for fusion in FUSIONS
]
SMALL = ["--max-train-examples", "24", "--max-eval-examples", "12", "--epochs", "1",
         "--batch-size", "8", "--learning-rate", "1e-3", "--precision", "fp32",
         "--selection", "last"]  # fmt: skip
REAL = {  # task → folder of real files, training and test languages that it has
    "xnli": ("xnli", "en", ("en", "es", "hi", "ru")),
    "ner": ("panx", "en", ("en", "es", "hi", "ru")),
    "pos": ("udpos", "en", ("en", "es", "hi", "ru")),
    "parsing": ("ud", "en", ("en", "fr", "hi", "ru")),
}


def plan_of(model: Path, task: str, head: str, fusion: str, data: Path, *options: str) -> Plan:
    typed = ["--model", str(model), "--task", task, "--head", head, "--fusion", fusion,
             "--data", str(data), *SMALL, *options]  # fmt: skip
    return make_plan(parse("finetune", typed))


@cache
def data_of(model: Path, task: str, folder: Path, *options: str) -> RunData:
    """The examples of a task, read and encoded once for all heads and fusions."""
    return load_data(plan_of(model, task, load_task(task).heads[0], "last", folder, *options))


def labels_of(path: Path) -> list[list[str]]:
    """Labels of the last column, read without bbert."""
    blocks = path.read_text(encoding="utf-8").strip("\n").split("\n\n")
    return [[line.split("\t")[-1] for line in block.split("\n")] for block in blocks]


def recomputed(task: str, gold: Path, predicted: Path) -> dict[str, float]:
    """Scores of the files by scorers that are not bbert's."""
    if task == "ner":
        true, found = labels_of(gold), labels_of(predicted)
        f1: Any = f1_score(true, found, mode="strict", scheme=IOB2)
        return {"entity_f1": f1}
    if task in ("pos", "parsing"):
        official = official_scores(gold, predicted)
        if task == "pos":
            return {"accuracy": official["UPOS"]}
        return {"las": official["LAS"], "uas": official["UAS"]}
    rows = [line.split("\t") for line in predicted.read_text(encoding="utf-8").splitlines()[1:]]
    return {"accuracy": accuracy_score([r[-2] for r in rows], [r[-1] for r in rows])}


def check(plan: Plan, data: RunData, folder: Path) -> None:
    """Train one seed, and score its predictions again."""
    network, outcome = run_seed(plan, data, 0, folder)
    write_gold(plan, data, folder / "gold")
    assert not outcome["failures"]
    assert set(outcome["scores"]) == set(plan.evaluation)
    assert outcome["epochs"][-1]["loss"] > 0
    for name, scores in outcome["scores"].items():
        file = f"{name}.{plan.task.extension}"
        for metric, value in recomputed(
            plan.task.name, folder / "gold" / file, folder / file
        ).items():
            assert scores[metric] == pytest.approx(value, abs=1e-9), (name, metric)
    assert sum(p.numel() for p in network.parameters()) == outcome["notes"]["parameters"]


@pytest.mark.parametrize(("task", "head", "fusion"), COMBINATIONS)
def test_on_the_sample(bert: Path, sample: Path, tmp_path: Path, task, head, fusion):
    languages = ["--train-lang", "enfake", "--eval-langs", "enfake", "es"]
    plan = plan_of(bert, task, head, fusion, sample, *languages, "--work", str(tmp_path))
    check(plan, data_of(bert, task, sample, *languages), tmp_path / "predictions")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("fusion", ["last", "dlfa"])
def test_in_bf16(bert: Path, sample: Path, tmp_path: Path, task: str, fusion: str):
    languages = ["--train-lang", "enfake", "--eval-langs", "enfake", "es"]
    head = load_task(task).heads[0]
    plan = plan_of(bert, task, head, fusion, sample, *languages, "--work", str(tmp_path),
                   "--precision", "bf16")  # fmt: skip
    check(plan, data_of(bert, task, sample, *languages), tmp_path / "predictions")


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("task", "head", "fusion"), [c for c in COMBINATIONS if c[0] in REAL]
)  # of PAWS-X there is no training file
def test_on_real_data(bert: Path, real_data: Path, tmp_path: Path, task, head, fusion):
    folder, source, targets = REAL[task]
    languages = ["--train-lang", source, "--eval-langs", *targets]
    plan = plan_of(bert, task, head, fusion, real_data / folder, *languages, "--work",
                   str(tmp_path))  # fmt: skip
    check(plan, data_of(bert, task, real_data / folder, *languages), tmp_path / "predictions")


@pytest.mark.realdata
@pytest.mark.parametrize("fusion", FUSIONS)
def test_on_real_paraphrases(bert: Path, real_data: Path, tmp_path: Path, fusion: str):
    """The released training file is not at hand: a part of the development file stands for it."""
    folder = tmp_path / "pawsx"
    for language in ("en", "es"):
        (folder / language).mkdir(parents=True)
        for name in ("dev_2k.tsv", "test_2k.tsv"):
            source = real_data / "pawsx" / "x-final" / language / name
            (folder / language / name).symlink_to(source)
    dev = real_data / "pawsx" / "x-final" / "en" / "dev_2k.tsv"
    lines = dev.read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "en" / "train.tsv").write_text("".join(lines[:200]), encoding="utf-8")
    languages = ["--train-lang", "en", "--eval-langs", "en", "es", "en-es"]
    plan = plan_of(bert, "pawsx", "classifier", fusion, folder, *languages, "--work",
                   str(tmp_path))  # fmt: skip
    check(plan, load_data(plan), tmp_path / "predictions")
