"""Probes of finished runs: correlations, typology, overlap, gap and portrait on known numbers."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from finished_runs import write_probe, write_transfer
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr, ttest_ind

from bbert.cli import main
from bbert.errors import InputError
from bbert.languages import Language
from bbert.probe.correlation import spearman
from bbert.probe.run import run
from bbert.probe.runs_config import GapConfig, OverlapConfig, PortraitConfig, TypologyConfig
from bbert.probe.wals import Wals, WordOrder, shared
from bbert.probe.welch import welch_interval


def results(directory) -> dict:
    return json.loads((directory.path / "results.json").read_text())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=9, max_size=15))
def test_rho_and_p_are_those_of_scipy_with_ties(points: list[tuple[int, int]]):
    x, y = zip(*points, strict=True)
    found = spearman(x, y, num_samples=20)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found.rho is None
        assert "same" in str(found.reason)
        return
    expected = spearmanr(x, y)
    assert found.rho == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue)


def test_few_points_have_an_exact_p():
    found = spearman([1, 2, 3, 4], [10, 20, 30, 40])
    assert (found.n, found.rho) == (4, pytest.approx(1))
    assert found.p == pytest.approx(2 / 24)  # this order and its reverse
    assert found.low == pytest.approx(1)
    assert spearman([1, 2, 3], [1, 2, 3]).reason == "3 points; a rank correlation needs 4"


def test_the_interval_of_unrelated_numbers_holds_zero():
    x, y = np.random.default_rng(0).normal(size=(2, 40))
    found = spearman(x, y)
    assert found.low is not None
    assert found.low < 0 < found.high


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


SCORES = {"en": 0.9, "es": 0.8, "it": 0.7, "ru": 0.6, "hi": 0.5}


def test_the_gap_falls_as_similarity_rises(work):
    write_transfer(work, "t", scores=SCORES)
    values = {}
    for rank, target in enumerate(["es", "it", "ru", "hi"]):
        values["tiny", None, "en", target] = [0.5, 0.9 - rank / 10, rank / 10]
        values["tiny", "t", target, "en"] = [rank / 5, None, 0.4 + rank / 20]
    write_probe(work, "similar", values=values)
    found = results(run(GapConfig()))
    rho = {(row["encoder"], row["layer"]): row for row in found["correlations"]}
    assert "same" in rho["pretrained", 0]["reason"]
    assert rho["pretrained", 1]["rho"] == pytest.approx(-1)
    assert rho["pretrained", 2]["rho"] == pytest.approx(1)
    assert rho["pretrained", 1]["p"] == pytest.approx(2 / 24)
    assert rho["fine-tuned", 0]["rho"] == pytest.approx(1)  # either order of the languages
    assert rho["fine-tuned", 1]["reason"].startswith("no probe run has measured")
    assert rho["fine-tuned", "mean"]["rho"] is None  # a layer is missing: no mean of the others
    assert found["n"] == 4


def test_seeds_of_a_pair_of_languages_are_one_point(work):
    """Three seeds of the whole chain: as many pairs as languages, each the mean of its runs."""
    values = {}
    for seed, noise in enumerate([0.02, -0.02, 0.0]):
        model = work / "models" / f"m{seed}"
        model.mkdir(parents=True)
        manifest = {"stage": "pretrain", "config": {"depth": 2, "seed": seed}}
        (model / "manifest.json").write_text(json.dumps(manifest))
        scores = {name: score + noise * (name == "hi") for name, score in SCORES.items()}
        run_of_seed = write_transfer(work, f"t{seed}", scores=scores, model=f"m{seed}")
        config = {"model": f"m{seed}", "fusion": "last", "seed": seed}
        manifest = {"stage": "finetune", "finished": "x", "config": config}
        (run_of_seed / "manifest.json").write_text(json.dumps(manifest))
        for rank, target in enumerate(["es", "it", "ru", "hi"]):
            values[f"m{seed}", None, "en", target] = [0.9 - rank / 10 + noise, 0.1 * seed]
    write_probe(work, "similar", values=values)
    directory = run(GapConfig())
    found = results(directory)
    rho = {(row["encoder"], row["layer"]): row for row in found["correlations"]}
    assert (rho["pretrained", 0]["n"], rho["pretrained", 0]["rho"]) == (4, pytest.approx(-1))
    assert rho["pretrained", 0]["p"] == pytest.approx(2 / 24), "twelve points would give 1e-9"
    assert found["n"] == 4
    assert len(found["points"]) == 12, "every seed is kept"
    hindi = next(pair for pair in found["pairs"] if pair["target"] == "hi")
    assert (hindi["runs"], hindi["gap"]) == (3, pytest.approx(0.4))
    assert hindi["similarity"] == [pytest.approx(0.6), pytest.approx(0.1)]
    # Another setting is a pair of its own.
    other = write_transfer(work, "deep", scores=SCORES, model="m0")
    config = {"model": "m0", "fusion": "dlfa", "seed": 0}
    manifest = {"stage": "finetune", "finished": "x", "config": config}
    (other / "manifest.json").write_text(json.dumps(manifest))
    assert results(run(GapConfig()))["n"] == 8
    # What an older version computed from the same runs is written anew.
    path = directory.path / "results.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 1, "n": 16}))
    assert results(run(GapConfig()))["n"] == 8


def test_similarities_of_several_kinds_are_not_ranked_together(work):
    write_transfer(work, "t", scores=SCORES)
    for name, target, variant in (("a", "es", "debiased"), ("b", "hi", "released"),
                                  ("other-model", "hi", "paper")):  # fmt: skip
        model = "tiny" if len(name) == 1 else "another"
        path = write_probe(work, name, values={(model, None, "en", target): [0.5, 0.6]})
        content = json.loads((path / "results.json").read_text())
        content |= {"variant": variant, "pool": "mean"}
        (path / "results.json").write_text(json.dumps(content))
    with pytest.raises(InputError) as refused:
        run(GapConfig())
    assert "a: probe cka, variant debiased, pool mean" in str(refused.value)
    assert "b: probe cka, variant released" in str(refused.value)
    assert "--similarity" in str(refused.value)
    assert "other-model" not in str(refused.value), "it measured nothing of these runs"
    found = results(run(GapConfig(similarity=("b",))))
    assert (found["variant"], found["n"]) == ("released", 1)


def test_runs_that_cannot_be_used_are_named(work):
    write_transfer(work, "t", scores=SCORES)
    (work / "transfer" / "half.partial").mkdir()
    old = write_transfer(work, "old", scores=SCORES)
    content = json.loads((old / "results.json").read_text())
    del content["cross_lingual_gap"]
    (old / "results.json").write_text(json.dumps(content))
    write_probe(work, "similar", values={("tiny", None, "en", "es"): [0.5, 0.6]})
    found = results(run(GapConfig()))
    assert "not complete" in found["left_out"]["half.partial"]
    assert "older version" in found["left_out"]["old"]
    assert found["correlations"][0]["reason"] == "1 points; a rank correlation needs 4"
    with pytest.raises(InputError, match="made by an older version"):
        run(GapConfig(runs=("old",), name="second"))
    with pytest.raises(InputError, match="is not complete"):
        run(GapConfig(runs=("half",), name="third"))
    with pytest.raises(InputError, match="no usable probe run of cosine"):
        run(GapConfig(probe="cosine", name="fourth"))


def test_the_portrait_puts_the_runs_of_a_model_together(work, tiny_run):
    both = {"enfake": 0.9, "en": 0.8}
    common = {"train_language": "enfake"}
    write_transfer(work, "last", scores=both, **common)
    for layer, (drop, gain) in enumerate([(0.3, 0.05), (0.1, -0.02)], start=1):
        write_transfer(work, f"random-{layer}", scores={**both, "en": 0.8 - drop},
                       random_init=str(layer), **common)  # fmt: skip
        write_transfer(work, f"dlfa-{layer}", scores={**both, "en": 0.8 + gain}, fusion="dlfa",
                       fusion_layer=layer, **common)  # fmt: skip
    write_transfer(work, "floor", scores={**both, "en": 0.1}, random_init="all", **common)
    write_probe(work, "similar", values={("tiny", None, "en", "enfake"): [0.1, 0.6, 0.4]})
    found = results(run(PortraitConfig()))
    rows = {(row["measure"], row["first_layer"]): row for row in found["rows"]}
    assert rows["random_init_drop", 1]["value"] == pytest.approx(0.3)
    assert rows["random_init_drop", 2]["value"] == pytest.approx(0.1)
    assert rows["dlfa_gain", 1]["value"] == pytest.approx(0.05)
    assert rows["dlfa_gain", 1]["low"] < 0.05 < rows["dlfa_gain", 1]["high"]
    assert rows["cka", 1]["value"] == 0.6
    assert found["best_dlfa_layer"] == 1
    assert found["reasons"] == {"translation": "no run: `bbert probe retrieval --model tiny`"}
    assert found["baseline"]["mean"] == 0.8
    assert main(["probe", "portrait", "--task", "ner"]) == 0  # no such runs: CKA alone
    assert main(["probe", "portrait", "--language", "hi"]) == 2


def test_a_run_that_is_added_is_taken_in_by_the_same_command(work, tiny_run):
    both = {"enfake": 0.9, "en": 0.8}
    common = {"train_language": "enfake"}
    write_transfer(work, "last", scores=both, **common)
    write_transfer(work, "dlfa-1", scores=both, fusion="dlfa", fusion_layer=1, **common)
    first = run(PortraitConfig())
    finished = first.manifest["finished"]
    assert run(PortraitConfig()).manifest["finished"] == finished
    write_transfer(work, "dlfa-2", scores=both, fusion="dlfa", fusion_layer=2, **common)
    found = results(run(PortraitConfig()))
    assert [row["run"] for row in found["rows"]] == ["dlfa-1", "dlfa-2"]
    # other options under the same name are refused as ever
    with pytest.raises(InputError, match="another configuration"):
        run(PortraitConfig(name=first.path.name, seed=1))


def test_the_entities_of_real_runs(tiny_run, work, tmp_path):
    """Equal to sets of word-pieces by hand: the fake shares none, the same language most."""
    from tiny_task_files import ner_sentences, write_columns

    from bbert.finetune.config import FinetuneConfig
    from bbert.finetune.run import run as finetune

    data = tmp_path / "panx"
    for seed, name in enumerate(["train-en", "test-en"]):
        write_columns(data / f"{name}.tsv", ner_sentences(20, seed))
    finetune(FinetuneConfig(data=data, train_lang="en", eval_langs=("en", "enfake"), epochs=1))
    found = results(run(OverlapConfig()))
    rows = {row["eval"]: row for row in found["rows"]}
    assert rows["enfake"]["overlap"] == 0
    assert rows["enfake"]["zero_shot"]
    assert not rows["en"]["zero_shot"]
    words = [
        {
            piece
            for sentence in ner_sentences(20, seed)
            for word, tag in sentence
            if tag != "O"
            for piece in (["U", ".", "S"] if word == "U.S." else [word])
        }
        for seed in (0, 1)
    ]
    assert rows["en"]["overlap"] == pytest.approx(
        len(words[0] & words[1]) / len(words[0] | words[1])
    )
    assert found["correlations"][0]["reason"] == "1 points; a rank correlation needs 4"
    with pytest.raises(InputError, match="entities need ner"):
        write_transfer(work, "pos", scores={"en": 0.9, "es": 0.1})
        run(OverlapConfig(runs=("pos",), name="other"))


def test_any_two_texts(tiny_run, english, tmp_path):
    half = tmp_path / "half.txt"
    half.write_text("Anna saw\nRome\n")
    texts = (f"en={english}", f"half=en:{half}", f"enfake={english}")
    rows = results(run(OverlapConfig(texts=texts)))["rows"]
    by_pair = {(row["first"], row["second"]): row for row in rows}
    assert len(rows) == 3
    assert by_pair["en", "half"]["shared_types"] == 3
    assert by_pair["en", "half"]["overlap"] == 3 / by_pair["en", "half"]["first_types"]
    assert by_pair["en", "half"]["second_tokens_in_first"] == 1
    assert by_pair["en", "enfake"]["overlap"] == 0
    with pytest.raises(InputError, match="two or more"):
        run(OverlapConfig(texts=texts[:1]))


def test_a_correlation_over_many_pairs_of_languages(work, monkeypatch):
    """Sixteen points whose F1 falls exactly with the overlap."""
    import bbert.probe.overlap as module

    rows = [
        {"model": "m", "random_init": "", "zero_shot": a != b, "overlap": (4 * a + b) / 16,
         "score": 1 - (4 * a + b) / 16}
        for a, b in product(range(4), repeat=2)
    ]  # fmt: skip
    (found,) = module._correlations(rows, OverlapConfig())
    assert (found["n"], found["rho"]) == (12, pytest.approx(-1))


def test_runs_with_other_settings_are_no_part_of_a_portrait(work, tiny_run):
    common = {"train_language": "enfake", "scores": {"enfake": 0.9, "en": 0.8}}
    paths = {
        "last": write_transfer(work, "last", **common),
        "frozen": write_transfer(work, "frozen", **{**common, "freeze": "all", "seeds": [0, 1, 2]}),
        "dlfa": write_transfer(work, "dlfa", **common, fusion="dlfa", fusion_layer=1),
        "long": write_transfer(work, "long", **common, fusion="dlfa", fusion_layer=2),
        "one seed": write_transfer(work, "a", **common, fusion="dlfa", fusion_layer=1, seeds=[0]),
    }
    for name, path in paths.items():
        config = {"epochs": 9 if name == "long" else 3, "fusion": name}
        manifest = {"stage": "finetune", "finished": "x", "config": config}
        (path / "manifest.json").write_text(json.dumps(manifest))
    found = results(run(PortraitConfig()))
    assert found["baseline"]["run"] == "last"
    assert [row["run"] for row in found["rows"]] == ["dlfa"]
    assert list(found["left_out"]) == ["long"]


def test_the_interval_of_a_difference_is_that_of_welch():
    first, second = [0.8, 0.9, 0.82], [0.7, 0.71]
    described = [(float(np.mean(x)), float(np.std(x, ddof=1)), len(x)) for x in (first, second)]
    expected = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert welch_interval(*described) == pytest.approx((expected.low, expected.high))
    assert welch_interval((0.5, 0.0, 2), (0.25, 0.0, 3)) == (0.25, 0.25)


def test_curves_of_a_portrait_are_of_one_gate_and_one_initialisation(work, tiny_run):
    common = {"train_language": "enfake", "scores": {"enfake": 0.9, "en": 0.8}}
    write_transfer(work, "last", **common)
    for name, options, layer in (
        ("a", {"fusion_gate": "paper", "fusion_pool": "masked"}, 1),
        ("b", {"fusion_gate": "sigmoid", "fusion_pool": "masked"}, 2),
        ("c", {"init": "bert"}, 1),
        ("d", {"init": "torch"}, 2),
    ):
        of_run = (
            {"random_init": str(layer)} if "init" in options
            else {"fusion": "dlfa", "fusion_layer": layer}
        )  # fmt: skip
        path = write_transfer(work, name, **common, **of_run)
        manifest = {"stage": "finetune", "finished": "x", "config": options}
        (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"bert \(c\), torch \(d\); choose --init"):
        run(PortraitConfig())
    with pytest.raises(InputError, match=r"paper \(a\), sigmoid \(b\); choose --fusion-gate"):
        run(PortraitConfig(init="bert"))
    with pytest.raises(InputError, match="no run of DLFA has it"):
        run(PortraitConfig(init="bert", fusion_gate="tanh"))
    found = results(run(PortraitConfig(init="bert", fusion_gate="sigmoid")))
    assert [row["run"] for row in found["rows"]] == ["c", "b"]
