"""Batches of encoded examples: bucketed by length, padded to the longest of the batch only.

In training the order is drawn afresh in every epoch from (seed, epoch): examples are shuffled, cut
into pools of many batches, sorted by length within a pool, and the batches of all pools shuffled.
In evaluation batches go from long to short, so that the largest comes first. No example is dropped.

A sentence that is longer than the model reads stands in a batch as several sequences, its windows
(`windows.py`); its words are gathered from them, so that a head sees whole sentences only.

B = sequences, T = word-pieces, S = sentences (B without long ones), W = words, E = hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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
        word_index_SW: where every word's first word-piece is among all B·T positions, 0 on padding;
            None for pairs.
        num_words: words of every sentence that the model sees; empty for pairs.
        labels: label ids, (S, W) with IGNORED on padding, or (B,).
        heads_SW: heads of the words (from 1, 0 the root), IGNORED on padding; None where a task has
            no trees.
        layers_BTE: outputs of the encoder's layers that the fusion reads, where they are known
            already; T is then what they are known of, word-pieces or words. Else None.
    """

    input_ids_BT: Tensor
    attention_mask_BT: Tensor
    segment_ids_BT: Tensor | None
    word_index_SW: Tensor | None
    num_words: Sequence[int]
    labels: Tensor
    heads_SW: Tensor | None = None
    layers_BTE: tuple[Tensor, ...] | None = None

    def words(self, fused_BTE: Tensor) -> Tensor:
        """The representations of the words' first word-pieces, (S, W, E)."""
        assert self.word_index_SW is not None
        index = self.word_index_SW
        return fused_BTE.flatten(0, 1).index_select(0, index.flatten()).unflatten(0, index.shape)

    def to(self, device: torch.device) -> Batch:
        """This batch on another device."""
        moved: dict[str, Any] = {
            k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)
        }
        if self.layers_BTE is not None:
            moved["layers_BTE"] = tuple(layer.to(device) for layer in self.layers_BTE)
        return replace(self, **moved)


def collate(examples: EncodedExamples, rows: npt.NDArray[np.int64]) -> Batch:
    """The batch of the examples `rows`."""
    ids, sequence_of = _sequences(examples, rows)
    input_ids = padded(ids, examples.pad_id)
    lengths = np.array([len(row) for row in ids])
    positions = np.arange(input_ids.shape[1])
    mask = positions < lengths[:, None]
    segments = words = heads = None
    if examples.second_starts is not None:
        starts = examples.second_starts[rows]
        segments = torch.from_numpy(((positions >= starts[:, None]) & mask).astype(np.int64))
    num_words = []
    if examples.word_positions is not None:
        in_rows = [examples.word_positions[row] for row in rows]
        num_words = [len(row) for row in in_rows]
        starts = np.cumsum([0, *lengths[:-1]])  # of the sequences, one after the other
        index = [
            _in_padded(at, starts, sequence, input_ids.shape[1])
            for at, sequence in zip(in_rows, sequence_of, strict=True)
        ]
        words = torch.from_numpy(padded(index, 0))
        labels = padded([examples.labels[row] for row in rows], IGNORED)
    else:
        labels = np.array([examples.labels[row][0] for row in rows], np.int64)
    if examples.heads is not None:
        heads = torch.from_numpy(padded([examples.heads[row] for row in rows], IGNORED))
    return Batch(
        torch.from_numpy(input_ids), torch.from_numpy(mask.astype(np.int64)), segments,
        words, num_words, torch.from_numpy(labels), heads,
    )  # fmt: skip


def _sequences(
    examples: EncodedExamples, rows: npt.NDArray[np.int64]
) -> tuple[list[npt.NDArray[np.int32]], list[int]]:
    """The sequences of some examples, and the first one of each."""
    sequences: list[npt.NDArray[np.int32]] = []
    first_of: list[int] = []
    for row in rows:
        first_of.append(len(sequences))
        parts = examples.windows.get(int(row))
        if parts is None:
            sequences.append(examples.ids[row])
        else:
            sequences += np.split(examples.ids[row], np.cumsum(parts)[:-1])
    return sequences, first_of


def _in_padded(
    positions: npt.NDArray[np.int32], starts: npt.NDArray[np.int64], first: int, width: int
) -> npt.NDArray[np.int64]:
    """Positions in the windows of an example put together → positions in the padded batch."""
    flat = starts[first] + positions
    sequence = np.searchsorted(starts, flat, side="right") - 1
    return sequence * width + flat - starts[sequence]


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
    lengths: npt.NDArray[np.int64],
    batch_size: int,
    num_windows: npt.NDArray[np.int64] | None = None,
) -> list[npt.NDArray[np.int64]]:
    """All examples from the longest to the shortest.

    A batch has at most `batch_size` sequences; an example with more windows has one of its own.
    """
    order = np.argsort(-lengths, kind="stable")
    if num_windows is None or not (num_windows > 1).any():
        return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    batches: list[list[int]] = []
    room = 0
    for row in order.tolist():
        needed = int(num_windows[row])
        if needed > room:
            batches.append([])
            room = batch_size
        batches[-1].append(row)
        room -= needed
    return [np.array(batch, np.int64) for batch in batches]


def num_batches(num_examples: int, batch_size: int) -> int:
    """Batches of one epoch, the last of every pool may be small."""
    full, rest = divmod(num_examples, batch_size * _BATCHES_PER_POOL)
    return full * _BATCHES_PER_POOL + -(-rest // batch_size)


def padded(rows: Sequence[npt.NDArray[np.integer]], value: int) -> npt.NDArray[np.int64]:
    """Rows of numbers side by side, `value` behind the shorter ones."""
    result = np.full((len(rows), max(map(len, rows))), value, np.int64)
    for number, row in enumerate(rows):
        result[number, : len(row)] = row
    return result
