"""What a head is: scores from the representation, their loss, and the labels they mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

from torch import Tensor, nn

from bbert.finetune.batches import Batch

Scores: TypeAlias = Any
"""A tensor, or several: what `forward` of a head gives and its other two methods read."""

Decoded: TypeAlias = int | tuple[int, int]
"""What is found for a word or a pair: a label id, or a head and a relation id."""


class Head(nn.Module, ABC):
    """A task layer; shapes of its scores are its own affair.

    `sums_loss` says that the loss is a sum over the examples of a batch, not their mean.

    B = sequences, T = word-pieces, E = size of the representation.
    """

    sums_loss: ClassVar[bool] = False

    @abstractmethod
    def forward(self, fused_BTE: Tensor, batch: Batch) -> Scores:
        """Scores of the labels."""

    @abstractmethod
    def loss(self, scores: Scores, batch: Batch) -> Tensor:
        """The scalar to minimise, from the scores and `batch.labels`."""

    @abstractmethod
    def decode(self, scores: Scores, batch: Batch) -> Sequence[Sequence[Decoded]]:
        """What is found for every example: for each word within the model's length, or once."""
