"""`mean`: the plain mean of a lower and the last layer: what DLFA does without its gate.

B = sequences, T = word-pieces, E = hidden size.
"""

from __future__ import annotations

from torch import Tensor, nn


class MeanOfLayers(nn.Module):
    """(L1 + L2) / 2; no parameters."""

    def forward(self, lower_BTE: Tensor, last_BTE: Tensor, attention_mask_BT: Tensor) -> Tensor:
        return (lower_BTE + last_BTE) / 2


def build(name: str, *, depth: int, layer: int, **_: object) -> tuple[nn.Module, tuple[int, ...]]:
    """The module and the layers it reads."""
    return MeanOfLayers(), (layer, depth)
