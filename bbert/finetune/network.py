"""The network that is fine-tuned: encoder → fusion → head.

What the pretrained folder does not hold (head, fusion, a missing pooler) is drawn from the seed, so
that two runs with the same seed start alike and two seeds differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bbert.finetune.batches import Batch
from bbert.finetune.encoder import load_encoder
from bbert.finetune.freeze import freeze, is_frozen
from bbert.finetune.fusion import Fusion, FusionSettings, build_fusion
from bbert.finetune.heads import HeadSettings, build_head
from bbert.finetune.heads.head import Head, Scores
from bbert.finetune.layer_sets import ALL
from bbert.finetune.model_folder import ModelFolder
from bbert.finetune.random_init import randomize

POOLER, RANDOM_INIT, NEW_WEIGHTS, DROPOUT, ORDER = range(5)
"""Purposes of random numbers: each has a stream of its own below a seed."""


def stream(seed: int, purpose: int) -> int:
    """The seed of one purpose."""
    return int(np.random.SeedSequence([seed, purpose]).generate_state(1)[0])


@dataclass(frozen=True)
class NetworkSettings:
    """What is built on an encoder."""

    head: str
    num_labels: int
    fusion: str
    fusion_layer: int | None = None
    fusion_gate: str | None = None
    fusion_pool: str | None = None
    random_init: str | None = None
    init: str | None = None
    freeze: str | None = None
    dropout: float | None = None
    arc_size: int | None = None
    relation_size: int | None = None
    lstm_size: int | None = None


class FinetunedNetwork(nn.Module):
    """Encoder, fusion and head in one; gives the head's scores of a batch."""

    def __init__(self, encoder: nn.Module, fusion: Fusion, head: Head) -> None:
        super().__init__()
        self.encoder, self.fusion = encoder, fusion.module
        self.head: Head = head
        self.fusion_layers = fusion.layers
        self.hidden_size: int = vars(encoder)["config"].hidden_size

    def train(self, mode: bool = True) -> FinetunedNetwork:
        """As of every module; an encoder that does not learn runs without dropout."""
        super().train(mode)
        if is_frozen(self.encoder):
            self.encoder.eval()
        return self

    def forward(self, batch: Batch) -> Scores:
        return self.head(self.represent(batch), batch)

    def represent(self, batch: Batch) -> Tensor:
        """The fused representation (B, T, size)."""
        if batch.layers_BTE is not None:
            layers = [layer_BTE.float() for layer_BTE in batch.layers_BTE]
        else:
            states = self.hidden_states(batch)
            layers = [states[layer] for layer in self.fusion_layers]
        return self.fusion(*layers, batch.attention_mask_BT)

    def hidden_states(self, batch: Batch) -> Sequence[Tensor]:
        """The encoder's embeddings and the outputs of all its layers, each (B, T, E)."""
        inputs = {"input_ids": batch.input_ids_BT, "attention_mask": batch.attention_mask_BT}
        if batch.segment_ids_BT is not None:
            inputs["token_type_ids"] = batch.segment_ids_BT
        return self.encoder(**inputs, output_hidden_states=True).hidden_states


def build_network(
    folder: ModelFolder, settings: NetworkSettings, seed: int
) -> tuple[FinetunedNetwork, dict[str, object]]:
    """A network ready to be fine-tuned, and what is worth knowing about its start.

    Raises:
        InputError: the model folder cannot be used; random-init matches nothing.
    """
    encoder, fresh_pooler = load_encoder(folder, stream(seed, POOLER))
    pooler = "of the model" if folder.own.get("nsp", True) else "of the model, untrained: no NSP"
    notes: dict[str, object] = {"pooler": "fresh" if fresh_pooler else pooler}
    if settings.random_init:
        notes["random_init_parameters"] = randomize(
            encoder, settings.random_init, settings.init or "bert", stream(seed, RANDOM_INIT)
        )
        if settings.random_init == ALL:
            notes["pooler"] = "fresh"
    network = assemble(encoder, settings, stream(seed, NEW_WEIGHTS))
    if settings.freeze:
        notes["frozen_parameters"] = freeze(network.encoder, settings.freeze)
    notes["parameters"] = sum(p.numel() for p in network.parameters())
    return network, notes


def assemble(encoder: nn.Module, settings: NetworkSettings, seed: int) -> FinetunedNetwork:
    """Put fusion and head, freshly drawn, on an encoder; its pooler moves to the head."""
    config: Any = encoder.config
    pooler = encoder.pooler
    assert isinstance(pooler, nn.Module)
    encoder.register_module("pooler", None)
    dropout = settings.dropout
    if dropout is None:
        dropout = getattr(config, "classifier_dropout", None)
        dropout = config.hidden_dropout_prob if dropout is None else dropout
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fusion = build_fusion(
            settings.fusion,
            FusionSettings(
                config.hidden_size, config.num_hidden_layers, settings.fusion_layer,
                settings.fusion_gate, settings.fusion_pool,
            ),
        )  # fmt: skip
        head = build_head(
            settings.head,
            HeadSettings(
                config.hidden_size, settings.num_labels, dropout,
                config.initializer_range, pooler, settings.arc_size, settings.relation_size,
                settings.lstm_size,
            ),
        )  # fmt: skip
    return FinetunedNetwork(encoder, fusion, head)
