"""Natural language inference as MultiNLI (training) and XNLI 1.0 (development and test)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bbert.sample.grammar import Grammar
from bbert.sample.inference import Pair

COLUMNS = (
    "language", "gold_label", "sentence1_binary_parse", "sentence2_binary_parse",
    "sentence1_parse", "sentence2_parse", "sentence1", "sentence2", "promptID", "pairID", "genre",
    "label1", "label2", "label3", "label4", "label5", "sentence1_tokenized", "sentence2_tokenized",
    "match",
)  # fmt: skip


def write_training(path: Path, pairs: Iterable[Pair], grammar: Grammar) -> None:
    """Write premise, hypothesis and label; a contradiction is called "contradictory" there."""
    lines = ["premise\thypo\tlabel"]
    for pair in pairs:
        label = "contradictory" if pair.label == "contradiction" else pair.label
        premise, hypothesis = grammar.tell(pair.premise), grammar.tell(pair.hypothesis)
        lines.append(f"{premise.text()}\t{hypothesis.text()}\t{label}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_xnli(path: Path, pairs: list[Pair], grammars: Mapping[str, Grammar]) -> None:
    """Write the same pairs in every language, in XNLI's columns; three pairs share a prompt."""
    lines = ["\t".join(COLUMNS)]
    for language, grammar in grammars.items():
        for number, pair in enumerate(pairs):
            premise, hypothesis = grammar.tell(pair.premise), grammar.tell(pair.hypothesis)
            row: dict[str, str] = dict.fromkeys(COLUMNS, "")
            row |= {
                "language": language,
                "gold_label": pair.label,
                "sentence1": premise.text(),
                "sentence2": hypothesis.text(),
                "promptID": str(number // 3 + 1),
                "pairID": str(number + 1),
                "genre": "sample",
                "label1": pair.label,
                "sentence1_tokenized": " ".join(premise.tokens()),
                "sentence2_tokenized": " ".join(hypothesis.tokens()),
                "match": "True",
            }
            lines.append("\t".join(row.values()))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
