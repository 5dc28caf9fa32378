"""Random numbers as functions of counters: pure, uniform, and permutations that are bijections."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.counter_random import below, draw, permute, stream_key, uniform


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 3000), seed=st.integers(0, 2**63 - 1))
def test_a_permutation_meets_every_place_once(size, seed):
    images = permute(np.arange(size), size, stream_key(seed, "test"))
    assert sorted(images.tolist()) == list(range(size))


@settings(max_examples=30, deadline=None)
@given(size=st.integers(2, 10**12), seed=st.integers(0, 2**31))
def test_large_permutations_stay_in_range_and_need_no_list(size, seed):
    index = np.unique(np.linspace(0, size - 1, 50).astype(np.int64))
    images = permute(index, size, stream_key(seed, "test"))
    assert ((images >= 0) & (images < size)).all()
    assert len(np.unique(images)) == len(index)


def test_permutations_of_different_keys_agree_by_chance_only():
    index = np.arange(1000)
    first, second = (permute(index, 1000, stream_key(seed, "test")) for seed in (0, 1))
    for other in (second, index):
        assert (first == other).sum() < 10  # 1 is expected
    steps = np.diff(first) % 1000
    assert np.bincount(steps, minlength=1000).max() < 12  # neighbours are torn apart


def test_one_key_per_index_is_the_same_as_one_call_per_key():
    keys = np.array([stream_key(0, "a"), stream_key(0, "b")])
    index = np.array([5, 5])
    together = permute(index, 777, keys)
    alone = [permute(index[i : i + 1], 777, keys[i])[0] for i in range(2)]
    assert together.tolist() == alone


def test_numbers_are_uniform_in_every_bit():
    numbers = draw(stream_key(3, "bits"), np.arange(1 << 16))
    bits = (numbers[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    deviation = 0.5 / np.sqrt(len(numbers))
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 5 * deviation
    assert len(np.unique(numbers)) == len(numbers)


def test_bounded_numbers_are_uniform():
    counts = np.bincount(below(stream_key(4, "dice"), np.arange(60_000), 6), minlength=6)
    assert len(counts) == 6
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 25  # chi-squared, 5 degrees of freedom


def test_streams_differ_by_seed_purpose_and_number():
    keys = {
        int(stream_key(seed, purpose, number))
        for seed in range(20)
        for purpose in ("rows", "order")
        for number in range(20)
    }
    assert len(keys) == 800


def test_a_number_depends_on_its_counter_alone():
    key, counter = stream_key(0, "x"), np.array([9, 2, 5])
    whole = uniform(key, np.arange(10))
    assert uniform(key, counter).tolist() == whole[counter].tolist()
    assert uniform(key, 5).tolist() == [whole[5]]
