"""Predictions of a run, sentence by sentence, as counts from which its score can be computed anew.

They are read back from the exchange files that `bbert finetune` wrote; what they give must be the
score in `results.json`, or nothing is compared.

Shape suffixes: `N` sentences, `K` counts of a sentence.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bbert.errors import InputError
from bbert.finetune.tasks.scores import entities
from bbert.report.records import RunRecord
from bbert.report.significance import Metric, f1_of_counts, share_right

_TOLERANCE = 1e-9

Sentences = list[list[str]]
"""The labels, or the words, of every sentence; of a pair its label, or its two texts."""

_TEXTS = ("sentence1", "sentence2")


def metric_of(results: dict[str, Any]) -> Metric:
    """The function from sums of counts to the metric of a run."""
    return f1_of_counts if results["metric"] == "entity_f1" else share_right


def counts_of(run: RunRecord, language: str, seed: int) -> tuple[npt.NDArray[np.float64], str]:
    """Counts (N, K) of every sentence of a test set, and a digest of its texts and gold labels.

    K is (right, predicted, gold) for entities and (right, all) for everything else.

    Raises:
        InputError: the predictions are gone, damaged, or not those of the score in results.json.
    """
    results = run.content
    written = results.get("predictions") or {}
    if str(seed) not in written:
        raise InputError(f"{run.path}: no predictions of seed {seed}; run its finetune again with "
                         "--force")  # fmt: skip
    folder = run.path / written[str(seed)]
    file = next((f for f in sorted(folder.glob(f"{language}.*")) if f.is_file()), None)
    if file is None:
        raise InputError(f"{folder}: no predictions for {language!r}; run its finetune again")
    if file.suffix == ".tsv":
        texts, gold, predicted = _pairs(file)
    else:
        task = str(results["task"])
        texts, gold = _words(run.path / "predictions" / "gold" / file.name, task)
        texts_predicted, predicted = _words(file, task)
        if texts != texts_predicted:
            raise InputError(f"{file}: other sentences than in predictions/gold/{file.name}")
    of_entities = metric_of(results) is f1_of_counts
    counts_NK = _entity_counts(gold, predicted) if of_entities else _right(gold, predicted)
    found = float(metric_of(results)(counts_NK.sum(axis=0)))
    entry = results["languages"][language]
    written = entry["values"][entry.get("seeds", results["seeds"]).index(seed)]
    if abs(found - written) > _TOLERANCE:
        raise InputError(
            f"{file} gives {results['metric']} {found:.6f}, results.json says {written:.6f}; "
            "run its finetune again with --force"
        )
    return counts_NK, hashlib.sha256(repr((texts, gold)).encode()).hexdigest()


def _right(gold: Sentences, predicted: Sentences) -> npt.NDArray[np.float64]:
    return np.array(
        [
            (sum(a == b for a, b in zip(g, p, strict=True)), len(g))
            for g, p in zip(gold, predicted, strict=True)
        ],
        np.float64,
    )


def _entity_counts(gold: Sentences, predicted: Sentences) -> npt.NDArray[np.float64]:
    def counts() -> Iterator[tuple[int, int, int]]:
        for g, p in zip(gold, predicted, strict=True):
            true, found = set(entities(g)), set(entities(p))
            yield len(true & found), len(found), len(true)

    return np.array(list(counts()), np.float64)


def _pairs(file: Path) -> tuple[Sentences, Sentences, Sentences]:
    """Texts, gold labels and predicted labels."""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    for column in (*_TEXTS, "gold_label", "predicted_label"):
        if rows and column not in rows[0]:
            raise InputError(f"{file}:1: no column {column}; run its finetune again")
    texts = [[row[column] for column in _TEXTS] for row in rows]
    return texts, [[row["gold_label"]] for row in rows], [[row["predicted_label"]] for row in rows]


def _words(file: Path, task: str) -> tuple[Sentences, Sentences]:
    """Words and labels."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; run its finetune again")
    form = 1 if file.suffix == ".conllu" else 0
    words: Sentences = []
    labels: Sentences = []
    for block in file.read_text(encoding="utf-8").strip("\n").split("\n\n"):
        lines = [line.split("\t") for line in block.split("\n") if not _is_comment(line)]
        if file.suffix == ".conllu":
            lines = [columns for columns in lines if columns[0].isdigit()]
        words.append([columns[form] for columns in lines])
        labels.append([_label(columns, file, task) for columns in lines])
    return words, labels


def _is_comment(line: str) -> bool:
    return line.startswith("#") and "\t" not in line


def _label(columns: Sequence[str], file: Path, task: str) -> str:
    if file.suffix != ".conllu":
        return columns[-1]
    if task == "parsing":  # head and universal relation, as the official scorer compares them
        return f"{columns[6]} {columns[7].partition(':')[0]}"
    return columns[3]
