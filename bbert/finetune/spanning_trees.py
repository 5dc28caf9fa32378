"""The best dependency tree of a sentence from the scores of all arcs (Chu-Liu/Edmonds).

Structure only: nothing here knows of the model that gave the scores. The best head of every word is
looked up for a whole batch at once; where these heads are a tree already, no tree is better. What
is left is solved sentence by sentence by contracting cycles, O(W²) a cycle.

`single_root` asks for the best among the trees in which one word hangs on the root, which is what
Universal Dependencies call a tree. All arcs from the root are then made so much worse that a tree
with fewer of them always wins, which leaves the order of trees with one root as it was.

The file imports numpy alone: it goes along with an exported parser.

S = sentences, W = words of the longest, H = W + 1 heads (0 the root, then the words).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Heads = npt.NDArray[np.int64]

NO_ARC = -np.inf


def best_trees(
    scores_SWH: Floats, num_words: Sequence[int], single_root: bool = True
) -> list[list[int]]:
    """The heads of the words in the trees with the largest sums of scores.

    Args:
        scores_SWH: of the arc to every word from every head; finite for the words that there are,
            whatever else stands on the diagonal and in the padding.
        num_words: of every sentence, at least 1.
        single_root: whether one word at most may hang on the root.

    Returns:
        the heads of every sentence, from 1, 0 the root.
    """
    numbers = np.asarray(num_words, np.int64)
    scores = _allowed(np.asarray(scores_SWH, np.float64), numbers)
    heads_SW = scores.argmax(axis=2)
    heads_SW[np.arange(heads_SW.shape[1]) >= numbers[:, None]] = 0
    good = _are_trees(heads_SW, numbers, single_root)
    trees: list[list[int]] = []
    for row, number in enumerate(numbers.tolist()):
        if good[row]:
            trees.append(heads_SW[row, :number].tolist())
        else:
            trees.append(best_tree(scores[row, :number, : number + 1], single_root))
    return trees


def best_tree(scores_WH: Floats, single_root: bool = True) -> list[int]:
    """As `best_trees`, for the scores of one sentence, always by contracting cycles."""
    number = len(scores_WH)
    scores = np.full((number + 1, number + 1), NO_ARC)  # of nodes; nothing leads to the root
    scores[1:] = scores_WH
    np.fill_diagonal(scores, NO_ARC)
    if single_root:
        found = scores[1:][np.isfinite(scores[1:])]
        scores[1:, 0] -= number * (found.max() - found.min()) + 1
    return _arborescence(scores)[1:].tolist()


def _allowed(scores: npt.NDArray[np.float64], numbers: Heads) -> npt.NDArray[np.float64]:
    """A copy in which no word is its own head and no padding is one."""
    words = np.arange(scores.shape[1])
    there_SW = words < numbers[:, None]
    there_SH = np.arange(scores.shape[2]) <= numbers[:, None]
    own_WH = words[:, None] + 1 == np.arange(scores.shape[2])
    allowed = there_SW[:, :, None] & there_SH[:, None, :] & ~own_WH
    assert np.isfinite(scores[allowed]).all(), "scores of arcs must be finite"
    return np.where(allowed, scores, NO_ARC)


def _are_trees(heads_SW: Heads, numbers: Heads, single_root: bool) -> npt.NDArray[np.bool_]:
    """Whether every word reaches the root, and one word alone hangs on it where that is asked."""
    num_sentences, width = heads_SW.shape
    above = np.zeros((num_sentences, width + 1), np.int64)  # of nodes; the root is above itself
    above[:, 1:] = heads_SW
    rounds = max(1, int(width).bit_length())
    for _ in range(rounds):  # 1, 2, 4, … steps up
        above = np.take_along_axis(above, above, axis=1)
    good = (above == 0).all(axis=1)
    if single_root:
        good &= (heads_SW == 0).sum(axis=1) - (width - numbers) == 1
    return good


class _Contraction(NamedTuple):
    """A cycle that became one node, called like its first member.

    Attributes:
        members: of the cycle.
        inside: head of every member within the cycle.
        enters: head outside → the member that it would best lead to.
        leaves: word outside → the member that would best be its head.
    """

    members: Heads
    inside: Heads
    enters: Heads
    leaves: Heads


def _arborescence(scores: npt.NDArray[np.float64]) -> Heads:
    """The heads of the best arborescence from node 0; changes `scores` (word, head)."""
    contractions: list[_Contraction] = []
    while True:
        heads = scores.argmax(axis=1)  # of nodes that went into another: 0
        heads[0] = 0
        cycles = _cycles(heads.tolist())
        if not cycles:
            break
        for cycle in cycles:
            contractions.append(_contract(scores, np.array(cycle), heads))
    for members, inside, enters, leaves in reversed(contractions):
        node = members[0]
        outer = heads[node]
        hangs_on_it = heads == node
        heads[hangs_on_it] = leaves[hangs_on_it]
        heads[members] = inside
        heads[enters[outer]] = outer
    return heads


def _contract(scores: npt.NDArray[np.float64], members: Heads, heads: Heads) -> _Contraction:
    """Make one node of a cycle, in place: what leads into it replaces one of its own arcs."""
    inside = heads[members]
    into = scores[members] - scores[members, inside][:, None]
    out = scores[:, members]
    enters, leaves = members[into.argmax(axis=0)], members[out.argmax(axis=1)]
    node, others = members[0], members[1:]
    scores[node], scores[:, node] = into.max(axis=0), out.max(axis=1)
    scores[node, members] = NO_ARC
    scores[others] = NO_ARC
    scores[:, others] = NO_ARC
    return _Contraction(members, inside, enters, leaves)


def _cycles(heads: list[int]) -> list[list[int]]:
    """The cycles among nodes that have one head each; node 0 ends every way."""
    seen = [0] * len(heads)  # number of the walk that came by first
    seen[0] = -1
    cycles = []
    for walk in range(1, len(heads)):
        node = walk
        while not seen[node]:
            seen[node] = walk
            node = heads[node]
        if seen[node] == walk:
            cycle = [node]
            while heads[cycle[-1]] != node:
                cycle.append(heads[cycle[-1]])
            cycles.append(cycle)
    return cycles
