"""Overlapping windows: every word once, with context; gathered from a batch as from one row."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from bbert.finetune.batches import collate, evaluation_batches
from bbert.finetune.encoding import EncodedExamples
from bbert.finetune.windows import windows_of

sizes = st.lists(st.integers(1, 9), min_size=1, max_size=60)


@given(sizes, st.integers(1, 30))
def test_bounds_cover_all_words(word_sizes, room):
    starts = np.cumsum([0, *word_sizes[:-1]])
    total = sum(word_sizes)
    if total <= room:
        return
    bounds, positions = windows_of(starts, total, room)
    assert bounds[0][0] == 0
    assert all(0 < end - start <= room for start, end in bounds)
    assert [start for start, _ in bounds] == sorted({start for start, _ in bounds})
    assert {start for start, _ in bounds} <= set(starts.tolist())
    frames = np.cumsum([0, *(end - start + 2 for start, end in bounds)])
    for start, position in zip(starts, positions, strict=True):
        window = int(np.searchsorted(frames, position, side="right")) - 1
        assert bounds[window][0] + position - frames[window] - 1 == start


@given(st.integers(30, 400), st.sampled_from([8, 16, 30]))
def test_every_word_has_a_quarter_of_a_window_around_it(total, room):
    bounds, positions = windows_of(np.arange(total), total, room)
    if total <= room:
        return
    frames = np.cumsum([0, *(end - start + 2 for start, end in bounds)])
    for start, position in enumerate(positions):
        window = int(np.searchsorted(frames, position, side="right")) - 1
        begin, end = bounds[window]
        assert min(start - begin, start) >= min(room // 4 - 1, start)
        assert end - 1 - start >= min(room // 4 - 1, total - 1 - start)


def examples_of(*rows: tuple[int, ...]) -> EncodedExamples:
    """Examples given by the lengths of their windows; every position is a word, ids count up."""
    encoded = EncodedExamples([], [], None, [], pad_id=0)
    counter = 1
    for number, parts in enumerate(rows):
        total = sum(parts)
        encoded.ids.append(np.arange(counter, counter + total, dtype=np.int32))
        encoded.word_positions.append(np.arange(total, dtype=np.int32))
        encoded.labels.append(np.zeros(total, np.int32))
        if len(parts) > 1:
            encoded.windows[number] = parts
        counter += total
    return encoded


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple), min_size=1,
                max_size=6))  # fmt: skip
def test_words_are_gathered_from_the_windows_of_their_sentence(rows):
    encoded = examples_of(*rows)
    batch = collate(encoded, np.arange(len(rows)))
    assert batch.input_ids_BT.shape[0] == sum(map(len, rows))
    assert batch.num_words == [sum(parts) for parts in rows]
    words = batch.words(batch.input_ids_BT.unsqueeze(-1).float()).squeeze(-1)
    for number, ids in enumerate(encoded.ids):
        assert words[number, : len(ids)].tolist() == ids.tolist()


def test_gradients_reach_the_words_and_nothing_else():
    encoded = examples_of((2, 3), (1,))
    batch = collate(encoded, np.arange(2))
    fused = torch.zeros(*batch.input_ids_BT.shape, 4, requires_grad=True)
    batch.words(fused)[1, 0].sum().backward()
    assert fused.grad is not None
    assert fused.grad.nonzero()[:, :2].unique(dim=0).tolist() == [[2, 0]]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 8))
def test_evaluation_batches_hold_as_many_sequences_as_asked(numbers, batch_size):
    lengths = np.arange(len(numbers)) + 1
    batches = evaluation_batches(lengths, batch_size, np.array(numbers))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(numbers)))
    for rows in batches:
        assert sum(numbers[row] for row in rows) <= batch_size or len(rows) == 1
