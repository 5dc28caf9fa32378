"""Fine-tune a network on the source language: AdamW, warm-up, linear decay; exact on a CPU."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from bbert.finetune.batches import num_batches, training_batches
from bbert.finetune.encoding import EncodedExamples
from bbert.finetune.network import DROPOUT, ORDER, FinetunedNetwork, stream
from bbert.finetune.on_processor import quick_on_processor
from bbert.progress import progress

logger = logging.getLogger(__name__)

BETAS = (0.9, 0.999)
MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class TrainingSettings:
    """Hyper-parameters.

    `warmup` is a share of the steps, `select_on_dev` keeps the best epoch, and after `patience`
    epochs that were no better training ends. `schedule` is "linear" or "constant".
    """

    epochs: int
    batch_size: int
    learning_rate: float
    warmup: float
    weight_decay: float
    adam_epsilon: float
    precision: str
    select_on_dev: bool = False
    schedule: str = "linear"
    max_gradient_norm: float = MAX_GRADIENT_NORM
    patience: int | None = None


def learning_rate_at(
    step: int, num_steps: int, peak: float, warmup: float, schedule: str = "linear"
) -> float:
    """The rate of step `step` (from 0): up to `peak` over the warm-up, then linearly towards 0.

    It stays at `peak` where the schedule is "constant".
    """
    warmup_steps = round(warmup * num_steps)
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if schedule == "constant":
        return peak
    return peak * (num_steps - step) / (num_steps - warmup_steps)


def train(
    network: FinetunedNetwork,
    examples: EncodedExamples,
    settings: TrainingSettings,
    seed: int,
    dev_score: Callable[[], float] | None = None,
) -> list[dict[str, Any]]:
    """Fine-tune `network` in place.

    Args:
        network: on the device where it is to be trained.
        examples: of the source language.
        settings: hyper-parameters.
        seed: of dropout and the order of examples.
        dev_score: score on the source language's development data; asked after every epoch and
            needed where `settings.select_on_dev`.

    Returns:
        one row per epoch: mean loss, learning rate at its end, dev score; the epoch that was kept
        is marked.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    device = next(network.parameters()).device
    learning = [p for p in network.parameters() if p.requires_grad]
    optimizer = _optimizer(learning, settings)
    steps_per_epoch = num_batches(len(examples), settings.batch_size)
    num_steps = steps_per_epoch * settings.epochs
    lengths = examples.lengths
    rows: list[dict[str, Any]] = []
    best: tuple[float, dict[str, torch.Tensor]] | None = None
    best_epoch = 0
    devices = [device] if device.type == "cuda" else []
    step = 0
    with (
        torch.random.fork_rng(devices=devices),
        quick_on_processor(network, network.encoder),
        progress(f"seed {seed}", len(examples) * settings.epochs, "examples") as advance,
    ):
        torch.manual_seed(stream(seed, DROPOUT))
        for epoch in range(settings.epochs):
            network.train()
            total = torch.zeros((), device=device)
            rate = 0.0
            for batch_rows in training_batches(lengths, settings.batch_size, (seed, ORDER, epoch)):
                rate = learning_rate_at(
                    step, num_steps, settings.learning_rate, settings.warmup, settings.schedule
                )
                for group in optimizer.param_groups:
                    group["lr"] = rate
                batch = examples.batch(batch_rows).to(device)
                with autocast(device, settings.precision):
                    loss = network.head.loss(network(batch), batch)
                loss.backward()
                nn.utils.clip_grad_norm_(learning, settings.max_gradient_norm)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                total += loss.detach() * (1 if network.head.sums_loss else len(batch_rows))
                advance(len(batch_rows))
                step += 1
            mean_loss = total.item() / len(examples)
            if mean_loss != mean_loss or mean_loss == float("inf"):
                raise FloatingPointError(
                    f"the loss of seed {seed} is {mean_loss} in epoch {epoch + 1}; "
                    "lower --learning-rate"
                )
            row = {"seed": seed, "epoch": epoch + 1, "step": step, "loss": mean_loss,
                   "learning_rate": rate}  # fmt: skip
            rows.append(row)
            if dev_score is not None:
                row["dev"] = dev_score()
                if settings.select_on_dev and (best is None or row["dev"] > best[0]):
                    best = (row["dev"], _what_changes(network))
                    best_epoch = epoch
                if settings.patience is not None and epoch - best_epoch >= settings.patience:
                    break
    if not rows:  # no pass at all: the network as it begins
        network.eval()
        return rows
    kept = rows[-1]
    if settings.select_on_dev:
        assert best is not None
        network.load_state_dict(best[1], strict=False)
        kept = next(row for row in rows if row["dev"] == best[0])
    kept["kept"] = True
    network.eval()
    return rows


def _what_changes(network: FinetunedNetwork) -> dict[str, torch.Tensor]:
    """A copy of all weights but those that do not learn, and of all other state."""
    frozen = {name for name, weight in network.named_parameters() if not weight.requires_grad}
    state = network.state_dict()
    return {name: value.clone() for name, value in state.items() if name not in frozen}


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """bfloat16 arithmetic where asked for."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def _optimizer(
    learning: Sequence[nn.Parameter], settings: TrainingSettings
) -> torch.optim.Optimizer:
    """AdamW; no weight decay on biases and normalisation weights."""
    decayed = [p for p in learning if p.ndim > 1]
    others = [p for p in learning if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=settings.learning_rate, betas=BETAS, eps=settings.adam_epsilon, fused=True
    )
