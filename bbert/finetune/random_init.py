"""RANDOM-INIT: draw the weights of some layers afresh before fine-tuning (Muller et al. 2021).

A layer is its attention, intermediate and output with their LayerNorms; embeddings and pooler stay.
`all` draws every weight of the encoder, embeddings and pooler too: the floor that a score has to
beat.

`bert` draws N(0, initializer_range) with biases 0 and LayerNorms 1 and 0, as pretraining starts;
`torch` keeps PyTorch's own initialisation, as the authors' released code does by accident.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from bbert.errors import InputError
from bbert.finetune.layer_sets import ALL, parse_layers


def randomize(encoder: nn.Module, layers: str, init: str, seed: int) -> int:
    """Draw the named layers of `encoder` afresh, in place.

    Args:
        encoder: a BERT or XLM-R encoder.
        layers: 1-based, e.g. "1-2" or "1-2,5"; "all" for everything.
        init: "bert" or "torch".
        seed: of the new weights.

    Returns:
        the number of parameters that were drawn.

    Raises:
        InputError: a layer beyond the encoder's depth, nothing to draw, or a module of which it is
            not known how it begins.
    """
    modules = _modules(encoder, layers)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        count = sum(_draw(module, init, _range_of(encoder)) for module in modules)
    if count == 0:
        raise InputError(f"--random-init {layers} matches no parameter of this encoder")
    return count


def _modules(encoder: nn.Module, layers: str) -> Sequence[nn.Module]:
    if layers == ALL:
        return list(encoder.modules())
    stack = getattr(getattr(encoder, "encoder", None), "layer", ())
    chosen = parse_layers(layers)
    if not chosen or chosen[-1] > len(stack):
        raise InputError(f"--random-init {layers}: the encoder has layers 1 to {len(stack)}")
    return [module for number in chosen for module in stack[number - 1].modules()]


def _draw(module: nn.Module, init: str, initializer_range: float) -> int:
    parameters = list(module.parameters(recurse=False))
    if not parameters:
        return 0
    if init == "torch":
        reset = getattr(module, "reset_parameters", None)
        if reset is None:
            raise _cannot_be_drawn(module)
        reset()
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=initializer_range)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=initializer_range)
        if module.padding_idx is not None:
            module.weight[module.padding_idx] = 0
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
    else:
        raise _cannot_be_drawn(module)
    return sum(parameter.numel() for parameter in parameters)


def _cannot_be_drawn(module: nn.Module) -> InputError:
    """What an encoder with code of its own may have."""
    return InputError(
        f"--random-init: how {type(module).__name__} of this encoder begins is not known; only "
        "encoders of the kinds BERT and XLM-R can be drawn afresh"
    )


def _range_of(encoder: nn.Module) -> float:
    return float(getattr(encoder.config, "initializer_range", 0.02))
