"""Nearest neighbours: equal to scipy and scikit-learn, to the live curves, to their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from bbert.errors import InputError
from bbert.pretrain.nearest_neighbours import translation_accuracy
from bbert.probe import nearest as module
from bbert.probe.nearest import DISTANCES, OFFSETS, nearest, translated


def pairs(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 12))
    return x, x + noise * rng.normal(size=(n, 12)) + 7.0


@pytest.mark.parametrize("noise", [0.3, 1.0])
@pytest.mark.parametrize("block", [7, 1024])
def test_l2_and_cosine_are_those_of_scikit_learn(noise: float, block: int, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_ROWS", block)
    x, y = pairs(60, noise)
    for distance, metric in (("l2", "euclidean"), ("cosine", "cosine")):
        reference = NearestNeighbors(n_neighbors=1, metric=metric, algorithm="brute").fit(y)
        expected = reference.kneighbors(x, return_distance=False)[:, 0]
        assert (nearest(x, y, distance) == expected).all()


def test_csls_is_its_definition():
    x, y = pairs(50, 1.0)
    cosines = 1 - cdist(x, y, "cosine")
    k = module.CSLS_NEIGHBOURS
    of_x = np.sort(cosines, axis=1)[:, -k:].mean(axis=1)
    of_y = np.sort(cosines, axis=0)[-k:].mean(axis=0)
    expected = (2 * cosines - of_x[:, None] - of_y).argmax(axis=1)
    assert (nearest(x, y, "csls") == expected).all()
    assert (expected != cosines.argmax(axis=1)).any()  # a hub has lost


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0, 3.0])
def test_l2_with_a_held_out_offset_is_the_live_curve(noise: float):
    x, y = pairs(81, noise)
    assert translated(x, y).mean() == pytest.approx(translation_accuracy(x, y))


def test_the_offset_of_the_same_pairs_is_the_papers():
    x, y = pairs(40, 1.0)
    moved = x + np.mean([b - a for a, b in zip(x, y, strict=True)], axis=0)
    expected = [int(((y - v) ** 2).sum(axis=1).argmin()) == i for i, v in enumerate(moved)]
    assert translated(x, y, "l2", "same").tolist() == expected


@pytest.mark.parametrize("distance", DISTANCES)
def test_identical_vectors_translate_into_themselves(distance: str):
    x, _ = pairs(30, 0)
    for offset in OFFSETS:
        assert translated(x, x, distance, offset).all()


@pytest.mark.parametrize("distance", ["l2", "cosine"])
def test_a_moved_copy_needs_the_offset(distance: str):
    x, y = pairs(200, 0.1)
    assert translated(x, y, distance, "heldout").mean() > 0.95
    if distance == "l2":
        assert translated(x, y, distance, "none").mean() < 0.5


@pytest.mark.parametrize("distance", DISTANCES)
def test_noise_is_at_chance_with_a_held_out_offset(distance: str):
    rng = np.random.default_rng(0)
    hits = [translated(*rng.normal(size=(2, 40, 8)), distance).mean() for _ in range(50)]
    assert np.mean(hits) == pytest.approx(1 / 40, abs=0.012)


def test_any_of_several_translations_is_right():
    x = np.eye(3)
    candidates = np.array([[1, 0, 0.1], [0, 1, 0], [0, 0, 1], [0.9, 0, 0]])
    gold = [(3, 0), (1,), (1,)]
    assert translated(x, candidates, "l2", "none", gold).tolist() == [True, True, False]


def test_the_common_part_costs_no_precision():
    x, y = pairs(50, 0.05)
    assert translated(x + 1e6, y + 1e6).mean() == translated(x, y).mean()


def test_what_has_no_direction_or_is_no_number_is_refused():
    x, y = pairs(10, 0.1)
    y[4] = 0
    with pytest.raises(InputError, match="1 of 10 vectors are zero"):
        translated(x, y, "cosine", "none")
    x[2, 3] = np.nan
    with pytest.raises(InputError, match="NaN"):
        translated(x, y)
