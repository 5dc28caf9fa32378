"""Predict labels for encoded examples, and score them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bbert.finetune.batches import evaluation_batches
from bbert.finetune.encoding import EncodedExamples
from bbert.finetune.heads.head import Decoded
from bbert.finetune.network import FinetunedNetwork
from bbert.finetune.tasks.task import Example
from bbert.finetune.tasks.trees import arc_label
from bbert.finetune.training import autocast

BATCH_SIZE = 64


def predict(
    network: FinetunedNetwork,
    encoded: EncodedExamples,
    examples: Sequence[Example],
    labels: Sequence[str],
    missing_label: str,
    precision: str,
    too_long: str = "window",
) -> list[list[str]]:
    """The predicted labels of every example, as many as it has gold labels.

    A word that the model saw nothing of gets `missing_label`; so does a pair that was cut, where
    `too_long` is "wrong".
    """
    device = next(network.parameters()).device
    predicted = [[missing_label] * len(example.labels) for example in examples]
    of_pairs = encoded.word_positions is None
    network.eval()
    with torch.inference_mode(), autocast(device, precision):
        for rows in evaluation_batches(encoded.lengths, BATCH_SIZE, encoded.num_windows):
            batch = encoded.batch(rows).to(device)
            decoded = network.head.decode(network(batch), batch)
            for row, found in zip(rows.tolist(), decoded, strict=True):
                if of_pairs and too_long == "wrong" and row in encoded.cut:
                    continue
                predicted[row][: len(found)] = [_label(item, labels) for item in found]
    return predicted


def _label(decoded: Decoded, labels: Sequence[str]) -> str:
    """A label id as its label; head and relation id as the label of a word in a tree."""
    if isinstance(decoded, tuple):
        head, relation = decoded
        return arc_label(head, labels[relation])
    return labels[decoded]
