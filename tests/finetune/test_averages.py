"""Averages over groups of languages: in results, tables and grids, and for runs that are done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_task_files import ner_sentences, write_columns

from bbert.cli import main
from bbert.errors import InputError
from bbert.finetune.averages import averages, between_groups, groups_of, parse_average
from bbert.finetune.config import FinetuneConfig

QUICK = ["--epochs", "1", "--learning-rate", "3e-3", "--batch-size", "16", "--quiet"]


def entry(*values: float, chance: float = 0.1) -> dict:
    seeds = list(range(len(values)))
    mean = sum(values) / len(values) if values else None
    return {"values": list(values), "seeds": seeds, "mean": mean, "chance": chance}


def test_means_within_seeds_with_and_without_the_source():
    rows = {"en": entry(0.9, 0.7), "de": entry(0.5, 0.7), "hi": entry(0.2, 0.4, chance=0.3)}
    found = averages(rows, ["en"], {"enf": ("en", "de"), "noenf": ("hi",)})
    enf = found["enf"]
    assert enf["values"] == pytest.approx([0.7, 0.7])
    assert (enf["mean"], enf["std"]) == pytest.approx((0.7, 0.0))
    assert enf["num_languages"] == 2
    assert enf["zero_shot"]["languages"] == ["de"]
    assert enf["zero_shot"]["values"] == [0.5, 0.7]
    assert found["noenf"]["std"] == pytest.approx(0.02**0.5)
    assert found["noenf"]["chance"] == 0.3
    assert "zero_shot" not in found["noenf"]


def test_no_language_of_several_that_were_learnt_is_zero_shot():
    rows = {"en": entry(0.9), "de": entry(0.5), "hi": entry(0.8)}
    found = averages(rows, ["en", "hi"], {"all": ("en", "de", "hi"), "learnt": ("en", "hi")})
    assert found["all"]["zero_shot"]["languages"] == ["de"]
    assert found["all"]["zero_shot"]["values"] == [0.5]
    assert "zero_shot" not in found["learnt"]


def in_language(value: float, language: str, second: str | None = None) -> dict:
    return {**entry(value), "language": language, "second_language": second}


def test_what_was_learnt_is_known_by_its_language_not_by_the_name_of_a_row():
    rows = {
        "en": in_language(0.9, "en"), "news": in_language(0.7, "en"), "es": in_language(0.5, "es"),
        "tales": in_language(0.3, "es"), "en-es": in_language(0.4, "en", "es"),
        "enfake": in_language(0.2, "enfake"),
    }  # fmt: skip
    groups = {"named": ("news", "es"), "all": tuple(rows), "source": ("en", "news")}
    found = averages(rows, ["en"], groups)
    assert found["named"]["zero_shot"]["languages"] == ["es"]
    assert found["named"]["zero_shot"]["mean"] == 0.5
    assert found["all"]["zero_shot"]["languages"] == ["es", "tales", "en-es", "enfake"]
    assert "zero_shot" not in found["source"]
    both = averages(rows, ["en", "es"], groups)
    assert both["all"]["zero_shot"]["languages"] == ["enfake"]


def test_seeds_that_lack_a_row_are_left_out():
    rows = {"en": entry(0.9, 0.7), "de": {**entry(0.5), "seeds": [1]}, "hi": entry()}
    found = averages(rows, ["x"], {"both": ("en", "de"), "none": ("en", "hi")})
    assert found["both"]["seeds"] == [1]
    assert found["both"]["values"] == pytest.approx([0.6])
    assert found["none"]["mean"] is None


def test_pairs_between_groups_leave_out_a_language_with_itself():
    def run(source: str, **scores: float) -> dict:
        languages = {name: entry(score) for name, score in scores.items()}
        return {"train_language": source, "languages": languages}

    runs = [run("en", en=1.0, es=0.8, hi=0.2), run("es", en=0.6, es=1.0, hi=0.4),
            run("hi", en=0.1, es=0.3, hi=1.0)]  # fmt: skip
    table = between_groups(runs, {"SVO": ("en", "es"), "SOV": ("hi",)})
    assert table["SVO", "SVO"]["mean"] == pytest.approx(0.7)
    assert table["SVO", "SVO"]["languages"] == ["en>es", "es>en"]
    assert table["SVO", "SOV"]["mean"] == pytest.approx(0.3)
    assert table["SOV", "SVO"]["mean"] == pytest.approx(0.2)
    assert ("SOV", "SOV") not in table


def test_no_set_in_the_training_language_is_a_pair():
    rows = {name: in_language(score, name[:2]) for name, score in
            {"en": 1.0, "es": 0.8, "en-news": 0.9, "hi": 0.2}.items()}  # fmt: skip
    groups = {"SVO": ("en", "en-news", "es"), "SOV": ("hi",), "news": ("en-news",)}
    for learnt in ({"train_language": "en", "train_languages": ["en"]},
                   {"train_language": "ewt", "train_languages": ["en"]},
                   {"train_language": "en"}):  # fmt: skip
        table = between_groups([{**learnt, "languages": rows}], groups)
        name = learnt["train_language"]
        assert {cell: found["languages"] for cell, found in table.items()} == {
            ("SVO", "SVO"): [f"{name}>es"], ("SVO", "SOV"): [f"{name}>hi"],
        }  # fmt: skip
    mixture = {"train_language": "ewt", "train_languages": ["en", "es"], "languages": rows}
    assert between_groups([mixture], groups) == {}


@pytest.mark.parametrize("text", ["SVO", "=en", "SVO=", "SVO=en,,es", "SVO=en,en"])
def test_averages_as_typed(text: str):
    with pytest.raises(ValueError, match="--average"):
        FinetuneConfig(average=(text,))
    assert parse_average("SVO=en, es") == ("SVO", ("en", "es"))


def test_groups_name_rows_that_are_there():
    with pytest.raises(InputError, match=r"'de' is not tested .*: en, es"):
        groups_of(["enf=en,de"], ["en", "es"])
    for typed in (["en=en,es"], ["a=en", "a=es"]):
        with pytest.raises(InputError, match="a row called"):
            groups_of(typed, ["en", "es"])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Train and test files of en, es and hi."""
    for seed, name in enumerate(["train-en", "train-hi", "test-en", "test-es", "test-hi"]):
        write_columns(tmp_path / "panx" / f"{name}.tsv", ner_sentences(20, seed))
    return tmp_path / "panx"


def test_a_grid_of_groups_in_one_command(bert: Path, data: Path, work: Path, capsys):
    typed = ["finetune", "--work", str(work), "--model", str(bert), "--data", str(data), *QUICK,
             "--train-lang", "en,hi", "--eval-langs", "en", "es", "hi", "--name", "grid",
             "--average", "SVO=en,es", "--average", "SOV=hi"]  # fmt: skip
    assert main(typed) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "mean SVO" in shown
    assert "zero-shot mean from group" in shown
    content = json.loads((work / "transfer" / "grid-en" / "results.json").read_text())
    found = content["averages"]["SVO"]
    scores = [content["languages"][name]["mean"] for name in ("en", "es")]
    assert found["mean"] == pytest.approx(sum(scores) / 2)
    assert found["zero_shot"]["mean"] == scores[1]
    assert main(["report", "--work", str(work), "--name", "page", "--quiet"]) == 0
    page = (work / "reports" / "page" / "report.md").read_text()
    assert "mean SVO (2)" in page


def test_averages_of_a_run_that_is_done_train_nothing(
    bert: Path, data: Path, work: Path, capsys, monkeypatch
):
    from bbert.finetune import seed_run

    typed = ["finetune", "--work", str(work), "--model", str(bert), "--data", str(data), *QUICK,
             "--train-lang", "en", "--eval-langs", "en", "es", "--name", "run"]  # fmt: skip
    assert main(typed) == 0
    file = work / "transfer" / "run" / "results.json"
    before = json.loads(file.read_text())
    assert before["averages"] == {}
    monkeypatch.setattr(seed_run, "train", None)
    assert main([*typed, "--average", "all=en,es"]) == 0
    assert "mean all (2 languages)" in capsys.readouterr().out
    after = json.loads(file.read_text())
    assert after["averages"]["all"]["num_languages"] == 2
    assert {**after, "averages": {}} == before
    assert main([*typed, "--average", "all=en,ru"]) == 2


def test_the_language_of_a_training_set_is_known_later_too(
    bert: Path, data: Path, work: Path, monkeypatch
):
    """`--train-set` has a name of its own; so have the sets that a run is tested on."""
    from bbert.finetune import seed_run

    typed = ["finetune", "--work", str(work), "--model", str(bert), "--data", str(data), *QUICK,
             "--train-set", f"ewt=en:{data / 'train-en.tsv'}", "--eval-langs", "en", "es",
             "--eval-set", f"news=en:{data / 'test-hi.tsv'}", "--name", "run"]  # fmt: skip
    average = ["--average", "all=en,es,news"]
    assert main([*typed, *average]) == 0
    file = work / "transfer" / "run" / "results.json"
    content = json.loads(file.read_text())
    assert (content["train_language"], content["train_languages"]) == ("ewt", ["en"])
    assert content["averages"]["all"]["languages"] == ["en", "es", "news"]
    assert content["averages"]["all"]["zero_shot"]["languages"] == ["es"]
    monkeypatch.setattr(seed_run, "train", None)
    # As an older version left it: the run says what it learnt, its results do not.
    old = {key: value for key, value in content.items() if key != "train_languages"}
    del old["averages"]["all"]["zero_shot"]
    file.write_text(json.dumps(old))
    assert main([*typed, *average]) == 0
    assert json.loads(file.read_text())["averages"] == {
        "all": {**old["averages"]["all"], "zero_shot": averages(
            content["languages"], ["en"], {"all": ("en", "es", "news")})["all"]["zero_shot"]}
    }  # fmt: skip
