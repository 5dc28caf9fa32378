"""The loop: schedule, exactness, choice of the epoch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_task_files import ner_sentences

from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import encode_examples
from bbert.finetune.model_folder import find_model
from bbert.finetune.network import NetworkSettings, build_network
from bbert.finetune.tasks.task import Sentence
from bbert.finetune.training import TrainingSettings, learning_rate_at, train
from bbert.languages import Language

LABELS = ("O", "B-PER", "I-PER", "B-LOC")
SETTINGS = TrainingSettings(
    epochs=3, batch_size=16, learning_rate=3e-3, warmup=0.1, weight_decay=0.01, adam_epsilon=1e-8,
    precision="fp32",
)  # fmt: skip


@given(st.integers(1, 500), st.floats(0, 0.9))
def test_the_rate_rises_to_its_peak_and_falls(num_steps, warmup):
    rates = [learning_rate_at(step, num_steps, 1.0, warmup) for step in range(num_steps)]
    warmup_steps = round(warmup * num_steps)
    assert all(0 < rate <= 1 for rate in rates)
    assert max(rates) == pytest.approx(1)
    assert rates[:warmup_steps] == sorted(rates[:warmup_steps])
    assert rates[warmup_steps:] == sorted(rates[warmup_steps:], reverse=True)


def trained(folder: Path, settings: TrainingSettings, seed: int = 0, dev_score=None, **options):
    model = find_model(Path("none"), str(folder))
    examples = [
        Sentence(tuple(w for w, _ in s), tuple(t for _, t in s), Path("file"), 1)
        for s in ner_sentences(60, 0)
    ]
    encoded = encode_examples(examples, Language.parse("en"), PieceIds(model), LABELS, 32)
    built = NetworkSettings(**{"head": "linear", "num_labels": 4, "fusion": "last"} | options)
    network, _ = build_network(model, built, seed)
    return network, train(network, encoded, settings, seed, dev_score)


@pytest.mark.parametrize("options", [{}, {"fusion": "dlfa", "fusion_layer": 1}])
def test_a_seed_repeats_to_the_bit_whatever_else_is_drawn(bert: Path, options):
    first, first_rows = trained(bert, SETTINGS, **options)
    torch.rand(7)
    again, again_rows = trained(bert, SETTINGS, **options)
    other, _ = trained(bert, SETTINGS, seed=1, **options)
    assert first_rows == again_rows
    assert first_rows[-1]["loss"] < 0.7 * first_rows[0]["loss"]
    weights = [network.state_dict() for network in (first, again, other)]
    assert all(torch.equal(p, weights[1][name]) for name, p in weights[0].items())
    assert not torch.equal(weights[0]["head.linear.weight"], weights[2]["head.linear.weight"])


def test_training_leaves_the_callers_random_numbers_alone(bert: Path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained(bert, SETTINGS)
    assert torch.equal(torch.rand(3), expected)


def test_the_best_epoch_on_dev_is_kept(bert: Path):
    from dataclasses import replace

    scores = iter([0.1, 0.9, 0.5])
    select = replace(SETTINGS, select_on_dev=True, warmup=0.0)
    network, rows = trained(bert, select, dev_score=lambda: next(scores))
    assert [row.get("kept", False) for row in rows] == [False, True, False]
    last, rows = trained(bert, replace(SETTINGS, warmup=0.0))
    assert [row.get("kept", False) for row in rows] == [False, False, True]
    assert not torch.equal(network.head.linear.weight, last.head.linear.weight)


def test_a_loss_that_is_not_finite_stops_the_run(bert: Path):
    from dataclasses import replace

    with pytest.raises(FloatingPointError, match=r"loss of seed 0 .* lower --learning-rate"):
        trained(bert, replace(SETTINGS, learning_rate=1e30))
