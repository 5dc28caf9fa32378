"""Dependency trees: a word's head and relation as one label, what makes a tree, LAS and UAS.

The label of a word is `"3 nsubj"`: the number of its head in the sentence (from 1; 0 is the root),
a space, the relation. So trees go through files, predictions and scores as tags do.

The scores are those of the CoNLL-2018 shared task on words that are given (the tests compare with
its scorer): all words count, punctuation too, and only the universal part of a relation, "nsubj" of
"nsubj:pass".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bbert.finetune.tasks.task import Labels

ROOT = "root"


def arc_label(head: int, relation: str) -> str:
    """Head and relation as the label of a word."""
    return f"{head} {relation}"


def arc_of(label: str) -> tuple[int, str]:
    """Head and relation of a label."""
    head, _, relation = label.partition(" ")
    return int(head), relation


def universal(relation: str) -> str:
    """A relation without its subtype."""
    return relation.partition(":")[0]


def tree_fault(heads: Sequence[int]) -> tuple[int, str] | None:
    """What keeps `heads` (from 1, 0 the root) from being a tree with one root.

    Returns:
        (index of the word from 0, what is wrong with it), or None for a tree.
    """
    roots = [i for i, head in enumerate(heads) if head == 0]
    for i, head in enumerate(heads):
        if not 0 <= head <= len(heads):
            return i, f"head {head} is no word of the sentence (1 to {len(heads)}, or 0)"
        if head == i + 1:
            return i, "the word is its own head"
    if len(roots) > 1:
        return roots[1], f"a second root (the first is word {roots[0] + 1})"
    state = [0] * len(heads)  # 0 unseen, 1 on the way, 2 leads to the root
    for start in range(len(heads)):
        path = []
        i = start
        while i >= 0 and state[i] == 0:
            state[i] = 1
            path.append(i)
            i = heads[i] - 1
        if i >= 0 and state[i] == 1:
            return i, "the word is part of a cycle"
        for node in path:
            state[node] = 2
    return None


def attachment_scores(gold: Labels, predicted: Labels) -> dict[str, float]:
    """LAS, UAS, and LAS with the subtypes of relations compared too, over all words."""
    num_words = heads_right = labels_right = all_right = 0
    for true, found in zip(gold, predicted, strict=True):
        for a, b in zip(true, found, strict=True):
            (head, relation), (other_head, other) = arc_of(a), arc_of(b)
            num_words += 1
            if head == other_head:
                heads_right += 1
                labels_right += universal(relation) == universal(other)
                all_right += relation == other
    return {
        "las": labels_right / num_words,
        "uas": heads_right / num_words,
        "las_with_subtypes": all_right / num_words,
    }


def chain_floors(gold: Labels) -> dict[str, dict[str, float]]:
    """LAS and UAS of the two trees that need no model.

    Every word hangs on the one before it and the first is the root (left_attachment), or on the one
    after it and the last is the root (right_attachment), with the best constant relation.
    """
    return {"left_attachment": _chain(gold, -1), "right_attachment": _chain(gold, 1)}


def best_chain(gold: Labels) -> float:
    """LAS of the better of the two chains."""
    return max(scores["las"] for scores in chain_floors(gold).values())


def _chain(gold: Labels, step: int) -> dict[str, float]:
    relations: Counter[str] = Counter()
    num_words = roots = roots_with_relation = 0
    for labels in gold:
        end = len(labels) if step > 0 else 1
        num_words += len(labels)
        for word, label in enumerate(labels, start=1):
            head, relation = arc_of(label)
            if word == end:
                roots += head == 0
                roots_with_relation += head == 0 and universal(relation) == ROOT
            elif head == word + step:
                relations[universal(relation)] += 1
    best = max(relations.values(), default=0)
    return {
        "las": (roots_with_relation + best) / num_words,
        "uas": (roots + relations.total()) / num_words,
    }
