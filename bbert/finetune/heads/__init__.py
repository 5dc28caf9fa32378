"""Heads: from the fused representation to the scores of a task.

A head is one file with a small `Head` (see `head.py`) and `build(settings) -> Head`, and one line
in `HEADS`. The table holds module names, so that the command line can list the heads without
importing torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from bbert.finetune.heads.head import Head

HEADS = {
    "classifier": "bbert.finetune.heads.classifier",
    "linear": "bbert.finetune.heads.linear",
    "biaffine": "bbert.finetune.heads.biaffine",
    "bilstm-crf": "bbert.finetune.heads.bilstm_crf",
}

LARGEST = {"arc_size": 500, "relation_size": 200}
"""Sizes in a parser by default: that of the representation, and at most these of Muller et al."""


ON_FROZEN = ("bilstm-crf",)
"""Heads whose encoder does not learn: its features are computed once and kept on disk."""


@dataclass(frozen=True)
class HeadSettings:
    """What a head needs to know.

    `pooler` is the encoder's own pooling layer (pretrained or fresh), for heads that read one;
    `arc_size` and `relation_size` are those of a parser, `lstm_size` that of a recurrent tagger.
    """

    input_size: int
    num_labels: int
    dropout: float
    initializer_range: float
    pooler: nn.Module
    arc_size: int | None = None
    relation_size: int | None = None
    lstm_size: int | None = None


def build_head(name: str, settings: HeadSettings) -> Head:
    """The head `name` of the table; new weights N(0, initializer_range), biases 0."""
    return import_module(HEADS[name]).build(settings)
