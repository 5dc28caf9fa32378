"""What makes training on a processor faster: dropout and attention of an encoder of transformers.

torch draws one random number per element for dropout and multiplies by a mask of booleans, both one
element at a time: 15 ns an element forward and backward. Here four elements share one 64-bit
number, 16 bits each, and the mask is a number of the same type as the input: 1.7 ns (393,216
elements on one core of a virtual AMD EPYC, torch 2.13, 2026-11-21). The probability is so a
multiple of 2**-16; the numbers come from torch's generator, so a seed repeats to the bit, whatever
the number of threads.

torch's fused attention has no dropout on a processor, so that its general fallback runs, and in
bfloat16 its backward pass is slow: 9.4 ms where two products take 2.1 (32 rows, 4 heads of 32, 32
word-pieces, one core with AVX-512 and bf16, torch 2.13, 2026-11-30). The two products are written
out here instead, with the dropout above between them.

Both are used while a network trains on a processor and taken out again: what is exported or tested
is the encoder as transformers made it. On a GPU nothing changes.

B = sequences, H = heads, T = word-pieces, D = size of a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_ATTENTION = "bbert_products"
_OF_TRANSFORMERS = "transformers.models."  # code that a folder brings: transformers_modules.
_FINENESS = 1 << 16
_LOWEST = -(1 << 15)


class QuickDropout(nn.Module):
    """As `nn.Dropout`, for a processor."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, values: Tensor) -> Tensor:
        return quick_dropout(values, self.p) if self.training else values


def quick_dropout(values: Tensor, p: float) -> Tensor:
    """`values` with each element 0 with probability `p` (to 2**-16), the others scaled up."""
    threshold = round(p * _FINENESS)
    if not threshold:
        return values
    if threshold == _FINENESS:
        return values * 0
    number = values.numel()
    drawn = torch.empty(-(-number // 4), dtype=torch.int64).random_(-(1 << 63), None)
    bits = drawn.view(torch.int16)[:number].view(values.shape)
    # Into int16 and not bool: processors compare, convert and multiply that in vectors.
    kept = torch.ge(bits, threshold + _LOWEST, out=torch.empty_like(bits))
    scale = _FINENESS / (_FINENESS - threshold)
    return values * kept.to(values.dtype) * scale  # a mask of scales would round them to bfloat16


def attention_by_products(
    module: nn.Module,
    query_BHTD: Tensor,
    key_BHTD: Tensor,
    value_BHTD: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers asks for it; in fp32 without dropout it is torch's fused one.

    Returns:
        the mixed values (B, T, H, D), and None for the weights, which are not kept.
    """
    if not dropout and query_BHTD.dtype != torch.bfloat16:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(
            module, query_BHTD, key_BHTD, value_BHTD, attention_mask, dropout, scaling, **options
        )
    scale = query_BHTD.shape[-1] ** -0.5 if scaling is None else scaling
    scores_BHTT = (query_BHTD * scale) @ key_BHTD.transpose(-1, -2)
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        scores_BHTT = scores_BHTT.masked_fill(~attention_mask, torch.finfo(scores_BHTT.dtype).min)
    elif attention_mask is not None:
        scores_BHTT = scores_BHTT + attention_mask
    weights_BHTT = quick_dropout(scores_BHTT.softmax(dim=-1), dropout)
    mixed_BHTD = weights_BHTT.to(value_BHTD.dtype) @ value_BHTD
    return mixed_BHTD.transpose(1, 2).contiguous(), None


@contextmanager
def quick_on_processor(network: nn.Module, encoder: nn.Module) -> Iterator[None]:
    """Within the context `network`, with `encoder` in it, trains with the functions above.

    Does nothing for a network on a GPU, or for an encoder with code of its own, also where its
    class is derived from one of transformers: what its dropout and attention rely on is unknown.
    """
    of_the_library = type(encoder).__module__.startswith(_OF_TRANSFORMERS)
    if not of_the_library or next(network.parameters()).device.type != "cpu":
        yield
        return
    config: Any = getattr(encoder, "config", None)
    plain_attention = getattr(config, "_attn_implementation", None) == "sdpa"
    replaced = [
        (parent, name, child)
        for parent in network.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Dropout
    ]
    if plain_attention:
        _register()
    try:
        for parent, name, child in replaced:
            setattr(parent, name, QuickDropout(child.p).train(child.training))
        if plain_attention:
            config._attn_implementation = _ATTENTION
        yield
    finally:
        if plain_attention:
            config._attn_implementation = "sdpa"
        for parent, name, child in replaced:
            child.train(getattr(parent, name).training)
            setattr(parent, name, child)


def _register() -> None:
    """Tell transformers about the attention, and that its masks are those of torch's."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(_ATTENTION, attention_by_products)
    AttentionMaskInterface.register(_ATTENTION, sdpa_mask)
