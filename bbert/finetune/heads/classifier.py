"""`classifier`: one label for a sentence or a pair of sentences: pooler → dropout → linear.

The pooler (dense and tanh on the first position) is the encoder's. With a fusion it reads the fused
representation of the first position: the paper feeds the fused features to the same classifier that
XTREME puts behind the last layer, and that classifier begins with the pooler.

B = sequences, T = word-pieces, E = size of the representation, C = labels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bbert.finetune.batches import Batch
from bbert.finetune.heads import HeadSettings
from bbert.finetune.heads.head import Head


class Classifier(Head):
    """Scores of every label from the pooled first position."""

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        self.pooler = settings.pooler
        self.dropout = nn.Dropout(settings.dropout)
        self.linear = nn.Linear(settings.input_size, settings.num_labels)
        nn.init.normal_(self.linear.weight, std=settings.initializer_range)
        nn.init.zeros_(self.linear.bias)

    def forward(self, fused_BTE: Tensor, batch: Batch) -> Tensor:
        return self.linear(self.dropout(self.pooler(fused_BTE)))

    def loss(self, scores_BC: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy over the examples."""
        return nn.functional.cross_entropy(scores_BC.float(), batch.labels)

    def decode(self, scores_BC: Tensor, batch: Batch) -> list[list[int]]:
        """The best label of every example, as a list of one."""
        return [[label] for label in torch.argmax(scores_BC, dim=-1).tolist()]


def build(settings: HeadSettings) -> Classifier:
    return Classifier(settings)
