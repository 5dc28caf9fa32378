"""`bbert probe typology`: word orders, shared features, averages over pairs of languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from finished_runs import results, write_transfer

from bbert.errors import InputError
from bbert.languages import Language
from bbert.probe.run import run
from bbert.probe.runs_config import TypologyConfig
from bbert.probe.wals import Wals, WordOrder, shared

WALS = """wals_code,iso639_3,language,feature,feature_name,value,value_name
eng,eng,English,81A,o,2,SVO
eng,eng,English,87A,o,1,Adjective-Noun
eng,eng,English,85A,o,2,Prepositions
spa,spa,Spanish,81A,o,2,SVO
spa,spa,Spanish,87A,o,2,Noun-Adjective
spa,spa,Spanish,85A,o,2,Prepositions
hin,hin,Hindi,81A,o,1,SOV
hin,hin,Hindi,87A,o,1,Adjective-Noun
rus,rus,Russian,85A,o,2,Prepositions
gba,deu,German (dialect),81A,o,2,SVO
ger,deu,German,81A,o,7,No dominant order
ger,deu,German,87A,o,1,Adjective-Noun
"""


@pytest.fixture
def wals(tmp_path: Path) -> Path:
    path = tmp_path / "word_order.csv"
    path.write_text(WALS)
    return path


def test_shared_features_and_the_language_with_most_of_them(wals):
    table = Wals(wals, ("81A", "85A", "87A"), {})
    of = {code: table.of(Language.parse(code)) for code in ("en", "es", "hi", "de", "it", "ru")}
    assert shared(of["en"], of["es"]) == (2, 3)
    assert shared(of["en"], of["hi"]) == (1, 2)
    assert shared(of["hi"], of["ru"]) == (0, 0)
    assert of["de"].wals_code == "ger"
    assert "not in word_order.csv" in str(of["it"].reason)
    assert table.of(Language.parse("enfake")) == of["en"]
    assert "reverse" in str(table.of(Language.parse("enreversed")).reason)
    assert Wals(wals, ("81A",), {"it": "spa"}).of(Language.parse("it")).features == {"81A": "SVO"}
    assert shared(WordOrder({}), of["en"]) == (0, 0)


def write_cldf(folder: Path) -> Path:
    """WALS as it is published: three tables joined by ids."""
    folder.mkdir(parents=True)
    (folder / "values.csv").write_text(
        "ID,Language_ID,Parameter_ID,Value,Code_ID,Comment,Source,Example_ID\n"
        '81A-eng,eng,81A,2,81A-2,"two\nlines, in quotes",Smith[1],\n'
        "87A-eng,eng,87A,1,87A-1,,,\n81A-alb,alb,81A,2,81A-2,,,\n1A-hin,hin,1A,5,1A-5,,,\n"
    )
    (folder / "languages.csv").write_text(
        "ID,Name,Macroarea,Latitude,Longitude,Glottocode,ISO639P3code,Family,Genus,ISO_codes\n"
        "eng,English,,,,,eng,,,eng\nalb,Albanian,,,,,,,,aln als\nhin,Hindi,,,,,hin,,,hin\n"
    )
    (folder / "codes.csv").write_text(
        "ID,Parameter_ID,Name,Description\n81A-2,81A,SVO,Subject-verb-object (SVO)\n"
        "87A-1,87A,Adjective-Noun,\n1A-5,1A,Large,\n"
    )
    return folder


@pytest.mark.parametrize("inner", ["", "cldf"])
def test_the_published_edition_is_a_folder_of_tables(tmp_path, inner):
    folder = write_cldf(tmp_path / "wals" / inner)
    table = Wals(tmp_path / "wals", ("81A", "87A"), {})
    assert table.of(Language.parse("en")).features == {"81A": "SVO", "87A": "Adjective-Noun"}
    assert table.of(Language.parse("sq")).features == {"81A": "SVO"}
    assert table.of(Language.parse("hi")).reason == "hi: WALS has none of the features"
    assert set(table.files) == {folder / f"{name}.csv" for name in ("values", "languages", "codes")}


def test_typology_depends_on_every_table_of_the_folder(work, tmp_path):
    write_transfer(work, "en", scores={"en": 0.9, "sq": 0.8})
    folder = write_cldf(tmp_path / "wals")
    options = TypologyConfig(wals=folder, features=("81A",))
    assert results(run(options))["rows"][0]["train_81A"] == "SVO"
    codes = folder / "codes.csv"
    codes.write_text(codes.read_text().replace("81A,SVO,Subject", "81A,SOV,Subject?"))
    assert results(run(options))["rows"][0]["train_81A"] == "SOV"


def test_a_folder_that_is_not_wals_is_refused(work, tmp_path):
    write_transfer(work, "en", scores={"en": 0.9, "es": 0.8})
    with pytest.raises(InputError, match=r"no values.csv in it; give the cldf folder"):
        run(TypologyConfig(wals=tmp_path))
    folder = write_cldf(tmp_path / "wals")
    (folder / "codes.csv").unlink()
    with pytest.raises(InputError, match=r"codes.csv: no such file"):
        run(TypologyConfig(wals=folder))


def test_typology_averages_over_pairs_of_languages(work, wals):
    write_transfer(work, "en-1", scores={"en": 0.9, "es": 0.8, "hi": 0.5, "it": 0.7, "ru": 0.6})
    write_transfer(work, "en-2", scores={"en": 0.9, "es": 0.7})
    write_transfer(work, "hi", scores={"hi": 0.9, "en": 0.4, "ru": 0.3}, train_language="hi")
    write_transfer(work, "floor", scores={"en": 0.3, "es": 0.1}, random_init="all")
    found = results(run(TypologyConfig(wals=wals, features=("81A", "85A", "87A"))))
    grid = {(row["train"], row["eval"]): row for row in found["by_order"]}
    assert (grid["SVO", "SVO"]["pairs"], grid["SVO", "SVO"]["mean"]) == (1, pytest.approx(0.75))
    assert grid["SVO", "SOV"]["mean"] == pytest.approx(0.5)
    assert grid["SOV", "SVO"]["mean"] == pytest.approx(0.4)
    assert grid["SOV", "SOV"]["mean"] is None
    assert grid["SOV", "SOV"]["reason"] == "no pair of languages of this kind"
    assert grid["AN", "NA"]["mean"] == pytest.approx(0.75)
    by_number = {row["shared"]: row["mean"] for row in found["by_shared_features"]}
    assert by_number[1] == pytest.approx((0.5 + 0.6 + 0.4) / 3)  # en-hi, en-ru, hi-en
    assert by_number[2] == pytest.approx(0.75)
    reasons = {(row["train"], row["eval"]): row["reason"] for row in found["rows"]}
    assert "not in word_order.csv" in reasons["en", "it"]
    assert "no feature of both" in reasons["hi", "ru"]
    assert found["correlation"]["n"] == 4, "en-es has two runs and is one pair"
    (twice,) = [pair for pair in found["correlated_pairs"] if pair["runs"] == 2]
    assert (twice["train"], twice["eval"], twice["score"]) == ("en", "es", pytest.approx(0.75))
    assert not any(row["run"] == "floor" for row in found["rows"])


def test_several_test_sets_of_a_language_are_one_pair(work, wals):
    scores = {"en": 0.9, "es": 0.8, "news": 0.6, "tales": 0.4, "hi": 0.5}
    path = write_transfer(work, "domains", scores=scores)
    content = json.loads((path / "results.json").read_text())
    for row in ("news", "tales"):
        content["languages"][row]["language"] = "es"
    (path / "results.json").write_text(json.dumps(content))
    write_transfer(work, "plain", scores={"en": 0.9, "es": 0.8})
    found = results(run(TypologyConfig(wals=wals, features=("81A", "85A", "87A"))))
    assert found["languages"] == ["en", "es", "hi"]
    assert (found["n"], found["correlation"]["n"]) == (2, 2)
    spanish, hindi = found["correlated_pairs"]
    # A run counts once, whatever the number of its test sets: 0.6 and 0.8.
    assert (spanish["eval"], spanish["runs"], spanish["score"]) == ("es", 2, pytest.approx(0.7))
    assert (hindi["eval"], hindi["runs"]) == ("hi", 1)
    grid = {(row["train"], row["eval"]): row for row in found["by_order"]}
    assert (grid["SVO", "SVO"]["pairs"], grid["SVO", "SVO"]["mean"]) == (1, pytest.approx(0.7))
    assert grid["SVO", "SVO"]["std"] is None
    rows = [(row["run"], row["eval"], row["eval_language"]) for row in found["rows"]]
    assert ("domains", "news", "es") in rows
    assert len(rows) == 5


def test_typology_of_the_sample_knows_its_own_grammars(work):
    for name, scores in {
        "en": {"en": 0.9, "es": 0.6, "hi": 0.3},
        "ru": {"ru": 1, "hi": 0.4},
    }.items():
        path = write_transfer(work, name, scores=scores, train_language=name)
        (path / "manifest.json").write_text(
            json.dumps({"stage": "finetune", "finished": name, "sample": "sample"})
        )
    found = results(run(TypologyConfig()))
    assert {(row["train"], row["eval"]): row["shared"] for row in found["rows"]} == {
        ("en", "es"): 2, ("en", "hi"): 1, ("ru", "hi"): 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"wals": None}, "--wals is needed"),
        ({"features": ("81A", "99Z")}, "no feature '99Z'"),
        ({"wals_code": ("en=xyz",)}, "has no such code"),
        ({"task": "xnli"}, "no usable transfer run of task xnli"),
        ({"runs": ("nobody",)}, "no finetune run 'nobody'"),
    ],
)
def test_typology_refuses_what_is_not_there(work, wals, options, says):
    write_transfer(work, "en", scores={"en": 0.9, "es": 0.8})
    with pytest.raises(InputError, match=says):
        run(TypologyConfig(**{"wals": wals, "features": ("81A", "87A"), **options}))


def test_a_file_that_is_no_wals_table_is_refused(work, tmp_path):
    write_transfer(work, "en", scores={"en": 0.9, "es": 0.8})
    path = tmp_path / "other.csv"
    path.write_text("language,value\nen,1\n")
    with pytest.raises(InputError, match=r"other.csv:1: no column 'wals_code'"):
        run(TypologyConfig(wals=path))
