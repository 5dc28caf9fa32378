"""`--freeze`: parts of the encoder that fine-tuning leaves as they are.

`all` is the whole encoder: only fusion and head learn, and the encoder runs without dropout, so the
head reads what pretraining left. `embeddings` and sets of layers ("1-6", "embeddings,1-3") freeze
parts; dropout stays on in them, as in the rest. A pooler belongs to the head and always learns.
"""

from __future__ import annotations

from torch import nn

from bbert.errors import InputError
from bbert.finetune.layer_sets import ALL, split_embeddings


def freeze(encoder: nn.Module, parts: str) -> int:
    """Take the named parts of `encoder` out of training, in place.

    Args:
        encoder: a BERT or XLM-R encoder.
        parts: "all", or layers (1-based) and "embeddings", joined by commas.

    Returns:
        the number of parameters that stay as they are.

    Raises:
        InputError: a layer beyond the encoder's depth.
    """
    frozen: list[nn.Module] = []
    if parts == ALL:
        frozen = [encoder]
    else:
        with_embeddings, layers = split_embeddings(parts)
        stack = encoder.get_submodule("encoder.layer")
        assert isinstance(stack, nn.ModuleList)
        if layers and layers[-1] > len(stack):
            raise InputError(f"--freeze {parts}: the encoder has layers 1 to {len(stack)}")
        frozen = [stack[number - 1] for number in layers]
        if with_embeddings:
            frozen.append(encoder.get_submodule("embeddings"))
    parameters = [parameter for module in frozen for parameter in module.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in parameters)


def is_frozen(encoder: nn.Module) -> bool:
    """Whether nothing of the encoder learns."""
    return not any(parameter.requires_grad for parameter in encoder.parameters())
