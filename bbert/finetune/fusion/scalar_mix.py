"""`scalar-mix`: a learned weighted mean of all layers, embeddings excluded (as ELMo mixes layers).

K et al. 2020 put it between their frozen encoder and the tagger for named entities. The weights are
a softmax of one scalar per layer, which starts even; a scale γ multiplies the result.

B = sequences, T = word-pieces, E = hidden size, D = layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ScalarMix(nn.Module):
    """γ · Σ softmax(w)_d · L_d."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(depth))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, *layers_and_mask: Tensor) -> Tensor:
        """The mix (B, T, E) of D layers; the attention mask, given last, plays no part."""
        *layers_BTE, _ = layers_and_mask
        shares_D = torch.softmax(self.weights, dim=0).unbind()
        mixed_BTE = shares_D[0] * layers_BTE[0]
        for share, layer_BTE in zip(shares_D[1:], layers_BTE[1:], strict=True):
            mixed_BTE = mixed_BTE + share * layer_BTE
        return self.scale * mixed_BTE


def build(name: str, *, depth: int, **_: object) -> tuple[nn.Module, tuple[int, ...]]:
    """The module and the layers it reads."""
    return ScalarMix(depth), tuple(range(1, depth + 1))
