"""Small task files whose labels follow from the words."""

from __future__ import annotations

import random
from pathlib import Path

NAMES = ["Anna", "Boris", "Carla", "Dmitri"]
PLACES = ["Rome", "Paris", "U.S.", "Delhi"]
VERBS = ["visited", "left", "saw"]
WORDS = [*NAMES, *PLACES, *VERBS, "old", "the", "."]


def ner_sentences(number: int, seed: int) -> list[list[tuple[str, str]]]:
    """Sentences such as `Anna visited old Rome .` whose tags follow from the words."""
    rng = random.Random(seed)
    sentences = []
    for _ in range(number):
        sentence = [(rng.choice(NAMES), "B-PER")]
        if rng.random() < 0.3:
            sentence.append((rng.choice(NAMES), "I-PER"))
        sentence.append((rng.choice(VERBS), "O"))
        if rng.random() < 0.3:
            sentence.append(("the", "O"))
        sentence += [(rng.choice(PLACES), "B-LOC"), (".", "O")]
        sentences.append(sentence)
    return sentences


def write_columns(path: Path, sentences: list[list[tuple[str, str]]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = ("".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences)
    path.write_text("\n".join(blocks) + "\n", encoding="utf-8")
