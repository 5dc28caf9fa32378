"""An encoder fine-tuned by bbert with a BiLSTM-CRF: encoder → fusion → BiLSTM → CRF → labels.

    model = AutoModel.from_pretrained(folder, trust_remote_code=True)
    labels = model.tag(input_ids, attention_mask, word_starts)

Words are represented by their first word-piece.

B = sequences, T = word-pieces, W = words, C = tags (BIOUL).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import TokenClassifierOutput

from .bilstm import BiLstm  # type: ignore[reportMissingImports]  # copied beside this file
from .bioul import (  # type: ignore[reportMissingImports]  # copied beside this file
    BioulTags,
    constraints,
    num_tags,
)
from .configuration_bbert_finetuned import BbertFinetunedConfig
from .crf import LinearChainCrf  # type: ignore[reportMissingImports]  # copied beside this file
from .modeling_bbert_finetuned import BbertFinetunedModel

_NO_WORD = -1
_NUM_LAYERS, _LSTM_SIZE = 2, 200


class _Head(nn.Module):
    def __init__(self, hidden_size: int, network: dict[str, Any], dropout: float) -> None:
        super().__init__()
        size, num_labels = network["lstm_size"] or _LSTM_SIZE, network["num_labels"]
        self.dropout = nn.Dropout(dropout)
        self.lstm = BiLstm(hidden_size, size, _NUM_LAYERS, dropout)
        self.linear = nn.Linear(2 * size, num_tags(num_labels))
        self.tags = BioulTags(num_labels)
        self.crf = LinearChainCrf(*constraints(num_labels))

    def forward(self, words_BWE: Tensor, num_words: list[int]) -> Tensor:
        return self.linear(self.dropout(self.lstm(self.dropout(words_BWE), num_words)))

    def decode(self, scores_BWC: Tensor, num_words: list[int]) -> list[list[int]]:
        label_of = self.tags.label_of_tag
        return [[label_of[tag] for tag in path] for path in self.crf.decode(scores_BWC, num_words)]


class BbertFinetunedForTagging(BbertFinetunedModel):
    """A tagger; `word_starts` (B, W) has the position of every word's first piece, −1 where a
    sequence has fewer words."""

    config_class = BbertFinetunedConfig

    def build_head(self, hidden_size: int, dropout: float) -> nn.Module:
        return _Head(hidden_size, self.config.network, dropout)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        word_starts: Tensor | None = None,
        **_: Any,
    ) -> TokenClassifierOutput:
        """Scores (B, W, C) of every BIOUL tag before the CRF."""
        if word_starts is None:
            raise ValueError("give word_starts: where every word's first word-piece is")
        fused_BTE = self.fused(input_ids, attention_mask, token_type_ids)
        index_BWE = word_starts.clamp(min=0)[:, :, None].expand(-1, -1, fused_BTE.shape[-1])
        scores_BWC = self.head(fused_BTE.gather(1, index_BWE), _num_words(word_starts))
        return TokenClassifierOutput(logits=scores_BWC)

    @torch.inference_mode()
    def tag(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        word_starts: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> list[list[str]]:
        """The label of every word in the task's own scheme, IOB2."""
        scores_BWC = self(input_ids, attention_mask, token_type_ids, word_starts).logits
        assert word_starts is not None
        names = {int(number): name for number, name in (self.config.id2label or {}).items()}
        head = self.head
        assert isinstance(head, _Head)
        found = head.decode(scores_BWC, _num_words(word_starts))
        return [[names[label] for label in row] for row in found]


def _num_words(word_starts: Tensor) -> list[int]:
    return (word_starts != _NO_WORD).sum(dim=1).tolist()
