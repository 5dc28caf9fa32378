"""A small treebank whose trees follow from the words; ranges, empty nodes and subtypes in it."""

from __future__ import annotations

import random
from pathlib import Path

from tiny_task_files import NAMES, PLACES, VERBS

Word = tuple[str, int, str]  # form, head, relation


def sentence(rng: random.Random) -> list[Word]:
    """A sentence such as `Anna visited the old Rome .`, or one of a single word."""
    if rng.random() < 0.1:
        return [(rng.choice(NAMES), 0, "root")]
    words: list[tuple[str, str]] = [(rng.choice(NAMES), "nsubj"), (rng.choice(VERBS), "root")]
    if rng.random() < 0.3:
        words.append(("the", "det"))
    if rng.random() < 0.3:
        words.append(("old", "amod"))
    words += [(rng.choice(PLACES), "obj:place"), (".", "punct")]
    heads = {"root": 0, "det": len(words) - 1, "amod": len(words) - 1}
    return [(form, heads.get(relation, 2), relation) for form, relation in words]


def write_treebank(path: Path, number: int, seed: int, relation: str = "obj:place") -> None:
    """Write `number` sentences; `relation` is that of the objects."""
    rng = random.Random(seed)
    blocks = []
    for n in range(number):
        words = sentence(rng)
        lines = [f"# sent_id = {n}", f"# text = {' '.join(form for form, _, _ in words)}"]
        if len(words) > 2:
            lines.append("1-2\tAnnavisited" + "\t_" * 8)
        for identifier, (form, head, name) in enumerate(words, start=1):
            name = relation if name == "obj:place" else name
            lines.append(f"{identifier}\t{form}\t_\tX\t_\t_\t{head}\t{name}\t_\t_")
            if identifier == 2:
                lines.append("2.1\tempty" + "\t_" * 8)
        blocks.append("\n".join(lines) + "\n\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(blocks), encoding="utf-8")
