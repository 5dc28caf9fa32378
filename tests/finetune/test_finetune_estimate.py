"""What `--dry-run` says of memory, held against what a training step keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_task_files import ner_sentences, write_columns

from bbert.cli import parse
from bbert.finetune import estimate
from bbert.finetune.examples import load_data
from bbert.finetune.network import build_network
from bbert.finetune.on_processor import quick_on_processor
from bbert.finetune.plan import Plan, make_plan
from bbert.finetune.seed_run import network_settings


@pytest.fixture(scope="module")
def long_sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PAN-X files whose sentences fill the 64 positions of the model."""
    folder = tmp_path_factory.mktemp("long") / "panx"
    for seed, name in enumerate(("train-en", "test-en")):
        short = ner_sentences(32 * 16, seed)
        rows = [[word for part in short[i::32] for word in part] for i in range(32)]
        write_columns(folder / f"{name}.tsv", rows)
    return folder


def plan_of(bert: Path, data: Path, *options: str) -> Plan:
    typed = ["--model", str(bert), "--data", str(data), "--train-lang", "en", "--eval-langs", "en",
             "--too-long", "wrong"]  # fmt: skip
    return make_plan(parse("finetune", [*typed, *options]))


def kept_bytes(plan: Plan) -> int:
    """Bytes that the forward pass of a batch keeps for the backward pass, beside the weights."""
    data = load_data(plan)
    network, _ = build_network(plan.model, network_settings(plan.config, len(data.labels)), 0)
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    batch = data.train.encoded.batch(torch.arange(32).numpy())
    assert batch.input_ids_BT.shape == (32, 64)
    with (
        quick_on_processor(network.train(), network.encoder),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        network.head.loss(network(batch), batch)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("options", [[], ["--fusion", "dlfa"]])
def test_memory_counts_what_the_backward_pass_needs(bert: Path, long_sentences: Path, options):
    plan = plan_of(bert, long_sentences, "--batch-size", "32", "--max-length", "64", *options)
    training = estimate._cost(plan, {}).memory
    untuned = estimate._cost(plan_of(bert, long_sentences, "--epochs", "0", *options), {}).memory
    assert 0.9 < (training - 4 * untuned) / kept_bytes(plan) < 2


def test_what_does_not_learn_keeps_nothing(bert: Path, long_sentences: Path):
    def memory(*options: str) -> float:
        return estimate._cost(plan_of(bert, long_sentences, *options), {}).memory

    assert memory("--freeze", "all") == memory("--epochs", "0")
    assert memory("--batch-size", "32") > memory("--batch-size", "8") > memory("--freeze", "all")
    assert memory("--too-long", "window") > memory()
