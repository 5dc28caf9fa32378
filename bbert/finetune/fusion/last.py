"""`last`: the output of the last layer as it is, the usual representation for fine-tuning.

B = sequences, T = word-pieces, E = hidden size.
"""

from __future__ import annotations

from torch import Tensor, nn


class LastLayer(nn.Module):
    """Hands on the last layer unchanged."""

    def forward(self, last_BTE: Tensor, attention_mask_BT: Tensor) -> Tensor:
        return last_BTE


def build(name: str, *, depth: int, **_: object) -> tuple[nn.Module, tuple[int, ...]]:
    """The module and the layers it reads."""
    return LastLayer(), (depth,)
