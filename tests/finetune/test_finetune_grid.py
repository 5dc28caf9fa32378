"""Sweeps, grids, frozen encoders and floors from the command line."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bbert.cli import main
from bbert.errors import InputError
from bbert.finetune import run as run_module
from bbert.finetune.config import FinetuneConfig
from bbert.finetune.freeze import freeze
from bbert.finetune.grid import cells_of
from bbert.finetune.layer_sets import layer_groups
from bbert.finetune.model_folder import find_model
from bbert.finetune.network import NetworkSettings, build_network

QUICK = ["--epochs", "1", "--learning-rate", "3e-3", "--batch-size", "16", "--quiet"]


def finetune(work: Path, *arguments: str) -> int:
    return main(["finetune", "--work", str(work), *QUICK, *arguments])


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def test_groups_of_layers():
    pairs = ["1-2", "3-4", "5-6", "7-8", "9-10", "11-12"]
    assert layer_groups("pairs", 12) == pairs
    assert layer_groups("thirds", 12) == ["1-4", "5-8", "9-12"]
    assert layer_groups("thirds", 4) == ["1-2", "3", "4"]  # three of them, also where none is equal
    assert layer_groups("thirds", 2) == ["1", "2"]
    assert layer_groups("triples", 4) == ["1-3", "4"]
    assert layer_groups("1/01/2-3,1/1-3/all/all", 4) == ["1", "2-3,1", "all"]
    assert layer_groups("none/layers/all", 2) == [None, "1", "2", "all"]


def test_cells_span_a_grid_and_have_their_own_names():
    typed = FinetuneConfig(train_lang="en,es", fusion="dlfa", fusion_layer="1-3", name="grid")
    cells = cells_of(typed, depth=4)
    assert [tuple(place.values()) for place, _ in cells] == [
        (language, layer) for language in ("en", "es") for layer in (1, 2, 3)
    ]
    assert cells[4][1].name == "grid-es-2"
    assert cells[4][1].train_lang == "es"
    assert cells[4][1].fusion_layer == 2
    cells = cells_of(FinetuneConfig(random_init="none/pairs", init="torch", name="x"), 4)
    assert [(c.random_init, c.init, c.name) for _, c in cells] == [
        (None, None, "x-none"), ("1-2", "torch", "x-1-2"), ("3-4", "torch", "x-3-4")
    ]  # fmt: skip
    assert cells_of(FinetuneConfig(train_lang="en", fusion_layer=None), 4) == [
        ({}, FinetuneConfig(train_lang="en"))
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"random_init": "1-2/x"}, "'x' is no set of layers"),
        ({"random_init": "none"}, "in a sweep"),
        ({"fusion": "dlfa", "fusion_layer": "0-3"}, "--fusion-layer: '0-3'"),
        ({"freeze": "top"}, "--freeze: 'top'"),
        ({"epochs": -1}, "--epochs -1 is negative"),
        ({"fusion": "scalar-mix", "fusion_layer": 1}, "--fusion scalar-mix has no use for it"),
        ({"fusion": "mean", "fusion_gate": "paper"}, "--fusion-gate is an option of --fusion dlfa"),
    ],
)
def test_options_that_cannot_be_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        FinetuneConfig(**options)


def test_a_sweep_over_fusion_layers_gives_the_runs_one_would_get_alone(
    bert: Path, ner_data: Path, tmp_path: Path, capsys, monkeypatch
):
    from bbert.finetune import examples

    typed = ["--model", str(bert), "--data", str(ner_data), "--fusion", "dlfa", "--eval-langs",
             "en", "es", "--train-lang", "en", "--seeds", "2"]  # fmt: skip
    loads = []
    load = examples.load_data
    monkeypatch.setattr(examples, "load_data", lambda plan: loads.append(plan) or load(plan))
    assert finetune(tmp_path, *typed, "--fusion-layer", "1-2", "--name", "sweep") == 0
    assert len(loads) == 1  # the second cell is trained and tested on the same examples
    shown = capsys.readouterr().out
    assert "fusion layer" in shown
    assert str(tmp_path / "transfer" / "sweep-2") in shown
    assert finetune(tmp_path, *typed, "--fusion-layer", "2", "--name", "alone") == 0
    alone, cell = (results(tmp_path / "transfer" / name) for name in ("alone", "sweep-2"))
    assert alone["languages"] == cell["languages"]
    assert cell["fusion_layer"] == 2
    before = (tmp_path / "transfer" / "sweep-1" / "manifest.json").stat().st_mtime_ns
    assert finetune(tmp_path, *typed, "--fusion-layer", "1-2", "--name", "sweep") == 0
    assert (tmp_path / "transfer" / "sweep-1" / "manifest.json").stat().st_mtime_ns == before
    assert len(loads) == 2  # only for "alone": what is up to date reads nothing


def test_a_dry_run_of_a_grid_adds_its_cells_up(
    bert: Path, ner_data: Path, tmp_path: Path, capsys, monkeypatch
):
    from bbert.finetune import estimate

    reads: list[object] = []
    read = estimate.read_evaluation_set
    monkeypatch.setattr(estimate, "_operations_per_second", lambda: 1e4)
    monkeypatch.setattr(estimate, "read_evaluation_set", lambda *a: reads.append(a[1]) or read(*a))
    typed = ["--model", str(bert), "--data", str(ner_data), "--train-lang", "en", "--eval-langs",
             "en", "es", "--fusion", "dlfa", "--dry-run"]  # fmt: skip

    def planned(*more: str) -> str:
        assert finetune(tmp_path, *typed, *more) == 0
        return capsys.readouterr().out

    def number(quantity: str, shown: str) -> float:
        found = re.search(rf"^# {quantity}: about ([\d.,]+) ", shown, re.MULTILINE)
        return float(found.group(1).replace(",", ""))

    alone = planned("--fusion-layer", "1")
    assert number("time", alone) > 10
    reads.clear()
    sweep = planned("--fusion-layer", "1-2", "--name", "sweep")
    assert len(reads) == 3  # what cells share is read once: training, en and es
    assert "# runs: 2: sweep-1, sweep-2\n" in sweep
    assert number("time", sweep) == pytest.approx(2 * number("time", alone), rel=0.01)
    assert number("disk", sweep) == pytest.approx(2 * number("disk", alone), abs=1)
    assert number("memory", sweep) == number("memory", alone)
    for resolved in ("fusion_layer: 1-2", "name: sweep", "learning_rate: 0.003", "seeds: 1"):
        assert f"\n{resolved}\n" in sweep
    drawn = planned("--fusion-layer", "1", "--random-init", "none/1", "--init", "torch")
    assert "\ninit: torch\n" in drawn
    assert not (tmp_path / "transfer").exists()


def test_a_layer_beyond_the_depth_stops_a_sweep_before_it_starts(
    bert: Path, ner_data: Path, tmp_path: Path, capsys
):
    typed = ["--model", str(bert), "--data", str(ner_data), "--fusion", "dlfa"]
    assert finetune(tmp_path, *typed, "--fusion-layer", "1-9") == 2
    assert "has layers 1 to" in capsys.readouterr().err
    assert not (tmp_path / "transfer").exists()


def test_a_cell_that_fails_is_reported_and_the_others_go_on(
    bert: Path, ner_data: Path, tmp_path: Path, capsys, monkeypatch
):
    run_cell = run_module.run_cell

    def failing(plan, last_data=None):
        if plan.config.train_lang == "en":
            raise RuntimeError("out of memory")
        return run_cell(plan, last_data)

    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en", "--name", "grid"]
    with monkeypatch.context() as patched:
        patched.setattr(run_module, "run_cell", failing)
        assert finetune(tmp_path, *typed, "--train-lang", "en,enfake") == 1
    assert "failed: grid-en: out of memory" in capsys.readouterr().out
    assert (tmp_path / "transfer" / "grid-enfake" / "results.json").is_file()
    assert finetune(tmp_path, *typed, "--train-lang", "en,enfake") == 0  # goes on where it was
    assert (tmp_path / "transfer" / "grid-en" / "results.json").is_file()


def test_a_sweep_says_which_seeds_of_its_rows_are_missing(
    bert: Path, ner_data: Path, tmp_path: Path, capsys, monkeypatch
):
    from bbert.finetune import seed_run

    train = seed_run.train

    def exploding(network, examples, settings, seed, dev_score):
        if seed == 0 and network.fusion_layers[0] == 1:
            raise FloatingPointError("the loss of seed 0 is nan")
        return train(network, examples, settings, seed, dev_score)

    monkeypatch.setattr(seed_run, "train", exploding)
    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en", "--seeds", "2",
             "--fusion", "dlfa", "--fusion-layer", "1-2", "--name", "sweep"]  # fmt: skip
    assert finetune(tmp_path, *typed) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "over seeds 0, 1;" in shown
    assert "failed: sweep-1, seed 0: the loss of seed 0 is nan" in shown
    assert "failed: sweep-2" not in shown


def test_a_sweep_killed_in_the_middle_goes_on(bert: Path, ner_data: Path, tmp_path: Path):
    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en", "es", "--seeds",
             "2", "--train-lang", "en", "--fusion", "dlfa", "--name", "sweep"]  # fmt: skip
    work, whole = tmp_path / "killed", tmp_path / "whole"
    assert finetune(whole, *typed, "--fusion-layer", "1,2") == 0

    def killed_in_the_second_cell() -> None:
        from bbert.finetune import seed_run

        train = seed_run.train

        def dying(network, examples, settings, seed, dev_score):
            if (work / "transfer" / "sweep-1").is_dir() and seed == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return train(network, examples, settings, seed, dev_score)

        seed_run.train = dying
        finetune(work, *typed, "--fusion-layer", "1,2")

    process = multiprocessing.get_context("fork").Process(target=killed_in_the_second_cell)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert (work / "transfer" / "sweep-2.partial" / ".steps" / "seed-0.json").is_file()
    first = (work / "transfer" / "sweep-1" / "manifest.json").stat().st_mtime_ns
    seed = (work / "transfer" / "sweep-2.partial" / "predictions" / "en.conll").stat().st_mtime_ns
    assert finetune(work, *typed, "--fusion-layer", "1,2") == 0
    assert (work / "transfer" / "sweep-1" / "manifest.json").stat().st_mtime_ns == first
    assert (work / "transfer" / "sweep-2" / "predictions" / "en.conll").stat().st_mtime_ns == seed
    for cell in ("sweep-1", "sweep-2"):
        assert results(work / "transfer" / cell) == results(whole / "transfer" / cell)


def test_a_seed_that_fails_loses_nothing_of_the_others(
    bert: Path, ner_data: Path, tmp_path: Path, capsys, monkeypatch
):
    from bbert.finetune import seed_run

    train = seed_run.train

    def exploding(network, examples, settings, seed, dev_score):
        if seed == 0:
            raise FloatingPointError("the loss of seed 0 is nan in epoch 1; lower --learning-rate")
        return train(network, examples, settings, seed, dev_score)

    monkeypatch.setattr(seed_run, "train", exploding)
    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en", "--seeds", "3"]
    assert finetune(tmp_path, *typed, "--name", "run") == 0
    content = results(tmp_path / "transfer" / "run")
    assert content["seeds"] == [1, 2]
    assert content["languages"]["en"]["seeds"] == [1, 2]
    assert list(content["failures"]) == ["seed 0"]
    assert "failed: seed 0: the loss" in capsys.readouterr().out
    assert (tmp_path / "transfer" / "run" / "predictions" / "seed-1" / "en.conll").is_file()
    config = json.loads((tmp_path / "transfer" / "run" / "model" / "config.json").read_text())
    assert config["bbert_finetuned"]["seed"] == 1


def test_a_language_that_fails_loses_nothing_of_the_others(
    bert: Path, ner_data: Path, tmp_path: Path, monkeypatch
):
    from bbert.finetune import seed_run

    predict = seed_run.predict

    def failing(network, encoded, examples, *others):
        if len(examples) == 20:  # es
            raise RuntimeError("out of memory")
        return predict(network, encoded, examples, *others)

    monkeypatch.setattr(seed_run, "predict", failing)
    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en", "es"]
    assert finetune(tmp_path, *typed, "--train-lang", "en", "--name", "run") == 0
    content = results(tmp_path / "transfer" / "run")
    assert content["failures"] == {"seed 0, es": "out of memory"}
    assert content["languages"]["es"]["mean"] is None
    assert content["languages"]["en"]["mean"] is not None
    assert content["cross_lingual_gap"] == {}
    assert main(["report", "--work", str(tmp_path), "--quiet"]) == 0


def test_frozen_parts_stay_as_they_were(bert: Path, ner_data: Path, tmp_path: Path):
    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en"]
    before = load_file(bert / "model.safetensors")
    for parts, name in (("all", "a"), ("embeddings,1", "b")):
        assert finetune(tmp_path, *typed, "--freeze", parts, "--name", name) == 0
        after = load_file(tmp_path / "transfer" / name / "model" / "model.safetensors")
        changed = {
            key for key, tensor in after.items() if key in before and not tensor.equal(before[key])
        }
        if parts == "all":
            assert not changed
        else:
            assert changed
            assert not any(".embeddings." in key or ".layer.0." in key for key in changed)
    assert results(tmp_path / "transfer" / "a")["network"]["frozen_parameters"] > 0


def test_a_frozen_encoder_runs_without_dropout(bert: Path):
    model = find_model(Path("."), str(bert))
    for parts, training in (("all", False), ("1", True)):
        settings = NetworkSettings("linear", 3, "last", freeze=parts)
        network = build_network(model, settings, seed=0)[0].train()
        assert network.encoder.training is training
        assert network.head.training
    with pytest.raises(InputError, match="--freeze 1-9: the encoder has layers 1 to"):
        freeze(network.encoder, "1-9")


def test_no_epochs_is_the_pretrained_encoder_untuned(bert: Path, ner_data: Path, tmp_path: Path):
    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en"]
    assert finetune(tmp_path, *typed, "--epochs", "0", "--name", "untuned") == 0
    before = load_file(bert / "model.safetensors")
    after = load_file(tmp_path / "transfer" / "untuned" / "model" / "model.safetensors")
    shared = [key for key in after if key in before and "pooler" not in key]
    assert shared
    assert all(torch.equal(after[key], before[key]) for key in shared)
    assert results(tmp_path / "transfer" / "untuned")["epochs"] == 0


def test_seeds_and_languages_share_encoder_and_examples(
    bert: Path, ner_data: Path, tmp_path: Path, monkeypatch
):
    """A seed loads the encoder once for all languages; examples are encoded once for all seeds."""
    from bbert.finetune import examples, network

    loaded, encoded = [], []
    load, encode = network.load_encoder, examples.encode_examples
    monkeypatch.setattr(network, "load_encoder", lambda *a: loaded.append(a) or load(*a))

    def counting(*arguments, **options):
        encoded.append(arguments)
        return encode(*arguments, **options)

    monkeypatch.setattr(examples, "encode_examples", counting)
    typed = ["--model", str(bert), "--data", str(ner_data), "--eval-langs", "en", "es", "enfake"]
    assert finetune(tmp_path, *typed, "--train-lang", "en", "--seeds", "3", "--name", "run") == 0
    assert len(loaded) == 3
    assert len(encoded) == 1 + 3  # training examples and three test sets
