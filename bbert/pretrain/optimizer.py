"""AdamW and its schedule as in K et al. 2020: decay on matrices only, linear warm-up and decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from bbert.pretrain.config import ADAM_BETAS, ADAM_EPSILON


def parameter_groups(
    named_parameters: Iterable[tuple[str, torch.nn.Parameter]], weight_decay: float
) -> list[dict[str, Any]]:
    """Parameters with weight decay (matrices) and without (LayerNorm and bias: all vectors)."""
    decayed, plain = [], []
    for _, parameter in named_parameters:
        (decayed if parameter.ndim > 1 else plain).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]


def adamw(model: torch.nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """The optimiser; its learning rate is 0 until `set_learning_rate`."""
    groups = parameter_groups(model.named_parameters(), weight_decay)
    # One fused call for all parameters: on a CPU the default loops over them in Python.
    return torch.optim.AdamW(groups, lr=0.0, betas=ADAM_BETAS, eps=ADAM_EPSILON, fused=True)


def learning_rate(step: int, peak: float, warmup_steps: int, steps: int) -> float:
    """Learning rate of a step, counted from 1: linear up from 0, then linear down towards 0.

    The same as `transformers.get_linear_schedule_with_warmup`: the first of several warm-up steps
    has rate 0, and 0 would be reached one step after the last. Google's BERT code lets the rate
    fall from step 0 on and only puts the warm-up in front of it: after the warm-up it is lower
    there by the factor (1 - warmup_steps / steps), 0.5 % in K et al. 2020.
    """
    done = step - 1
    if done < warmup_steps:
        return peak * done / warmup_steps
    return peak * max(0.0, (steps - done) / max(1, steps - warmup_steps))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Use `rate` for every parameter in the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate
