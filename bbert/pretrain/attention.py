"""Self-attention of a layer, in the form that suits the device; query, key, value in one product.

On a GPU it is torch's fused kernel up to a head size of 256, where the fast one (flash) ends; wider
heads (1 or 2 in BERT's width) are few, and two plain products do for them. On a CPU the fused
kernel serves evaluation and fp32 without dropout only: it has no dropout by rows, and is slower in
bfloat16.

Legend of suffixes: B rows, T positions, E hidden size, H heads, D head size.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from bbert.pretrain.architecture import Architecture
from bbert.pretrain.dropout import RowDropout

WIDEST_FUSED_HEAD = 256
"""Head size up to which a GPU takes the fused kernel."""


class SelfAttention(nn.Module):
    """Multi-head self-attention; query, key and value come out of one product."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.heads = architecture.heads
        self.query_key_value = nn.Linear(architecture.hidden, 3 * architecture.hidden)
        self.output = nn.Linear(architecture.hidden, architecture.hidden)
        self.dropout = RowDropout(architecture.dropout)
        self._probability = architecture.dropout

    def forward(self, hidden_BTE: Tensor, mask_B11T: Tensor | None, key_B: Tensor | None) -> Tensor:
        fused_BT3HD = self.query_key_value(hidden_BTE).unflatten(-1, (3, self.heads, -1))
        query_BHTD, key_BHTD, value_BHTD = fused_BT3HD.permute(2, 0, 3, 1, 4).unbind(0)
        if self._by_products(value_BHTD):
            scale = 1 / math.sqrt(query_BHTD.shape[-1])
            scores_BHTT = (query_BHTD * scale) @ key_BHTD.transpose(-1, -2)
            if mask_B11T is not None:
                scores_BHTT = scores_BHTT.masked_fill(~mask_B11T, float("-inf"))
            weights_BHTT = self.dropout(scores_BHTT.softmax(dim=-1), key_B)
            context_BHTD = weights_BHTT.to(value_BHTD.dtype) @ value_BHTD
        else:
            context_BHTD = functional.scaled_dot_product_attention(
                query_BHTD,
                key_BHTD,
                value_BHTD,
                attn_mask=mask_B11T,
                dropout_p=self._probability if self.training else 0.0,
            )
        return self.output(context_BHTD.transpose(1, 2).flatten(2))

    def _by_products(self, value_BHTD: Tensor) -> bool:
        if value_BHTD.is_cuda:
            return value_BHTD.shape[-1] > WIDEST_FUSED_HEAD
        return self.dropout.active or value_BHTD.dtype == torch.bfloat16
