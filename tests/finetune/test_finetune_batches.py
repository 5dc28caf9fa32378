"""Batches: every example once, short padding, order from (seed, epoch)."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from bbert.finetune.batches import (
    IGNORED,
    collate,
    evaluation_batches,
    num_batches,
    training_batches,
)
from bbert.finetune.encoding import EncodedExamples

lengths_of = st.lists(st.integers(3, 60), min_size=1, max_size=300).map(np.array)


@given(lengths_of, st.integers(1, 9), st.integers(0, 5))
def test_every_example_is_in_one_batch(lengths, batch_size, seed):
    batches = training_batches(lengths, batch_size, (seed, 1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert len(batches) == num_batches(len(lengths), batch_size)
    assert max(map(len, batches)) <= batch_size
    again = training_batches(lengths, batch_size, (seed, 1))
    assert all((a == b).all() for a, b in zip(batches, again, strict=True))
    tested = evaluation_batches(lengths, batch_size)
    assert sorted(np.concatenate(tested).tolist()) == list(range(len(lengths)))


def test_batches_hold_examples_of_like_length():
    lengths = np.random.default_rng(0).integers(4, 120, 5000)
    batches = training_batches(lengths, 32, (0, 0))
    padded = sum(len(rows) * lengths[rows].max() for rows in batches)
    assert padded / lengths.sum() < 1.05


def test_epochs_and_seeds_differ():
    lengths = np.full(100, 7)
    orders = [np.concatenate(training_batches(lengths, 8, key)) for key in ((0, 0), (0, 1), (1, 0))]
    assert len({tuple(order.tolist()) for order in orders}) == 3


def test_collated_words_and_pairs():
    ids = [np.array([2, 7, 8, 3], np.int32), np.array([2, 9, 3], np.int32)]
    words = EncodedExamples(
        ids, [np.array([1, 2], np.int32), np.array([1], np.int32)], None,
        [np.array([4, 5], np.int32), np.array([6], np.int32)], pad_id=0,
    )  # fmt: skip
    batch = collate(words, np.array([1, 0]))
    assert batch.input_ids_BT.tolist() == [[2, 9, 3, 0], [2, 7, 8, 3]]
    assert batch.attention_mask_BT.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert batch.labels.tolist() == [[6, IGNORED], [4, 5]]
    assert batch.num_words == [1, 2]
    states = torch.arange(8.0).view(2, 4, 1)
    assert batch.words(states).squeeze(-1).tolist() == [[1, 0], [5, 6]]

    labels = [np.array([1], np.int32), np.array([0], np.int32)]
    pairs = EncodedExamples(ids, None, np.array([2, 2]), labels, pad_id=0)
    batch = collate(pairs, np.array([0, 1]))
    assert batch.segment_ids_BT is not None
    assert batch.segment_ids_BT.tolist() == [[0, 0, 1, 1], [0, 0, 1, 0]]
    assert batch.labels.tolist() == [1, 0]
