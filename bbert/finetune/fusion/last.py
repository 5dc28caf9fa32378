"""`last`: the output of the last layer as it is, the usual representation for fine-tuning.

B = sequences, T = word-pieces, E = hidden size.
"""

from __future__ import annotations

from torch import Tensor, nn

from bbert.finetune.fusion import Fusion, FusionSettings


class LastLayer(nn.Module):
    """Hands on the last layer unchanged."""

    def forward(self, last_BTE: Tensor, attention_mask_BT: Tensor) -> Tensor:
        return last_BTE


def build(settings: FusionSettings) -> Fusion:
    return Fusion(LastLayer(), (settings.depth,), settings.hidden_size)
