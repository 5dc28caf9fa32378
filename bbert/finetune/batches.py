"""Batches of encoded examples: bucketed by length, padded to the longest of the batch only.

In training the order is drawn afresh in every epoch from (seed, epoch): examples are shuffled, cut
into pools of many batches, sorted by length within a pool, and the batches of all pools shuffled.
In evaluation batches go from long to short, so that the largest comes first. No example is dropped.

B = sequences, T = word-pieces, W = words, E = hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

if TYPE_CHECKING:
    from bbert.finetune.encoding import EncodedExamples

IGNORED = -100
"""Label of a padded word, left out of the loss."""

_BATCHES_PER_POOL = 50


@dataclass(frozen=True)
class Batch:
    """One padded batch.

    Attributes:
        input_ids_BT: word-piece ids.
        attention_mask_BT: 1 on word-pieces, 0 on padding.
        segment_ids_BT: 0 and 1 for the texts of a pair; None where the encoder has one segment.
        word_positions_BW: position of every word's first word-piece, 0 on padding; None for pairs.
        num_words: words of every row within the model's length; empty for pairs.
        labels: label ids, (B, W) with IGNORED on padding, or (B,).
    """

    input_ids_BT: Tensor
    attention_mask_BT: Tensor
    segment_ids_BT: Tensor | None
    word_positions_BW: Tensor | None
    num_words: Sequence[int]
    labels: Tensor

    def words(self, fused_BTE: Tensor) -> Tensor:
        """The representations of the words' first word-pieces, (B, W, E)."""
        assert self.word_positions_BW is not None
        index_BWE = self.word_positions_BW.unsqueeze(-1).expand(-1, -1, fused_BTE.shape[-1])
        return fused_BTE.gather(1, index_BWE)

    def to(self, device: torch.device) -> Batch:
        """This batch on another device."""
        tensors = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **tensors)


def collate(examples: EncodedExamples, rows: npt.NDArray[np.int64]) -> Batch:
    """The batch of the examples `rows`."""
    ids = [examples.ids[row] for row in rows]
    input_ids = _padded(ids, examples.pad_id)
    lengths = np.array([len(row) for row in ids])
    positions = np.arange(input_ids.shape[1])
    mask = positions < lengths[:, None]
    segments = None
    if examples.second_starts is not None:
        starts = examples.second_starts[rows]
        segments = torch.from_numpy(((positions >= starts[:, None]) & mask).astype(np.int64))
    words, num_words = None, []
    if examples.word_positions is not None:
        in_rows = [examples.word_positions[row] for row in rows]
        num_words = [len(row) for row in in_rows]
        words = torch.from_numpy(_padded(in_rows, 0))
        labels = _padded([examples.labels[row] for row in rows], IGNORED)
    else:
        labels = np.array([examples.labels[row][0] for row in rows], np.int64)
    return Batch(
        torch.from_numpy(input_ids), torch.from_numpy(mask.astype(np.int64)), segments,
        words, num_words, torch.from_numpy(labels),
    )  # fmt: skip


def training_batches(
    lengths: npt.NDArray[np.int64], batch_size: int, seed: Sequence[int]
) -> list[npt.NDArray[np.int64]]:
    """The batches of one epoch as rows; `seed` is the key of the random generator."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(lengths))
    pool = batch_size * _BATCHES_PER_POOL
    batches = []
    for start in range(0, len(order), pool):
        rows = order[start : start + pool]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def evaluation_batches(
    lengths: npt.NDArray[np.int64], batch_size: int
) -> list[npt.NDArray[np.int64]]:
    """All examples from the longest to the shortest."""
    order = np.argsort(-lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def num_batches(num_examples: int, batch_size: int) -> int:
    """Batches of one epoch, the last of every pool may be small."""
    full, rest = divmod(num_examples, batch_size * _BATCHES_PER_POOL)
    return full * _BATCHES_PER_POOL + -(-rest // batch_size)


def _padded(rows: Sequence[npt.NDArray[np.int32]], value: int) -> npt.NDArray[np.int64]:
    padded = np.full((len(rows), max(map(len, rows))), value, np.int64)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return padded
