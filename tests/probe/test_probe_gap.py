"""`bbert probe gap`: similarity beside the cross-lingual gap, and the rank correlation of both."""

from __future__ import annotations

import json

import numpy as np
import pytest
from finished_runs import results, write_probe, write_transfer
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from bbert.errors import InputError
from bbert.probe.correlation import spearman
from bbert.probe.run import run
from bbert.probe.runs_config import GapConfig


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


def test_the_interval_is_that_of_95_percent_and_drawn_by_the_seed():
    x, noise = np.random.default_rng(0).normal(size=(2, 30))
    y = x + noise
    first, again, other = (spearman(x, y, num_samples=4000, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)
    rows = np.random.default_rng(9).integers(30, size=(2000, 30))
    samples = [spearmanr(x[drawn], y[drawn]).statistic for drawn in rows]
    low, five, ninety_five, high = np.quantile(samples, (0.025, 0.05, 0.95, 0.975))
    assert first.low == pytest.approx(low, abs=(five - low) / 2)
    assert first.high == pytest.approx(high, abs=(high - ninety_five) / 2)


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


def test_several_test_sets_of_a_language_are_one_pair(work):
    """`--eval-set dom0-es=es:…`: more files of a language are no more languages."""
    targets = ["es", "it", "ru", "hi"]
    for name, domains in (("a", 3), ("b", 0)):
        named = {f"dom{n}-{t}": SCORES[t] - 0.1 * n for n in range(domains) for t in targets}
        path = write_transfer(work, name, scores={**SCORES, **named, "es-en": 0.1})
        content = json.loads((path / "results.json").read_text())
        for row, entry in content["languages"].items():
            entry["language"] = row.rpartition("-")[2]
        content["languages"]["es-en"] |= {"language": "es", "second_language": "en"}
        (path / "results.json").write_text(json.dumps(content))
        manifest = {"stage": "finetune", "finished": "x", "config": {"model": "tiny"}}
        (path / "manifest.json").write_text(json.dumps(manifest))
    values = {("tiny", None, "en", t): [0.9 - r / 10, 0.5] for r, t in enumerate(targets)}
    write_probe(work, "similar", values=values)
    directory = run(GapConfig())
    found = results(directory)
    assert found["n"] == 4
    assert found["languages"] == ["en", *targets]
    first = found["correlations"][0]
    assert (first["n"], first["rho"]) == (4, pytest.approx(-1))
    assert first["p"] == pytest.approx(2 / 24), "sixteen points would give 1e-9"
    assert [pair["target"] for pair in found["pairs"] if pair["encoder"] == "pretrained"] == targets
    spanish = found["pairs"][0]
    # Of run a: 0.1 and 0.1, 0.2, 0.3 of its domains; of run b: 0.1.
    assert (spanish["runs"], spanish["gap"]) == (2, pytest.approx((0.175 + 0.1) / 2))
    rows = {(point["run"], point["target"]): point["language"] for point in found["points"]}
    assert rows["a", "dom2-es"] == "es"
    assert len(rows) == 4 * 4 + 4, "rows of two languages are no points"
    assert "dom2-es,es," in (directory.path / "points.csv").read_text()


def test_a_test_set_in_the_source_language_is_no_target(work):
    """Another domain of the source has a gap, and no similarity of two languages."""
    path = write_transfer(work, "t", scores={"en": 0.9, "es": 0.8, "news": 0.6})
    content = json.loads((path / "results.json").read_text())
    content["languages"]["news"]["language"] = "en"
    assert "news" in content["cross_lingual_gap"]
    (path / "results.json").write_text(json.dumps(content))
    values = {("tiny", None, "en", "es"): [0.5], ("tiny", None, "en", "en"): [1.0]}
    write_probe(work, "similar", values=values)
    found = results(run(GapConfig()))
    assert [(point["target"], point["language"]) for point in found["points"]] == [("es", "es")]
    assert found["languages"] == ["en", "es"]


def test_similarities_are_of_the_headline_measure_and_of_encoders_as_they_are(work):
    """Other distances, and models whose layers were drawn afresh, stand in the same file."""
    write_transfer(work, "t", scores=SCORES)
    path = write_probe(work, "similar", values={("tiny", None, "en", "es"): [0.5, 0.6]})
    content = json.loads((path / "results.json").read_text())
    (entry,) = content["measurements"]
    layers = [{**layer, "value": 0.1} for layer in entry["layers"]]
    others = ({"measure": "cosine, forth"}, {"random_init": "1"})
    content["measurements"] = [{**entry, "layers": layers, **other} for other in others] + [entry]
    (path / "results.json").write_text(json.dumps(content))
    (point,) = results(run(GapConfig()))["points"]
    assert point["similarity"]["pretrained"] == [0.5, 0.6]


def test_runs_with_random_layers_take_part_only_where_they_are_named(work):
    write_transfer(work, "t", scores=SCORES)
    write_transfer(work, "drawn", scores={**SCORES, "es": 0.3}, random_init="1-2")
    write_probe(work, "similar", values={("tiny", None, "en", "es"): [0.5, 0.6]})
    found = results(run(GapConfig()))
    assert [point["run"] for point in found["points"]] == ["t"]
    found = results(run(GapConfig(runs=("t", "drawn"), name="named")))
    assert [point["run"] for point in found["points"]] == ["t", "drawn"]


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
