"""The grids of the papers in one command each, on real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bbert.cli import main

pytestmark = pytest.mark.realdata

SMALL = ["--max-train-examples", "24", "--max-eval-examples", "16", "--epochs", "1",
         "--batch-size", "8", "--quiet"]  # fmt: skip


@pytest.fixture
def finetune(bert: Path, work: Path):
    def run(*arguments: str) -> dict[str, dict]:
        """Run the command; name of every run → its results."""
        typed = ["finetune", "--work", str(work), "--model", str(bert), "--name", "run"]
        assert main([*typed, *arguments, *SMALL]) == 0
        found = sorted((work / "transfer").iterdir())
        return {path.name: json.loads((path / "results.json").read_text()) for path in found}

    return run


def test_training_by_test_languages(finetune, real_data: Path, capsys):
    """Pires et al. 2019, tables 1 (entities) and 5 (means between word orders)."""
    languages = ["en", "es", "hi", "ru"]
    found = finetune(
        "--data", str(real_data / "panx"), "--train-lang", ",".join(languages), "--eval-langs",
        *languages, "--average", "SVO=en,es,ru", "--average", "SOV=hi",
    )  # fmt: skip
    assert list(found) == [f"run-{language}" for language in languages]
    for content in found.values():
        assert list(content["languages"]) == languages
        assert content["averages"]["SVO"]["num_languages"] == 3
    shown = capsys.readouterr().out
    assert "(6)" in shown  # pairs of two of the three SVO languages
    assert "(3)" in shown


def test_premises_by_hypotheses(finetune, real_data: Path):
    """K et al. 2020, table 11."""
    pairs = [f"{a}-{b}" for a in ("en", "enfake", "es") for b in ("en", "enfake", "es")]
    pairs = [pair.partition("-")[0] if len(set(pair.split("-"))) == 1 else pair for pair in pairs]
    found = finetune(
        "--task", "xnli", "--data", str(real_data / "xnli"), "--train-lang", "en", "--eval-langs",
        *pairs,
    )["run"]  # fmt: skip
    assert list(found["languages"]) == pairs
    gold = {tuple(entry["values"]) for entry in found["languages"].values()}
    assert all(entry["n"] == 16 for entry in found["languages"].values())
    assert gold


def test_domains(finetune, real_data: Path):
    """Muller et al. 2021, table 2: several treebanks of a language, each with its name."""
    ud = real_data / "ud"
    treebanks = {"ewt": "EWT", "partut": "ParTUT", "lines": "LinES", "pud": "PUD"}
    sets = [f"{name}=en:{ud / f'UD_English-{folder}'}" for name, folder in treebanks.items()]
    options = [option for text in sets for option in ("--eval-set", text)]
    found = finetune(
        "--task", "pos", "--data", str(ud / "UD_English-EWT"), "--train-lang", "en", "--eval-langs",
        "en", *options, "--eval-set", f"french=fr:{ud / 'UD_French-PUD'}",
        "--average", "other=partut,lines,pud",
    )["run"]  # fmt: skip
    assert list(found["languages"]) == ["en", *treebanks, "french"]
    assert found["languages"]["partut"]["files"] == ["en_partut-ud-test.conllu"]
    assert found["averages"]["other"]["num_languages"] == 3
    assert found["languages"]["ewt"]["values"] == found["languages"]["en"]["values"]
