"""From what a head decodes to labels: ids, and heads with relations."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import encode_examples
from bbert.finetune.evaluation import predict
from bbert.finetune.model_folder import find_model
from bbert.finetune.tasks.parsing import TASK as PARSING
from bbert.finetune.tasks.task import Sentence
from bbert.languages import Language


class GoldTrees(nn.Module):
    """In place of a parser: it finds the gold arcs, and checks the batch."""

    def decode(self, scores, batch):
        assert batch.heads_SW is not None
        assert batch.heads_SW.shape == batch.labels.shape
        pairs = zip(batch.heads_SW.tolist(), batch.labels.tolist(), batch.num_words, strict=True)
        return [list(zip(h[:n], r[:n], strict=True)) for h, r, n in pairs]


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.head = GoldTrees()

    def forward(self, batch):
        return batch


def test_trees_go_through_batches_and_back_to_labels(bert: Path):
    examples = [
        Sentence(("Anna", "left", "."), ("2 nsubj", "0 root", "2 punct"), Path("x"), 1),
        Sentence(("left",), ("0 root",), Path("x"), 5),
        # Longer than the model reads: its words come from several windows.
        Sentence(("left",) * 100, ("0 root", *(f"{i} dep" for i in range(1, 100))), Path("x"), 7),
    ]
    relations = PARSING.label_set(examples)
    assert relations == ("dep", "nsubj", "punct", "root")
    pieces = PieceIds(find_model(Path("none"), str(bert)))
    encoded = encode_examples(examples, Language.parse("en"), pieces, relations, 64, arcs=True)
    assert list(encoded.windows) == [2]
    found = predict(Network(), encoded, examples, relations, PARSING.missing_label, "fp32")
    assert [tuple(labels) for labels in found] == [e.labels for e in examples]
    assert PARSING.score([e.labels for e in examples], found)["las"] == 1
