"""A whole run with its curves: the numbers are right, and training does not notice them."""

from __future__ import annotations

import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Command
from small_bert import slow_losses
from test_event_file import curves
from tiny_corpus import build_tiny_corpus

from bbert.cli import main
from bbert.pretrain.architecture import Architecture
from bbert.pretrain.batches import BatchSettings, BatchSource
from bbert.pretrain.masking import IGNORED
from bbert.pretrain.metrics_log import read_metrics
from bbert.pretrain.model import BertForPretraining
from bbert.run_directory import RunDirectory

OPTIONS = (
    "--depth", "2", "--heads", "2", "--hidden", "16", "--seq-len", "24", "--batch-size", "6",
    "--dropout", "0.1", "--steps", "60", "--log-every", "10", "--eval-every", "30",
    "--save-every", "7", "--learning-rate", "0.01", "--device", "cpu", "--probe-every", "20",
)  # fmt: skip
PROBED = ("sentence_translation", "word_translation")
TIMES = {"tokens_per_second", "peak_share", "probe_seconds"}


class Laboratory:
    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        build_tiny_corpus(self.work, documents=450)

    def start(self, name: str, *more: str) -> Command:
        log = self.folder / f"{name}.log"
        return Command(log, "pretrain", "--work", str(self.work), "--name", name, *OPTIONS, *more)

    def finish(self, name: str, *more: str) -> str:
        command = self.start(name, *more)
        assert command.wait() == 0, command.output
        return command.output

    def path(self, name: str) -> Path:
        return self.work / "models" / name

    def rows(self, name: str) -> list[dict[str, Any]]:
        rows = read_metrics(self.path(name) / "metrics.jsonl")
        return [{k: v for k, v in row.items() if k not in TIMES} for row in rows]

    def weights(self, name: str) -> bytes:
        return (self.path(name) / "model" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    laboratory = Laboratory(tmp_path_factory.mktemp("curves"))
    laboratory.finish("whole")
    return laboratory


def probed(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key.startswith(PROBED)}


def test_the_rows_hold_every_layer_and_begin_with_the_untrained_model(laboratory):
    rows = laboratory.rows("whole")
    assert [row["step"] for row in rows if probed(row)] == [0, 20, 40, 60]
    assert [row["step"] for row in rows if "loss" in row] == [10, 20, 30, 40, 50, 60]
    for row in filter(probed, rows):
        for measure in PROBED:
            for pair in ("enfake-en", "en-enfake"):
                values = [row[f"{measure}/{pair}/layer{layer}"] for layer in range(3)]
                assert all(0 <= value <= 1 for value in values)
                assert 0 < row[f"{measure}_chance/{pair}"] < 0.1
    assert rows[0].keys() == {"step", *probed(rows[0])}


def test_losses_are_the_same_to_the_last_bit_without_the_curves(laboratory):
    output = laboratory.finish("without", "--no-probe")
    assert "translation" not in output
    with_curves = [
        {key: value for key, value in row.items() if key not in probed(row)}
        for row in laboratory.rows("whole")
        if "loss" in row
    ]
    assert laboratory.rows("without") == with_curves
    assert laboratory.weights("without") == laboratory.weights("whole")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_has_the_same_curves(laboratory, number):
    name = f"stopped-{int(number)}"
    command = laboratory.start(name)
    rows = laboratory.work / "models" / f"{name}.partial" / "metrics.jsonl"
    command.wait_until(lambda: rows.exists() and rows.read_text().count("\n") >= 3)
    command.send(number)
    assert command.wait() in (128 + number, -number)
    laboratory.finish(name)
    assert laboratory.rows(name) == laboratory.rows("whole")
    assert laboratory.weights(name) == laboratory.weights("whole")
    board = curves(laboratory.path(name) / "tensorboard")
    for key in ("loss", "word_translation/enfake-en/layer1", "validation_perplexity/en"):
        expected = [(row["step"], row[key]) for row in laboratory.rows("whole") if key in row]
        assert [step for step, _ in board[key]] == [step for step, _ in expected]
        assert [v for _, v in board[key]] == pytest.approx([v for _, v in expected], rel=1e-6)


def test_two_processes_draw_the_same_curves(laboratory):
    laboratory.finish("two", "--processes", "2")
    for row, expected in zip(laboratory.rows("two"), laboratory.rows("whole"), strict=True):
        assert row.keys() == expected.keys()
        # Weights differ by rounding after some steps; the untrained ones do not.
        close = {"abs": 0.03} if row["step"] else {"rel": 0}
        assert probed(row) == pytest.approx(probed(expected), **close)


def test_the_summary_tells_what_they_cost(laboratory):
    metrics = RunDirectory(laboratory.path("whole")).manifest["metrics"]
    assert 0 < metrics["probe_seconds"] < 60
    logged = read_metrics(laboratory.path("whole") / "metrics.jsonl")
    spent = [row["probe_seconds"] for row in logged if probed(row)]
    assert spent == sorted(spent)
    assert spent[-1] == metrics["probe_seconds"]
    assert not any("probe_seconds" in row for row in logged if not probed(row))
    assert metrics["first_loss"] == laboratory.rows("whole")[1]["loss"]
    output = (laboratory.folder / "whole.log").read_text()
    assert "multilinguality curves" in output
    assert "of the time" in output
    assert "word translation en/enfake" in output


def examples(batch) -> list[dict[str, Any]]:
    """Every row of a batch on its own."""
    return [batch.slice(i, i + 1).recounted().tensors() for i in range(len(batch))]


def test_logged_losses_equal_those_of_every_example_on_its_own(laboratory):
    laboratory.finish("first-step", "--dropout", "0", "--steps", "1", "--log-every", "1",
                      "--no-probe")  # fmt: skip
    (row,) = laboratory.rows("first-step")
    corpus = laboratory.work / "corpora" / "tiny"
    loader = BatchSource(corpus, ["enfake", "en"], BatchSettings(6, 24), 0)
    vocabulary = loader._vocabulary.size
    model = BertForPretraining(Architecture(2, 2, 16, 64, vocabulary, 512, 0.0), 2, 0).eval()
    sums, counts, right, pair_loss = np.zeros(2), np.zeros(2), 0.0, 0.0
    for arguments in examples(loader.batch(0)):
        arguments["attention_mask_BT"] = torch.ones_like(arguments["input_ids_BT"])
        with torch.no_grad():
            expected = slow_losses(model, arguments)
        sums += expected["mlm_loss_L"].numpy()
        counts += expected["mlm_count_L"].numpy()
        right += float(expected["nsp_correct"])
        pair_loss += float(expected["nsp_loss"])
    assert row["loss/enfake"] == pytest.approx(sums[0] / counts[0], rel=1e-5)
    assert row["loss/en"] == pytest.approx(sums[1] / counts[1], rel=1e-5)
    assert row["mlm_loss"] == pytest.approx(sums.sum() / counts.sum(), rel=1e-5)
    assert row["nsp_accuracy"] == right / 6
    assert row["nsp_loss"] == pytest.approx(pair_loss / 6, rel=1e-5)
    assert row["loss"] == pytest.approx(row["mlm_loss"] + row["nsp_loss"], rel=1e-6)


def test_validation_equals_the_exported_model_on_every_held_out_example(laboratory):
    from transformers import BertForPreTraining

    bert = BertForPreTraining.from_pretrained(laboratory.path("whole") / "model").eval()
    corpus = laboratory.work / "corpora" / "tiny"
    loader = BatchSource(corpus, ["enfake", "en"], BatchSettings(16, 24), 0, "validation")
    sums, counts, right, pairs = np.zeros(2), np.zeros(2), 0, 0
    for step in range(loader.num_batches):
        for one in examples(loader.batch(step)):
            mask = one["attention_mask_BT"]
            with torch.no_grad():
                outputs = bert(
                    input_ids=one["input_ids_BT"],
                    token_type_ids=one["segment_ids_BT"],
                    attention_mask=None if mask is None else mask.long(),
                )
            log_odds = outputs.prediction_logits[0].log_softmax(dim=-1)
            slots = zip(one["masked_positions_BK"][0], one["masked_labels_BK"][0],
                        one["masked_languages_BK"][0], strict=True)  # fmt: skip
            for position, label, language in slots:
                if label != IGNORED:
                    sums[language] -= float(log_odds[position, label])
                    counts[language] += 1
            (label,) = one["next_sentence_labels_B"]
            if label != IGNORED:
                right += int(outputs.seq_relationship_logits[0].argmax() == label)
                pairs += 1
    row = laboratory.rows("whole")[-1]
    for number, language in enumerate(("enfake", "en")):
        perplexity = np.exp(sums[number] / counts[number])
        assert row[f"validation_perplexity/{language}"] == pytest.approx(perplexity, rel=1e-4)
    assert row["validation_nsp_accuracy"] == pytest.approx(right / pairs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--probe-parallel", "en"], ["LANGUAGE=FILE"]),
        (["--probe-parallel", "en=a"], ["two languages"]),
        (["--probe-parallel", "en=a", "--probe-parallel", "en=b"], ["two languages"]),
        (["--probe-parallel", "en=a", "--probe-parallel", "es=b"], ["no such file"]),
        (["--probe-parallel", "es=TEXT", "--probe-parallel", "en=b"], ["es=", "enfake, en"]),
        (["--packing", "full-sentences"], ["--no-nsp"]),
        (["--batching", "one-language"], ["--nsp-negatives same-language"]),
        (["--probe-every", "0"], ["--probe-every 0"]),
        (["--short-seq-probability", "1.5"], ["--short-seq-probability 1.5"]),
        (["--mlm-random", "some"], ["--mlm-random"]),
        (["--seq-len", "513"], ["--seq-len 513", "512"]),
        (["--hidden", "100", "--heads", "24"], ["--hidden 100", "--heads 24"]),
    ],
)
def test_impossible_options_are_named(laboratory, tmp_path, capsys, options, words):
    (tmp_path / "text").write_text("a\nb\n")
    typed = [option.replace("TEXT", str(tmp_path / "text")) for option in options]
    assert main(["pretrain", "--work", str(laboratory.work), "--quiet", *typed]) == 2
    error = capsys.readouterr().err
    assert all(word in error for word in words), error
    assert len(error.splitlines()) <= 2


@pytest.mark.parametrize(
    "options",
    [
        ("--no-nsp", "--packing", "full-sentences", "--lang-id"),
        ("--nsp-negatives", "same-language", "--batching", "one-language", "--masks", "released"),
        ("--mlm-random", "same-language", "--short-seq-probability", "0.2", "--lang-id"),
        ("--no-nsp", "--mlm-random", "none", "--no-whole-word-mask", "--mlm-probability", "0.3"),
        ("--depth", "36", "--heads", "24", "--hidden", "24", "--no-nsp"),
        ("--depth", "1", "--seq-len", "512", "--no-nsp"),
        ("--depth", "1", "--heads", "1", "--hidden", "768", "--seq-len", "8", "--no-nsp"),
    ],
)
def test_every_knob_trains_exports_and_is_written_down(laboratory, options):
    name = "knobs" + "".join(options)[:40]
    more = ("--steps", "2", "--eval-every", "2", "--batch-size", "2", "--probe-every", "2")
    output = laboratory.finish(name, *more, *options)
    run = RunDirectory(laboratory.path(name))
    for option, value in pairwise(options):
        key = option.removeprefix("--").replace("-", "_")
        if option.startswith("--no-"):
            assert run.manifest["config"][key.removeprefix("no_")] is False
        elif option.startswith("--") and not value.startswith("--"):
            assert str(run.manifest["config"][key]) == value
    assert np.isfinite(laboratory.rows(name)[-1]["loss"])
    assert (run.path / "model" / "model.safetensors").is_file()
    assert output.count("validation perplexity") >= 1
