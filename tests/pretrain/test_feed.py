"""What a step is given is the same however it was made: on the host, or ahead and on the device."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_corpus import FIRST_ORDINARY_ID, random_documents, write_corpus

from bbert.counter_random import below, draw, uniform
from bbert.pretrain import masks_on_device
from bbert.pretrain.batches import BatchSettings, BatchSource
from bbert.pretrain.feed import copied, parts_made_ahead, parts_of_steps
from bbert.pretrain.masking import IGNORED, Masking, mask_rows
from bbert.pretrain.masks_on_device import DeviceMasking


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One whose text fills every row, and one whose text does not."""
    folder = tmp_path_factory.mktemp("corpora")
    documents = {"enfake": random_documents(26, 16, seed=1), "it": random_documents(14, 16, seed=2)}
    return {
        "long": write_corpus(folder / "long", documents, FIRST_ORDINARY_ID + 500),
        "short": write_corpus(folder / "short", {"enfake": [[9, 4], [6]], "it": [[30, 20], [11]]}),
    }


@pytest.mark.parametrize(
    ("corpus", "options"),
    [
        ("long", {}),
        ("long", {"nsp": False, "packing": "full-sentences", "mlm_random": "same-language"}),
        ("long", {"masks": "released", "mlm_random": "none", "short_seq_probability": 0.4}),
        ("long", {"lang_id": True, "batching": "one-language", "nsp_negatives": "same-language"}),
        ("short", {"whole_word_mask": False, "mlm_probability": 0.5}),
    ],
)
def test_made_ahead_and_masked_on_the_device_it_is_the_same_to_the_bit(corpora, corpus, options):
    plan = BatchSettings(**({"batch_size": 10, "seq_len": 40} | options))

    def source() -> BatchSource:
        return BatchSource(corpora[corpus], ["enfake", "it"], plan, seed=5)

    steps, rows = range(3, 8), [(0, 4), (4, 7), (9, 10)]
    expected = list(parts_of_steps(source(), steps, rows, "cpu"))
    ahead = list(parts_made_ahead(source(), steps, rows, "cpu"))
    assert len(ahead) == len(expected) == 5
    for one, other in zip(expected, ahead, strict=True):
        assert len(one) == len(other) == 3
        for host, device in zip(one, other, strict=True):
            assert host.keys() == device.keys()
            for name, tensor in host.items():
                if tensor is None:
                    assert device[name] is None
                else:
                    assert tensor.dtype == device[name].dtype, name
                    assert torch.equal(tensor, device[name]), name


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    probability=st.floats(0.01, 0.99),
    positions=st.integers(1, 40),
    slots=st.integers(1, 40),
    whole_words=st.booleans(),
    tables=st.sampled_from(["none", "joint", "own"]),
)
def test_masks_on_the_device_are_those_of_the_host(
    seed, probability, positions, slots, whole_words, tables
):
    rng = np.random.default_rng(seed)
    shape = 7, positions
    joint = np.arange(10, 90)
    replacements = {"none": [], "joint": [joint] * 3, "own": [joint[:7], joint[5:], joint[30:33]]}
    slots = min(slots, positions)
    plan = Masking(probability, whole_words, slots, 4, replacements[tables])
    ids, text = rng.integers(10, 90, shape), rng.random(shape) < rng.random()
    words, languages = (
        rng.integers(0, 2**34, shape) // rng.integers(1, 2**33),
        rng.integers(0, 3, shape),
    )
    keys = rng.integers(0, 2**64, 7, dtype=np.uint64)
    masked = ids.copy()
    place, label = mask_rows(masked, text, words, languages, keys, plan)
    arrays = (ids, text, words, languages, keys.view(np.int64))
    found = DeviceMasking.on("cpu", plan).mask_rows(*map(torch.from_numpy, arrays))
    expected = masked, place, label, np.take_along_axis(languages, place, axis=1)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs)
    np.testing.assert_array_equal(arrays[0], ids)


@settings(deadline=None)
@given(
    keys=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5),
    counter=st.integers(0, 2**63 - 1),
)
def test_random_numbers_with_signed_integers_are_those_with_unsigned_ones(keys, counter):
    unsigned = np.array(keys, dtype=np.uint64)
    signed = torch.from_numpy(unsigned.view(np.int64))
    for number in (counter, torch.tensor(counter)):
        ours = masks_on_device._draw(signed, number).numpy().view(np.uint64)
        np.testing.assert_array_equal(ours, draw(unsigned, np.array(counter)))
    ours = masks_on_device._uniform(signed, counter).numpy()
    np.testing.assert_array_equal(ours, uniform(unsigned, counter))
    np.testing.assert_array_equal((ours * 977).astype(int), below(unsigned, counter, 977))


def test_one_block_carries_every_kind_of_array():
    arrays = {
        "bools": np.array([[True, False, True]]),
        "halves": np.arange(10, dtype=np.int32)[::2],  # not contiguous
        "nothing": np.zeros((0, 3), dtype=np.int64),
        "wide": np.arange(6, dtype=np.int64).reshape(2, 3) - 3,
        "one": np.array([2.5], dtype=np.float32),
    }
    tensors = copied(arrays, "cpu")
    for name, array in arrays.items():
        np.testing.assert_array_equal(tensors[name].numpy(), array)
        assert tensors[name].dtype == torch.from_numpy(array).dtype
    storages = {tensor.untyped_storage().data_ptr() for tensor in tensors.values()}
    assert len(storages) == 1


def test_an_error_of_the_thread_arrives_and_the_thread_ends(corpora, monkeypatch):
    source = BatchSource(corpora["long"], ["enfake"], BatchSettings(batch_size=4, seq_len=40), 0)
    whole = source.unmasked

    def fails(step: int):
        if step == 3:
            raise OSError("the disk is gone")
        return whole(step)

    monkeypatch.setattr(source, "unmasked", fails)
    before = threading.active_count()
    seen = []
    with pytest.raises(OSError, match="the disk is gone"):
        for parts in parts_made_ahead(source, range(0, 9), [(0, 4)], "cpu"):
            seen.append(parts)
    assert len(seen) == 3
    assert threading.active_count() == before


def test_left_over_slots_of_a_device_count_for_nothing(corpora):
    source = BatchSource(corpora["long"], ["enfake", "it"], BatchSettings(10, 40), seed=5)
    (parts,) = parts_made_ahead(source, range(1), [(0, 10)], "cpu")
    labels = parts[0]["masked_labels_BK"]
    assert (labels == IGNORED).any()
    assert (parts[0]["masked_positions_BK"][labels == IGNORED] == 0).all()
    assert parts[0]["num_masked"] == (labels != IGNORED).sum()
