"""Predict labels for encoded examples, and score them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bbert.finetune.batches import collate, evaluation_batches
from bbert.finetune.encoding import EncodedExamples
from bbert.finetune.network import FinetunedNetwork
from bbert.finetune.tasks.task import Example
from bbert.finetune.training import autocast

BATCH_SIZE = 64


def predict(
    network: FinetunedNetwork,
    encoded: EncodedExamples,
    examples: Sequence[Example],
    labels: Sequence[str],
    missing_label: str,
    precision: str,
) -> list[list[str]]:
    """The predicted labels of every example, as many as it has gold labels.

    Words that lie beyond the model's length get `missing_label`.
    """
    device = next(network.parameters()).device
    predicted = [[missing_label] * len(example.labels) for example in examples]
    network.eval()
    with torch.inference_mode(), autocast(device, precision):
        for rows in evaluation_batches(encoded.lengths, BATCH_SIZE):
            batch = collate(encoded, rows).to(device)
            decoded = network.head.decode(network(batch), batch)
            for row, label_ids in zip(rows, decoded, strict=True):
                predicted[row][: len(label_ids)] = [labels[i] for i in label_ids]
    return predicted
