"""One treebank of a language where a folder holds several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_treebank import write_treebank

from bbert.cli import main, parse
from bbert.errors import InputError
from bbert.finetune.grid import cells_of
from bbert.finetune.plan import make_plan
from bbert.finetune.treebanks import parse_treebanks

TREEBANKS = {
    "UD_English-EWT": ("en_ewt", ("train", "dev", "test")),
    "UD_English-ParTUT": ("en_partut", ("train", "dev", "test")),
    "UD_English-PUD": ("en_pud", ("test",)),
    "UD_Spanish-GSD": ("es_gsd", ("test",)),
    "UD_Spanish-PUD": ("es_pud", ("test",)),
}


@pytest.fixture(scope="module")
def treebanks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("treebanks")
    for treebank, (code, splits) in TREEBANKS.items():
        (folder / "ud" / treebank).mkdir(parents=True)
        for split in splits:
            write_treebank(folder / "ud" / treebank / f"{code}-ud-{split}.conllu", 5, seed=1)
    (folder / "udpos").mkdir()  # of all treebanks together: none of them by itself
    (folder / "udpos" / "train-en.tsv").write_text("a\tDET\n")
    return folder


def files(folder: Path, bert: Path, *options: str) -> dict[str, list[str]]:
    arguments = ["--model", str(bert), "--data", str(folder), "--task", "pos", *options]
    arguments += ["--train-lang", "en", "--eval-langs", "en", "es", "--selection", "best-dev"]
    plan = make_plan(parse("finetune", arguments))
    tested = {name: found.files for name, found in plan.evaluation.items()}
    learned = {"train": plan.train[0].files, "dev": plan.dev[0].files}
    return {name: [file.name for file in found] for name, found in (learned | tested).items()}


def test_one_treebank_is_learnt_from_and_another_tested_on(treebanks: Path, bert: Path):
    options = ["--train-treebank", "ewt", "--eval-treebank", "en=partut", "--eval-treebank", "pud"]
    assert files(treebanks, bert, *options) == {
        "train": ["en_ewt-ud-train.conllu"], "dev": ["en_ewt-ud-dev.conllu"],
        "en": ["en_partut-ud-test.conllu"], "es": ["es_pud-ud-test.conllu"],
    }  # fmt: skip


def test_without_a_name_all_treebanks_are_read(treebanks: Path, bert: Path):
    found = files(treebanks / "ud", bert)
    assert found["train"] == ["en_ewt-ud-train.conllu", "en_partut-ud-train.conllu"]
    assert len(found["en"]) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--train-treebank", "es=gsd"], "es is not learnt from (languages: en); leave it out"),
        (["--eval-treebank", "ru=gsd"], "ru is not tested (languages: en, es); leave it out"),
        (["--train-treebank", "en=ewt", "--train-treebank", "gsd"],
         "--train-treebank gsd: every language that is learnt from has a treebank of its own"),
    ],
)  # fmt: skip
def test_a_treebank_that_nothing_reads_is_refused(
    treebanks: Path, bert: Path, options: list[str], words: str
):
    with pytest.raises(InputError) as error:
        files(treebanks, bert, *options)
    assert words in str(error.value)


def test_the_cells_of_a_grid_have_their_own_treebanks():
    options = ["--train-treebank", "en=ewt", "--train-treebank", "gsd"]
    typed = parse("finetune", ["--task", "pos", "--train-lang", "en,es,en+es", *options])
    assert [cell.train_treebank for _, cell in cells_of(typed, 2)] == [
        ("en=ewt",), ("gsd",), ("en=ewt", "gsd")
    ]  # fmt: skip
    with pytest.raises(InputError, match="ru is not learnt from"):
        cells_of(replace(typed, train_treebank=("ru=gsd",)), 2)


def test_a_treebank_that_is_not_there_is_refused_with_what_is(treebanks: Path, bert: Path):
    with pytest.raises(InputError, match=r"no en_gum-ud-train\.conllu there") as error:
        files(treebanks, bert, "--train-treebank", "gum")
    assert "en_ewt-ud-train.conllu" in str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--task", "ner", "--eval-treebank", "pud"], "is an option of task pos, parsing"),
        (["--task", "pos", "--train-treebank", "EWT!"], "give a treebank's code"),
        (["--task", "pos", "--eval-treebank", "enfake=pud"], "its files are those of en; give en="),
        (["--task", "pos", "--eval-treebank", "sp=gsd"], "language 'sp' is unknown"),
        (["--task", "pos", "--train-treebank", "ewt", "--train-set", "a=en:b"],
         "leave --train-treebank out"),
    ],
)  # fmt: skip
def test_bad_input(options: list[str], words: str, capsys: pytest.CaptureFixture[str]):
    assert main(["finetune", *options]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_a_language_has_one_treebank():
    assert parse_treebanks(["pud", "en=ewt"], "--eval-treebank") == {"": "pud", "en": "ewt"}
    with pytest.raises(ValueError, match="names a treebank of en twice"):
        parse_treebanks(["en=pud", "en=ewt"], "--eval-treebank")
