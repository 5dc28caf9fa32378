"""Translation by nearest neighbour finds translations, and no more than chance in noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.pretrain.nearest_neighbours import translation_accuracy


def vectors(num: int = 200, size: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(num, size))


def test_a_constant_shift_between_languages_is_no_obstacle():
    one = vectors()
    other = one + 100 * vectors(1, seed=1) + 0.1 * vectors(seed=2)
    assert translation_accuracy(one, other) == 1
    assert translation_accuracy(other.astype(np.float32), one.astype(np.float32)) == 1


def test_noise_translates_at_chance():
    scores = [
        translation_accuracy(vectors(400, seed=2 * i), vectors(400, seed=2 * i + 1))
        for i in range(50)
    ]
    # The offset is estimated on other pairs than those that it is used on: no leak.
    assert np.mean(scores) == pytest.approx(1 / 400, abs=4 * (1 / 400 / (400 * 50)) ** 0.5)


def test_the_offset_comes_from_the_other_half():
    """With as many dimensions as pairs, an offset of the same pairs would give them away."""
    num = 6
    one, other = np.zeros((num, num)), 3 * np.eye(num)
    # From the zero vector plus the mean of the other half, one's own translation is farthest.
    assert translation_accuracy(one, other) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 30), st.integers(0, 1000), st.floats(0.1, 3))
def test_a_slow_reference_gives_the_same(num, seed, noise):
    one = vectors(num, 5, seed)
    other = one + noise * vectors(num, 5, seed + 1) + 2
    right = 0
    for i in range(num):
        rest = [j for j in range(num) if j % 2 != i % 2]
        offset = np.mean([other[j] - one[j] for j in rest], axis=0)
        distances = [np.linalg.norm(one[i] + offset - candidate) for candidate in other]
        right += int(np.argmin(distances) == i)
    assert translation_accuracy(one, other) == right / num
