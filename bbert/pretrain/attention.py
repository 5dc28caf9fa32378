"""Self-attention of a layer, in the form that suits the device; query, key, value in one product.

Where only some positions ask, the last layer's in pretraining, queries have a product of their own.

On a GPU it is torch's fused kernel up to a head size of 256, where the fast one (flash) ends; wider
heads (1 or 2 in BERT's width) are few, and two plain products do for them. On a CPU the fused
kernel serves evaluation and fp32 without dropout only: it has no dropout by rows, and is slower in
bfloat16.

Legend of suffixes: B rows, T positions, Q of them that ask, E hidden size, H heads, D head size.
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


def kernel_draws_dropout(architecture: Architecture, device: str) -> bool:
    """Whether the fused kernel draws the attention's dropout.

    It takes torch's generator, place by place in a micro-batch: another cut of the batch over
    processes and micro-batches has other zeros there. All other dropout depends on the row alone.
    """
    fused = device == "cuda" and architecture.head_size <= WIDEST_FUSED_HEAD
    return fused and architecture.dropout > 0


class SelfAttention(nn.Module):
    """Multi-head self-attention; query, key and value come out of one product."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.heads = architecture.heads
        self.query_key_value = nn.Linear(architecture.hidden, 3 * architecture.hidden)
        self.output = nn.Linear(architecture.hidden, architecture.hidden)
        self.dropout = RowDropout(architecture.dropout)
        self._probability = architecture.dropout

    def forward(
        self,
        hidden_BTE: Tensor,
        mask_B11T: Tensor | None,
        key_B: Tensor | None,
        asking_BQE: Tensor | None = None,
    ) -> Tensor:
        """What the positions find, (B, Q, E).

        Args:
            hidden_BTE: hidden states that are looked at.
            mask_B11T: False on padding; None where there is none.
            key_B: of dropout; None where it is not active.
            asking_BQE: hidden states of those that look; None for all of `hidden_BTE`.
        """
        query_BHQD, key_BHTD, value_BHTD = self._query_key_value(hidden_BTE, asking_BQE)
        if self._by_products(value_BHTD):
            scale = 1 / math.sqrt(query_BHQD.shape[-1])
            scores_BHQT = (query_BHQD * scale) @ key_BHTD.transpose(-1, -2)
            if mask_B11T is not None:
                scores_BHQT = scores_BHQT.masked_fill(~mask_B11T, float("-inf"))
            weights_BHQT = self.dropout(scores_BHQT.softmax(dim=-1), key_B)
            context_BHQD = weights_BHQT.to(value_BHTD.dtype) @ value_BHTD
        else:
            context_BHQD = functional.scaled_dot_product_attention(
                query_BHQD,
                key_BHTD,
                value_BHTD,
                attn_mask=mask_B11T,
                dropout_p=self._probability if self.training else 0.0,
            )
        return self.output(context_BHQD.transpose(1, 2).flatten(2))

    def _query_key_value(self, hidden_BTE: Tensor, asking_BQE: Tensor | None) -> tuple[Tensor, ...]:
        if asking_BQE is None:
            return self._by_heads(self.query_key_value(hidden_BTE), 3)
        weight, bias = self.query_key_value.weight, self.query_key_value.bias
        width = asking_BQE.shape[-1]
        queries_BQE = functional.linear(asking_BQE, weight[:width], bias[:width])
        keys_values_BTx = functional.linear(hidden_BTE, weight[width:], bias[width:])
        return (*self._by_heads(queries_BQE, 1), *self._by_heads(keys_values_BTx, 2))

    def _by_heads(self, fused_BTx: Tensor, number: int) -> tuple[Tensor, ...]:
        """`number` tensors (B, H, T, D) that lie side by side in the last dimension."""
        split_BTNHD = fused_BTx.unflatten(-1, (number, self.heads, -1))
        return split_BTNHD.permute(2, 0, 3, 1, 4).unbind(0)

    def _by_products(self, value_BHTD: Tensor) -> bool:
        if value_BHTD.is_cuda:
            return value_BHTD.shape[-1] > WIDEST_FUSED_HEAD
        return self.dropout.active or value_BHTD.dtype == torch.bfloat16
