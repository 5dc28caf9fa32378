"""Rows of the results: languages, pairs of languages, sets with names of their own."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score
from tiny_task_files import ner_sentences, write_columns

from bbert.cli import main
from bbert.errors import InputError
from bbert.finetune.config import FinetuneConfig
from bbert.finetune.evaluation_sets import languages_of, parse_named_set, set_name
from bbert.finetune.examples import load_data
from bbert.finetune.plan import make_plan
from bbert.finetune.read_examples import joined
from bbert.finetune.tasks import load_task
from bbert.finetune.tasks.task import TextPair

HERE = Path("file.tsv")


def finetune(*arguments: str, name: str, work: Path) -> Path:
    quick = ["--epochs", "1", "--quiet", "--work", str(work), "--name", name]
    assert main(["finetune", *quick, *arguments]) == 0
    return work / "transfer" / name


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def refused(capsys, *arguments: str) -> str:
    capsys.readouterr()
    assert main(["finetune", *arguments, "--quiet"]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) <= 2
    return error


def test_names_of_pairs():
    xnli, ner = load_task("xnli"), load_task("ner")
    first, second = languages_of("enfake-es", xnli, "--eval-langs")
    assert (first.name, second.name) == ("enfake", "es")
    assert languages_of("es", ner, "--eval-langs")[1] is None
    with pytest.raises(InputError, match="is a pair of languages, and the examples of task ner"):
        languages_of("en-es", ner, "--eval-langs")
    with pytest.raises(InputError, match="--eval-langs: language 'en-xx' is unknown"):
        languages_of("en-xx", xnli, "--eval-langs")


def pairs(*rows: tuple[str, str, str, str]) -> list[TextPair]:
    return [
        TextPair(first, second, (label,), HERE, line, key)
        for line, (first, second, label, key) in enumerate(rows, start=1)
    ]


def test_texts_of_two_languages_are_joined_by_id_or_order():
    english = pairs(("a", "b", "x", "1"), ("c", "d", "y", "2"), ("e", "f", "x", "3"))
    spanish = pairs(("C", "D", "y", "2"), ("A", "B", "x", "1"))
    examples, alone = joined(english, spanish)
    assert [(e.first, e.second, *e.labels) for e in examples] == [("a", "B", "x"), ("c", "D", "y")]
    assert alone == [2]
    by_order = [pairs(*[(*row[:3], "") for row in rows]) for rows in (
        [("a", "b", "x"), ("c", "d", "y")], [("A", "B", "x"), ("C", "D", "y")])]  # fmt: skip
    examples, alone = joined(*by_order)
    assert [(e.first, e.second) for e in examples] == [("a", "B"), ("c", "D")]
    assert alone == []
    (a, c), (b, d) = by_order  # of other pairs that were left out
    examples, alone = joined([a, None, c, c, None], [b, b, None, d, None])
    assert [(e.first, e.second) for e in examples] == [("a", "B"), ("c", "D")]
    assert alone == [2]


def test_texts_that_are_not_parallel_are_refused():
    with pytest.raises(InputError, match="2 and 1 pairs without ids"):
        joined(pairs(("a", "b", "x", ""), ("c", "d", "x", "")), pairs(("A", "B", "x", "")))
    with pytest.raises(InputError, match="no pair is in both"):
        joined(pairs(("a", "b", "x", "1")), pairs(("A", "B", "x", "2")))
    with pytest.raises(InputError, match=r"file.tsv:1 and file.tsv:1: .* labels 'x' and 'y'"):
        joined(pairs(("a", "b", "x", "1")), pairs(("A", "B", "y", "1")))


@pytest.fixture
def parallel(xnli_data: Path, tmp_path: Path) -> Path:
    """XNLI whose English and Spanish rows are the same pairs, Spanish in another order."""
    folder = Path(shutil.copytree(xnli_data, tmp_path / "xnli"))
    lines = (folder / "xnli.test.tsv").read_text().splitlines()
    english = [line.split("\t") for line in lines[1:] if line.startswith("en\t")]
    spanish = [["es", *row[1:2], *(f"{text} !" for text in row[2:4]), row[4]] for row in english]
    rows = [lines[0], *map("\t".join, english), *map("\t".join, reversed(spanish))]
    (folder / "xnli.test.tsv").write_text("\n".join(rows) + "\n")
    return folder


def test_premises_and_hypotheses_of_two_languages(bert: Path, parallel: Path, work: Path):
    run = finetune(
        "--model", str(bert), "--task", "xnli", "--data", str(parallel), "--train-lang", "en",
        "--eval-langs", "en", "es", "enfake-es", "es-en", name="pairs", work=work,
    )  # fmt: skip
    content = results(run)
    assert list(content["languages"]) == ["en", "es", "enfake-es", "es-en"]
    assert set(content["cross_lingual_gap"]) == {"es", "enfake-es", "es-en"}
    entry = content["languages"]["enfake-es"]
    assert (entry["language"], entry["second_language"], entry["n"]) == ("enfake", "es", 20)
    rows = [
        line.split("\t")
        for line in (run / "predictions" / "enfake-es.tsv").read_text().splitlines()[1:]
    ]
    assert all(not row[1].endswith("!") and row[2].endswith("!") for row in rows)
    assert entry["values"] == [accuracy_score(*zip(*(row[-2:] for row in rows), strict=True))]
    rows = (run / "predictions" / "es-en.tsv").read_text().splitlines()[1:]
    assert all(row.split("\t")[1].endswith("!") for row in rows)


def test_texts_without_ids_are_joined_by_their_places_in_the_files(
    bert: Path, tmp_path: Path, work: Path
):
    """As XTREME has PAWS-X: where other rows are missing, no row may move to its neighbour's."""
    missing = {"en": (1,), "es": (4,), "fr": (2, 7)}
    for language, rows in missing.items():
        lines = [
            f"{'NS' if n in rows else f'{language} {n}'}\t{n}\t{int(n > 8)}\n" for n in range(10)
        ]
        for split in ("train", "test"):
            (tmp_path / f"{split}-{language}.tsv").write_text("".join(lines))
    config = FinetuneConfig(
        work=work, model=str(bert), task="pawsx", data=tmp_path, train_lang="en",
        eval_langs=("en-es", "fr-es"),
    )  # fmt: skip
    for name, found in load_data(make_plan(config)).evaluation.items():
        first, second = name.split("-")
        kept = [str(n) for n in range(10) if n not in (*missing[first], *missing[second])]
        assert [e.first for e in found.examples] == [f"{first} {n}" for n in kept]
        assert [e.second for e in found.examples] == kept


def test_languages_that_lack_rows_are_tested_on_the_same_others(
    bert: Path, tmp_path: Path, work: Path
):
    def table(language: str, missing: tuple[int, ...]) -> str:
        rows = [
            f"{n}\t{'NS' if n in missing else f'{language} {n}'}\t{n}\t{n % 2}\n" for n in range(40)
        ]
        return "id\tsentence1\tsentence2\tlabel\n" + "".join(rows)

    missing = {"en": (), "es": (3, 17, 18), "fr": (0, 39)}
    for language, rows in missing.items():
        (tmp_path / "x-final" / language).mkdir(parents=True)
        for split in ("train", "dev_2k", "test_2k"):
            text = table(language, rows)
            (tmp_path / "x-final" / language / f"{split}.tsv").write_text(text)
    config = FinetuneConfig(
        work=work, model=str(bert), task="pawsx", data=tmp_path, train_lang="en",
        eval_langs=("en", "enfake", "es", "fr", "en-es", "es-fr"), max_eval_examples=30,
    )  # fmt: skip
    data = load_data(make_plan(config))
    keys = {name: [e.key for e in found.examples] for name, found in data.evaluation.items()}
    drawn = keys["en"]
    # as ever where no row is missing
    assert [int(key) for key in drawn] == sorted(
        np.random.default_rng([1]).choice(40, 30, replace=False).tolist()
    )
    assert keys["enfake"] == drawn
    for name in ("es", "fr", "en-es", "es-fr"):
        lacking = {str(n) for part in name.split("-") for n in missing[part]}
        assert keys[name] == [key for key in drawn if key not in lacking]
    with pytest.raises(InputError, match="--max-eval-examples 1: none of the rows drawn from"):
        (only,) = np.random.default_rng([1]).choice(40, 1, replace=False).tolist()
        (tmp_path / "x-final" / "es" / "test_2k.tsv").write_text(table("es", (only,)))
        load_data(make_plan(replace(config, max_eval_examples=1)))


def test_entities_of_a_new_type_in_a_test_set_are_missed_not_refused(
    bert: Path, ner_data: Path, tmp_path: Path, work: Path, capsys
):
    news = [[*sentence[:-1], ("old", "B-MISC"), ("Rome", "I-MISC"), (".", "O")]
            for sentence in ner_sentences(12, 3)]  # fmt: skip
    write_columns(tmp_path / "news.conll", news)
    typed = ["--model", str(bert), "--data", str(ner_data), "--train-lang", "en", "--eval-langs",
             "en", "es", "--eval-set", f"news=en:{tmp_path / 'news.conll'}"]  # fmt: skip
    run = finetune(*typed, "--learning-rate", "3e-3", "--epochs", "3", name="n", work=work)
    warned = capsys.readouterr().err
    assert "news: entities of types that the training data do not have count" in warned
    assert "missed: 12 (MISC, " in warned
    assert "news.conll:" in warned
    content = results(run)
    assert list(content["languages"]) == ["en", "es", "news"]
    assert content["languages"]["news"]["unknown_types"] == 12
    assert content["languages"]["en"]["unknown_types"] == 0
    assert content["failures"] == {}
    gold, found = (
        [
            s.labels
            for s in load_task("ner").read([run / "predictions" / below / "news.conll"], "en")
        ]
        for below in ("gold", "")
    )
    assert sum(label == "B-MISC" for labels in gold for label in labels) == 12
    assert not any(label.endswith("MISC") for labels in found for label in labels)
    expected = f1_score([*map(list, gold)], [*map(list, found)], mode="strict", scheme=IOB2)
    assert content["languages"]["news"]["values"] == [pytest.approx(expected)]


def test_pairs_are_for_tasks_with_two_texts(bert: Path, ner_data: Path, work: Path, capsys):
    error = refused(capsys, "--model", str(bert), "--data", str(ner_data), "--eval-langs", "en-es")
    assert "is a pair of languages" in error


def test_sets_with_names(bert: Path, ner_data: Path, tmp_path: Path, work: Path):
    write_columns(tmp_path / "news.conll", ner_sentences(7, 11))
    (tmp_path / "folder").mkdir()
    shutil.copy(ner_data / "dev-es.tsv", tmp_path / "folder" / "dev-es.tsv")
    run = finetune(
        "--model", str(bert), "--data", str(ner_data), "--eval-langs", "enfake", "en",
        "--eval-set", f"news=en:{tmp_path / 'news.conll'}",
        "--eval-set", f"news-fake=enfake:{tmp_path / 'news.conll'}",
        "--eval-set", f"spanish=es:{tmp_path / 'folder'}", name="sets", work=work,
    )  # fmt: skip
    content = results(run)
    assert list(content["languages"]) == ["enfake", "en", "news", "news-fake", "spanish"]
    found = {n: (e["n"], e["split"], e["language"]) for n, e in content["languages"].items()}
    assert found["news"] == (7, "given", "en")
    assert found["news-fake"] == (7, "given", "enfake")
    assert found["spanish"] == (20, "dev", "es")
    assert (run / "predictions" / "news-fake.conll").is_file()
    assert (run / "predictions" / "gold" / "news.conll").read_text().strip() == (
        (tmp_path / "news.conll").read_text().strip()
    )
    manifest = json.loads((run / "manifest.json").read_text())
    assert str(tmp_path / "news.conll") in {entry["path"] for entry in manifest["inputs"]}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("news", "give NAME=LANGUAGE:PATH"),
        ("news=en", "give NAME=LANGUAGE:PATH"),
        ("a/b=en:file", "give NAME=LANGUAGE:PATH"),
        ("a.b=en:file", "give NAME=LANGUAGE:PATH"),
        ("news=xx:{file}", "language 'xx' is unknown"),
        ("news=en:{folder}/none", "no such file or folder"),
        ("news=ru:{folder}", "no test or dev file of task ner for language 'ru'"),
        ("en=en:{file}", "there is a row called 'en' already"),
    ],
)
def test_sets_that_are_none(bert: Path, ner_data: Path, work: Path, capsys, typed, words):
    text = typed.format(file=ner_data / "dev-es.tsv", folder=ner_data)
    error = refused(
        capsys, "--model", str(bert), "--data", str(ner_data), "--eval-langs", "en",
        "--eval-set", text,
    )  # fmt: skip
    assert words in error


def test_a_relative_path_is_looked_for_in_the_data_folder_too(
    bert: Path, ner_data: Path, work: Path, monkeypatch, tmp_path: Path
):
    """From a folder of which the path is none; what is there wins."""
    monkeypatch.chdir(tmp_path)
    given = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en", "--seeds", "1"]
    run = finetune(*given, "--eval-set", "es=es:dev-es.tsv", name="inside", work=work)
    assert results(run)["languages"]["es"]["n"] > 1
    text = (ner_data / "dev-es.tsv").read_text()
    first = text[: text.index("\n\n") + 2]
    (tmp_path / "dev-es.tsv").write_text(first)
    run = finetune(*given, "--eval-set", "es=es:dev-es.tsv", name="here", work=work)
    assert results(run)["languages"]["es"]["n"] == 1


def test_a_set_as_typed():
    assert parse_named_set("a-b=enfake:x:y") == ("a-b", "enfake", Path("x:y"))


def test_any_text_becomes_the_name_of_a_set():
    for text, name in {"share0.25": "share0_25", "a+b-c": "a+b-c", "d=ñ x/y": "d_ñ_x_y"}.items():
        assert set_name(text) == name
        assert parse_named_set(f"{name}=en:x.tsv").name == name
