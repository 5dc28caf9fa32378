"""An encoder fine-tuned by bbert with a fusion of its layers: encoder → fusion → head.

    AutoModelForTokenClassification.from_pretrained(folder, trust_remote_code=True)

B = sequences, T = word-pieces, E = hidden size, C = labels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput, TokenClassifierOutput

from .configuration_bbert_finetuned import BbertFinetunedConfig
from .fusion import build  # type: ignore[reportMissingImports]  # copied beside this file

_FUSION_OPTIONS = ("layer", "gate", "pool")


class _Head(nn.Module):
    """Dropout and the linear layer; before them the pooler, where the task has one label a text."""

    def __init__(self, hidden_size: int, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden_size, num_labels)


class BbertFinetunedModel(PreTrainedModel):
    """Encoder and fusion; the classes below add their heads."""

    config_class = BbertFinetunedConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True
    _keeps_pooler = False

    def __init__(self, config: BbertFinetunedConfig) -> None:
        super().__init__(config)
        network = config.network
        encoder_config: Any = AutoConfig.for_model(**config.encoder)
        encoder = AutoModel.from_config(encoder_config)
        pooler = encoder.pooler
        encoder.register_module("pooler", None)
        self.encoder = encoder
        options = {name: network[f"fusion_{name}"] for name in _FUSION_OPTIONS}
        self.fusion, self.fusion_layers = build(
            network["fusion"],
            hidden_size=encoder_config.hidden_size,
            depth=encoder_config.num_hidden_layers,
            **options,
        )
        dropout = network["dropout"]
        if dropout is None:
            dropout = encoder_config.hidden_dropout_prob
        self.head: Any = self.build_head(encoder_config.hidden_size, dropout)
        if self._keeps_pooler:
            self.head.add_module("pooler", pooler)
        self.post_init()

    def build_head(self, hidden_size: int, dropout: float) -> nn.Module:
        """The task layer, with the names of its weights in the folder."""
        return _Head(hidden_size, self.config.network["num_labels"], dropout)

    def fused(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor | None
    ) -> Tensor:
        """The fused representation (B, T, E)."""
        mask_BT = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        inputs = {"input_ids": input_ids, "attention_mask": mask_BT}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        states = self.encoder(**inputs, output_hidden_states=True).hidden_states
        return self.fusion(*(states[layer] for layer in self.fusion_layers), mask_BT)


class BbertFinetunedForTokenClassification(BbertFinetunedModel):
    """Scores (B, T, C) of every label at every word-piece; bbert reads the first one of a word."""

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        **_: Any,
    ) -> TokenClassifierOutput:
        fused_BTE = self.fused(input_ids, attention_mask, token_type_ids)
        logits_BTC = self.head.linear(self.head.dropout(fused_BTE))
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits_BTC.flatten(0, 1), labels.flatten())
        return TokenClassifierOutput(loss=loss, logits=logits_BTC)


class BbertFinetunedForSequenceClassification(BbertFinetunedModel):
    """Scores (B, C) of every label, from the pooled first position."""

    _keeps_pooler = True

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        pooler = self.head.get_submodule("pooler")
        pooled_BE = pooler(self.fused(input_ids, attention_mask, token_type_ids))
        logits_BC = self.head.linear(self.head.dropout(pooled_BE))
        loss = None if labels is None else nn.functional.cross_entropy(logits_BC, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits_BC)
