"""The best tree: equal to brute force over all trees; one root, batches, ties, cycles."""

from __future__ import annotations

from functools import cache

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.finetune.spanning_trees import best_tree, best_trees
from bbert.finetune.tasks.trees import tree_fault

MOST_WORDS = 6


@cache
def all_trees(number: int, single_root: bool) -> np.ndarray:
    """Every tree over `number` words, as rows of heads; found by trying all heads."""
    heads = np.indices((number + 1,) * number).reshape(number, -1).T
    above = np.concatenate([np.zeros((len(heads), 1), np.int64), heads], axis=1)
    at = above.copy()
    for _ in range(number):
        at = np.take_along_axis(above, at, axis=1)
    good = (at == 0).all(axis=1)
    if single_root:
        good &= (heads == 0).sum(axis=1) == 1
    return heads[good]


def total(scores_WH: np.ndarray, heads) -> float:
    return float(scores_WH[np.arange(len(heads)), heads].sum())


def is_tree(heads: list[int], single_root: bool) -> bool:
    if single_root:
        return tree_fault(heads) is None
    rows = all_trees(len(heads), False)
    return bool((rows == heads).all(axis=1).any())


def test_the_number_of_trees_is_cayleys():
    for number in range(1, MOST_WORDS + 1):
        assert len(all_trees(number, False)) == (number + 1) ** (number - 1)
        assert len(all_trees(number, True)) == number ** (number - 1)


@st.composite
def some_scores(draw) -> list[np.ndarray]:
    """Sentences of up to six words with scores of any size; some with many ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    numbers = draw(st.lists(st.integers(1, MOST_WORDS), min_size=1, max_size=6))
    scale = draw(st.sampled_from([1e-3, 1.0, 50.0]))
    with_ties = draw(st.booleans())
    root = draw(st.sampled_from([-5.0, 0.0, 5.0]))  # none, or all, on the root by themselves
    sentences = []
    for number in numbers:
        scores = rng.normal(size=(number, number + 1))
        scores[:, 0] += root
        sentences.append(np.round(scores) if with_ties else scale * scores)
    return sentences


@settings(deadline=None, max_examples=150)
@given(some_scores(), st.booleans())
def test_equal_to_brute_force_over_all_trees(sentences: list[np.ndarray], single_root: bool):
    numbers = [len(scores) for scores in sentences]
    width = max(numbers) + 1  # a column of padding in every sentence
    padded = np.full((len(sentences), width, width + 1), np.nan)
    for row, scores in enumerate(sentences):
        padded[row, : numbers[row], : numbers[row] + 1] = scores
        np.fill_diagonal(padded[row, :, 1:], 1e9)  # a word is never its own head
    found = best_trees(padded, numbers, single_root)
    for scores, heads in zip(sentences, found, strict=True):
        candidates = all_trees(len(scores), single_root)
        sums = scores[np.arange(len(scores)), candidates].sum(axis=1)
        assert is_tree(heads, single_root)
        assert total(scores, heads) == pytest.approx(sums.max(), abs=1e-9)
        if (sums > sums.max() - 1e-9).sum() == 1:
            assert heads == candidates[sums.argmax()].tolist()
            assert best_tree(scores, single_root) == heads  # with and without the short cut


@settings(deadline=None, max_examples=15)
@given(st.integers(7, 30), st.integers(0, 2**32 - 1))
def test_longer_sentences_as_networkx(number: int, seed: int):
    scores = np.random.default_rng(seed).normal(size=(number, number + 1))
    graph = networkx.DiGraph()
    for word in range(1, number + 1):
        for head in range(number + 1):
            if head != word:
                graph.add_edge(head, word, weight=scores[word - 1, head])
    reference = networkx.maximum_spanning_arborescence(graph)
    expected = [next(iter(reference.predecessors(word))) for word in range(1, number + 1)]
    assert best_tree(scores, single_root=False) == expected
    one_root = best_tree(scores)
    assert tree_fault(one_root) is None
    assert total(scores, one_root) <= total(scores, expected) + 1e-9


def test_best_single_root_is_the_best_over_every_root():
    """On sentences too long for brute force: the best of the trees with each word as the root."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        scores = rng.normal(size=(12, 13))
        sums = []
        for root in range(12):
            forced = scores.copy()
            forced[np.arange(12) != root, 0] = -1e6
            heads = best_tree(forced, single_root=False)
            assert heads.count(0) == 1
            sums.append(total(scores, heads))
        assert total(scores, best_tree(scores)) == pytest.approx(max(sums), abs=1e-9)


def test_equal_scores_still_give_a_tree():
    for number in (1, 2, 9, 200):
        (heads,) = best_trees(np.zeros((1, number, number + 1)), [number])
        assert tree_fault(heads) is None


def test_nested_cycles():
    """Pairs of words want each other, pairs of pairs too, and so on: cycles within cycles."""
    number = 16
    scores = np.zeros((number, number + 1))
    for word in range(number):
        for other in range(number):
            if other != word:
                scores[word, other + 1] = 100 - 10 * (word ^ other).bit_length() - 0.1 * other
    (heads,) = best_trees(scores[None], [number])
    assert tree_fault(heads) is None
    graph = networkx.DiGraph()
    for word in range(1, number + 1):
        for head in range(number + 1):
            if head != word:
                graph.add_edge(head, word, weight=scores[word - 1, head] - 1e4 * (head == 0))
    reference = networkx.maximum_spanning_arborescence(graph)
    weights = networkx.get_edge_attributes(reference, "weight")
    assert total(scores, heads) == pytest.approx(sum(weights.values()) + 1e4)


def test_scores_that_are_no_numbers_are_noticed():
    scores = np.zeros((1, 3, 4))
    scores[0, 1, 1] = np.nan
    with pytest.raises(AssertionError, match="finite"):
        best_trees(scores, [3])
