"""Scores of predicted labels, as shares of 1.

The entity scores equal those of `seqeval` in strict mode (the tests compare them); they are written
out because `seqeval` takes 1.2 s for 10,000 sentences, which many languages, seeds and epochs
multiply; this takes 0.14 s.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from bbert.finetune.tasks.task import Labels

Span = tuple[str, int, int]
"""Type, first word, word after the last."""


def accuracy(gold: Labels, predicted: Labels) -> float:
    """Share of labels that are right, over all words or texts."""
    pairs = [pair for g, p in zip(gold, predicted, strict=True) for pair in zip(g, p, strict=True)]
    return sum(g == p for g, p in pairs) / len(pairs)


def majority_share(gold: Labels) -> float:
    """Accuracy of the best constant predictor: the share of the most frequent label."""
    counts = Counter(chain.from_iterable(gold))
    return max(counts.values()) / counts.total()


def entity_scores(gold: Labels, predicted: Labels) -> dict[str, float]:
    """Micro-averaged precision, recall and F1 of entities in strict IOB2."""
    num_gold = num_predicted = num_right = 0
    for g, p in zip(gold, predicted, strict=True):
        assert len(g) == len(p)
        true, found = set(entities(g)), set(entities(p))
        num_gold += len(true)
        num_predicted += len(found)
        num_right += len(true & found)
    precision = num_right / num_predicted if num_predicted else 0.0
    recall = num_right / num_gold if num_gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if num_right else 0.0
    return {"entity_f1": f1, "precision": precision, "recall": recall}


def constant_entity_f1(gold: Labels) -> float:
    """Entity F1 of the best constant predictor, 0 where `gold` has no entity of one word.

    `B-X` on every word finds the entities of type X that are one word long, and as many as there
    are words; `O` and, in strict IOB2, `I-X` on every word find none.
    """
    spans = [span for labels in gold for span in entities(labels)]
    of_one_word = Counter(kind for kind, start, end in spans if end - start == 1)
    if not of_one_word:
        return 0.0
    return 2 * max(of_one_word.values()) / (sum(map(len, gold)) + len(spans))


def chunk_f1(gold: Labels, predicted: Labels) -> float:
    """What XTREME reports as F1 of part-of-speech tags: `seqeval`'s default on the bare tags.

    XTREME ran a `seqeval` before 1.0, which took the whole of a tag without a hyphen for its type;
    later ones leave its first letter out: CCONJ would be SCONJ. The hyphen makes them agree; and
    the dot, since they take the type "_" (of a word that was cut off) for none.
    """
    from seqeval.metrics import f1_score

    def chunks(labels: Labels) -> list[list[str]]:
        return [[f"{tag[0]}-{tag}." for tag in tags] for tags in labels]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "N-NOUN seems not to be NE tag"
        f1: Any = f1_score(chunks(gold), chunks(predicted))
    return float(f1)


def entities(tags: Sequence[str]) -> Iterator[Span]:
    """Entities of one sentence: `B-X` and every `I-X` right after it; a stray `I-X` is none."""
    start, kind = 0, None
    for position, tag in enumerate([*tags, "O"]):
        if kind is not None and tag != f"I-{kind}":
            yield kind, start, position
            kind = None
        if tag.startswith("B-"):
            start, kind = position, tag[2:]
