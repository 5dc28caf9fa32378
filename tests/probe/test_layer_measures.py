"""Measures of one layer on constructed vectors: floors, intervals, directions, seeds."""

from __future__ import annotations

import numpy as np
import pytest

from bbert.probe.config import CosineConfig, RetrievalConfig
from bbert.probe.layer_measures import bootstrap_mean, cosine_of_layer, retrieval_of_layer
from bbert.probe.nearest import translated


def vectors(rows: int, seed: int, offset: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 16)) + offset


def test_the_floors_are_those_of_shuffled_pairs():
    """Vectors beside themselves are at 1 in every measure; their floors are not."""
    x = vectors(200, 0)
    found = retrieval_of_layer(x, x, 0, RetrievalConfig(num_shuffles=20))
    assert len(found) == 9
    for value in found.values():
        assert value.value == 1
        assert value.floor == pytest.approx(1 / 200, abs=0.01)
        assert value.floor < value.floor_high < 0.05
    cosine = cosine_of_layer(x, x, 0, CosineConfig())["cosine"]
    assert cosine.value == pytest.approx(1)
    assert cosine.floor == pytest.approx(0, abs=0.03)


def test_centered_cosines_have_the_mean_of_each_language_taken_off():
    x, y = vectors(200, 0, 3.0), vectors(200, 1, -5.0)
    plain = cosine_of_layer(x, y, 0, CosineConfig())["cosine"]
    assert plain.value < -0.8
    x0, y0 = x - x.mean(axis=0), y - y.mean(axis=0)
    norms = np.linalg.norm(x0, axis=1) * np.linalg.norm(y0, axis=1)
    centered = cosine_of_layer(x, y, 0, CosineConfig(variant="centered"))["cosine"]
    assert centered.value == pytest.approx(((x0 * y0).sum(axis=1) / norms).mean())
    assert abs(centered.value) < 0.1


def test_each_direction_is_its_own():
    """A vector that is near to all of the other language is the translation of all of them."""
    x = vectors(60, 0)
    y = x + 0.3 * vectors(60, 1)
    x[1:20] += 3
    found = retrieval_of_layer(x, y, 0, RetrievalConfig(distance=("l2",), offset="none"))
    forth, back = translated(x, y, "l2", "none").mean(), translated(y, x, "l2", "none").mean()
    assert forth != back
    assert found["l2, forth"].value == forth
    assert found["l2, back"].value == back
    assert found["l2, both directions"].value == pytest.approx((forth + back) / 2)


def test_the_interval_of_a_mean_is_that_of_95_percent():
    values = np.random.default_rng(0).normal(size=2000)
    low, high = bootstrap_mean(values, 5000, np.random.default_rng(1))
    half = 1.96 * values.std() / np.sqrt(2000)  # 90 % would be narrower by a sixth
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 15)


def test_shuffles_and_samples_are_drawn_by_the_seed():
    x, y = vectors(80, 0), vectors(80, 0) + 2 * vectors(80, 1)
    for measure, config in ((retrieval_of_layer, RetrievalConfig), (cosine_of_layer, CosineConfig)):
        first, again, other = (measure(x, y, 1, config(seed=seed)) for seed in (3, 3, 4))
        assert first == again
        for name, value in first.items():
            assert value.value == other[name].value
        drawn = [[(v.floor, v.low, v.high) for v in found.values()] for found in (first, other)]
        assert drawn[0] != drawn[1]
        floors = [[v.floor for v in found.values()] for found in (first, other)]
        assert floors[0] != floors[1]
