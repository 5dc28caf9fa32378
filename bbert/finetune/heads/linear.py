"""`linear`: one label for every word: dropout → linear on its first word-piece.

B = sequences, T = word-pieces, W = words, E = size of the representation, C = labels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bbert.finetune.batches import IGNORED, Batch
from bbert.finetune.heads import HeadSettings
from bbert.finetune.heads.head import Head


class LinearTagger(Head):
    """Scores of every label for every word, from the word's first word-piece."""

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        self.dropout = nn.Dropout(settings.dropout)
        self.linear = nn.Linear(settings.input_size, settings.num_labels)
        nn.init.normal_(self.linear.weight, std=settings.initializer_range)
        nn.init.zeros_(self.linear.bias)

    def forward(self, fused_BTE: Tensor, batch: Batch) -> Tensor:
        return self.linear(self.dropout(batch.words(fused_BTE)))

    def loss(self, scores_BWC: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy over the words of the batch."""
        return nn.functional.cross_entropy(
            scores_BWC.float().flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORED
        )

    def decode(self, scores_BWC: Tensor, batch: Batch) -> list[list[int]]:
        """The best label of every word that lies within the model's length."""
        best = torch.argmax(scores_BWC, dim=-1).tolist()
        return [row[:length] for row, length in zip(best, batch.num_words, strict=True)]


def build(settings: HeadSettings) -> LinearTagger:
    return LinearTagger(settings)
