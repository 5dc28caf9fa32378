"""`bbert probe portrait`: the runs of one model put together, and those that are no part of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from finished_runs import results, write_probe, write_transfer
from scipy.stats import ttest_ind

from bbert.cli import main
from bbert.errors import InputError
from bbert.probe.run import run
from bbert.probe.runs_config import PortraitConfig
from bbert.probe.welch import welch_interval


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


def test_random_layers_with_gaps_are_no_range(work, tiny_run):
    """1,3 is not 1-3, and neither stands for the other."""
    both, common = {"enfake": 0.9, "en": 0.8}, {"train_language": "enfake"}
    write_transfer(work, "last", scores=both, **common)
    for name, layers, drop, seeds in (
        ("gaps", "1,3", 0.1, [0, 1, 2]), ("range", "1-3", 0.3, [0, 1]), ("one", "2", 0.2, [0, 1]),
        ("joined", "2,3", 0.25, [0, 1]),
    ):  # fmt: skip
        write_transfer(work, name, scores={**both, "en": 0.8 - drop}, random_init=layers,
                       seeds=seeds, **common)  # fmt: skip
    found = results(run(PortraitConfig()))
    drawn = {(r["first_layer"], r["last_layer"]): (r["run"], r["value"]) for r in found["rows"]}
    assert drawn == {
        (1, 3): ("range", pytest.approx(0.3)), (2, 2): ("one", pytest.approx(0.2)),
        (2, 3): ("joined", pytest.approx(0.25)),
    }  # fmt: skip
    assert list(found["left_out"]) == ["gaps"]
    assert "layers 1,3 have gaps" in found["left_out"]["gaps"]
    assert not any(path.endswith("gaps") for path in found["from_runs"])


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


def test_the_baseline_is_the_run_with_most_seeds(work, tiny_run):
    both, common = {"enfake": 0.9, "en": 0.8}, {"train_language": "enfake"}
    write_transfer(work, "a", scores={**both, "en": 0.7}, seeds=[0], **common)
    write_transfer(work, "b", scores=both, seeds=[0, 1, 2], **common)
    write_transfer(work, "c", scores={**both, "en": 0.6}, seeds=[0, 1], **common)
    write_transfer(work, "dlfa", scores={**both, "en": 0.85}, fusion="dlfa", fusion_layer=1,
                   **common)  # fmt: skip
    found = results(run(PortraitConfig()))
    assert (found["baseline"]["run"], found["baseline"]["seeds"]) == ("b", 3)
    assert found["rows"][0]["value"] == pytest.approx(0.05)


def test_seeds_without_a_score_do_not_count_in_an_interval(work, tiny_run):
    """A parser that has learned nothing has no score: what is left are two values."""
    common = {"train_language": "enfake", "scores": {"enfake": 0.9, "en": 0.8}}
    write_transfer(work, "last", **common)
    path = write_transfer(work, "dlfa", **common, fusion="dlfa", fusion_layer=1, seeds=[0, 1, 2])
    content = json.loads((path / "results.json").read_text())
    content["languages"]["en"]["values"].append(None)
    (path / "results.json").write_text(json.dumps(content))
    (row,) = results(run(PortraitConfig()))["rows"]
    assert (row["low"], row["high"]) == welch_interval((0.8, 0.01414, 2), (0.8, 0.01414, 2))


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
