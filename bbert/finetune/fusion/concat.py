"""`concat`: a lower and the last layer side by side, mapped linearly to the size of one.

The map begins as "take the last layer": fine-tuning starts where `last` starts and learns what the
lower layer adds. 2E² + E parameters, more than DLFA has from E = 6 on.

B = sequences, T = word-pieces, E = hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConcatenatedLayers(nn.Module):
    """One linear map of [L1; L2]."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * hidden_size, hidden_size)
        with torch.no_grad():
            self.linear.weight.zero_()
            self.linear.weight[:, hidden_size:] = torch.eye(hidden_size)
            self.linear.bias.zero_()

    def forward(self, lower_BTE: Tensor, last_BTE: Tensor, attention_mask_BT: Tensor) -> Tensor:
        return self.linear(torch.cat([lower_BTE, last_BTE], dim=-1))


def build(
    name: str, *, hidden_size: int, depth: int, layer: int, **_: object
) -> tuple[nn.Module, tuple[int, ...]]:
    """The module and the layers it reads."""
    return ConcatenatedLayers(hidden_size), (layer, depth)
