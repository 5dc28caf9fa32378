"""An encoder fine-tuned by bbert as a parser: encoder → fusion → scores of arcs → trees.

    model = AutoModel.from_pretrained(folder, trust_remote_code=True)
    trees = model.parse(input_ids, attention_mask, word_starts)

Words are represented by their first word-piece, the root by the first position.

B = sequences, T = word-pieces, W = words, H = W + 1 heads (0 the root, then the words), R =
relations, N = words of all sequences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from .biaffine_scores import (  # type: ignore[reportMissingImports]  # copied beside this file
    ArcScores,
    BiaffineScorer,
)
from .configuration_bbert_finetuned import BbertFinetunedConfig
from .modeling_bbert_finetuned import BbertFinetunedModel
from .spanning_trees import best_trees  # type: ignore[reportMissingImports]  # copied beside this file

_NO_WORD = -1


class _Head(nn.Module):
    def __init__(self, hidden_size: int, network: dict[str, Any], dropout: float) -> None:
        super().__init__()
        self.scorer = BiaffineScorer(
            hidden_size, network["num_labels"], network["arc_size"], network["relation_size"],
            dropout,
        )  # fmt: skip


@dataclass
class ParserOutput(ModelOutput):
    """`logits`: scores (B, W, H) of every head; `relation_logits`: (N, R), at the heads given."""

    logits: Tensor | None = None
    relation_logits: Tensor | None = None


class BbertFinetunedForDependencyParsing(BbertFinetunedModel):
    """A parser; `word_starts` (B, W) has the position of every word's first piece, −1 where a
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
        heads: Tensor | None = None,
        **_: Any,
    ) -> ParserOutput:
        """Scores of all heads; and of the relations to `heads` (B, W), where they are given."""
        if word_starts is None:
            raise ValueError("give word_starts: where every word's first word-piece is")
        scores = self._scores(input_ids, attention_mask, token_type_ids, word_starts)
        relations_NR = None
        if heads is not None:
            there_BW = word_starts != _NO_WORD
            relations_NR = self._scorer.relation_scores(scores, heads, there_BW)
        return ParserOutput(logits=scores.arcs_SWH, relation_logits=relations_NR)

    @torch.inference_mode()
    def parse(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        word_starts: Tensor,
        token_type_ids: Tensor | None = None,
    ) -> list[list[tuple[int, str]]]:
        """Head (from 1, 0 the root) and relation of every word; each sequence a tree."""
        scores = self._scores(input_ids, attention_mask, token_type_ids, word_starts)
        there_BW = word_starts != _NO_WORD
        trees = best_trees(scores.arcs_SWH.cpu().numpy(), there_BW.sum(dim=1).tolist())
        heads_BW = torch.zeros_like(word_starts)
        for row, tree in enumerate(trees):
            heads_BW[row, : len(tree)] = torch.tensor(tree, device=heads_BW.device)
        relations_NR = self._scorer.relation_scores(scores, heads_BW, there_BW)
        relations = iter(relations_NR.argmax(dim=-1).tolist())
        names = {int(number): name for number, name in (self.config.id2label or {}).items()}
        return [[(head, names[next(relations)]) for head in tree] for tree in trees]

    @property
    def _scorer(self) -> BiaffineScorer:
        return self.head.scorer

    def _scores(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        token_type_ids: Tensor | None,
        word_starts: Tensor,
    ) -> ArcScores:
        fused_BTE = self.fused(input_ids, attention_mask, token_type_ids)
        index_BWE = word_starts.clamp(min=0)[:, :, None].expand(-1, -1, fused_BTE.shape[-1])
        num_words_B = (word_starts != _NO_WORD).sum(dim=1)
        return self._scorer(fused_BTE.gather(1, index_BWE), fused_BTE[:, 0], num_words_B)
