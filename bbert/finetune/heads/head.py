"""What a head is: scores from the representation, their loss, and the labels they mean."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from bbert.finetune.batches import Batch


class Head(nn.Module, ABC):
    """A task layer; shapes of its scores are its own affair.

    B = sequences, T = word-pieces, E = size of the representation.
    """

    @abstractmethod
    def forward(self, fused_BTE: Tensor, batch: Batch) -> Tensor:
        """Scores of the labels."""

    @abstractmethod
    def loss(self, scores: Tensor, batch: Batch) -> Tensor:
        """The scalar to minimise, from the scores and `batch.labels`."""

    @abstractmethod
    def decode(self, scores: Tensor, batch: Batch) -> list[list[int]]:
        """Label ids of every example: one per word within the model's length, or one."""
