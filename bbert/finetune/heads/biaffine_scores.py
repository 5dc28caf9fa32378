"""Scores of arcs and relations from the representations of words (Dozat and Manning 2017).

Every word has two parts to play, dependent and head, and two questions are asked of every pair,
whether there is an arc and which relation it has: four small layers (linear, leaky ReLU, dropout)
and two biaffine maps. As in Muller et al. 2021 the words come straight from the encoder, without an
LSTM, and the biaffine weights begin as zeros: at first every head is as good as any other.

The root is a head only. It is represented by the first position of the sentence ([CLS]).

Relations are scored for one head a word, the gold one in training and the one of the tree later:
scores of all pairs would be W times as many.

The file imports torch alone: it goes along with an exported parser.

S = sentences, W = words, H = W + 1 heads (0 the root, then the words), E = size of the
representation, A = arc size, L = relation size, R = relations, N = words of all sentences.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

_SLOPE = 0.1  # of the leaky ReLU, for what is below 0
NO_ARC = float("-inf")


class ArcScores(NamedTuple):
    """What is known of a batch before its heads are chosen.

    Attributes:
        arcs_SWH: scores of every head of every word, −inf for the word itself and for padding.
        dependents_SWL, heads_SHL: the words in their two parts, for `relation_scores`.
    """

    arcs_SWH: Tensor
    dependents_SWL: Tensor
    heads_SHL: Tensor


class BiaffineScorer(nn.Module):
    """Scores of arcs, and of the relations of chosen arcs."""

    def __init__(
        self, input_size: int, num_relations: int, arc_size: int, relation_size: int, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.arc_dependent = _layer(input_size, arc_size, dropout)
        self.arc_head = _layer(input_size, arc_size, dropout)
        self.relation_dependent = _layer(input_size, relation_size, dropout)
        self.relation_head = _layer(input_size, relation_size, dropout)
        # A constant beside the dependent lets an arc be scored by its head alone, one beside both a
        # relation by either and by none. A constant beside the head would add the same to all arcs
        # of a word.
        self.arc_map = nn.Linear(arc_size + 1, arc_size, bias=False)
        self.relation_map = nn.Linear(
            relation_size + 1, num_relations * (relation_size + 1), bias=False
        )
        nn.init.zeros_(self.arc_map.weight)
        nn.init.zeros_(self.relation_map.weight)

    def forward(self, words_SWE: Tensor, root_SE: Tensor, num_words_S: Tensor) -> ArcScores:
        """Scores of all arcs."""
        nodes_SHE = self.dropout(torch.cat([root_SE[:, None], words_SWE], dim=1))
        inner_SWE = nodes_SHE[:, 1:]
        dependents_SWA = self.arc_map(_with_one(self.arc_dependent(inner_SWE)))
        arcs_SWH = dependents_SWA @ self.arc_head(nodes_SHE).transpose(1, 2)
        place_H = torch.arange(nodes_SHE.shape[1], device=nodes_SHE.device)
        own_WH = place_H[1:, None] == place_H
        padding_SH = place_H > num_words_S[:, None]
        arcs_SWH = arcs_SWH.float().masked_fill(own_WH | padding_SH[:, None], NO_ARC)
        return ArcScores(
            arcs_SWH, self.relation_dependent(inner_SWE), self.relation_head(nodes_SHE)
        )

    def relation_scores(self, scores: ArcScores, heads_SW: Tensor, chosen_SW: Tensor) -> Tensor:
        """Scores of the relations of the chosen words to the heads that they are given.

        Args:
            scores: what `forward` gave.
            heads_SW: the head of every word, from 1, 0 the root; anything for words not chosen.
            chosen_SW: which words are asked for, e.g. all that are no padding.

        Returns:
            (N, R), the chosen words sentence by sentence.
        """
        sentence_N, word_N = chosen_SW.nonzero(as_tuple=True)
        dependents_NL = scores.dependents_SWL[sentence_N, word_N]
        heads_NL = scores.heads_SHL[sentence_N, heads_SW[sentence_N, word_N]]
        heads_NL = _with_one(heads_NL)
        mapped_NRL = self.relation_map(_with_one(dependents_NL)).unflatten(
            1, (-1, heads_NL.shape[1])
        )
        return (mapped_NRL @ heads_NL[:, :, None]).squeeze(2).float()


def _layer(input_size: int, output_size: int, dropout: float) -> nn.Sequential:
    linear = nn.Linear(input_size, output_size)
    nn.init.orthogonal_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(linear, nn.LeakyReLU(_SLOPE), _SharedDropout(dropout))


class _SharedDropout(nn.Module):
    """Dropout that takes the same features from all words of a sentence."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, words_SWA: Tensor) -> Tensor:
        mask_S1A = nn.functional.dropout(
            torch.ones_like(words_SWA[:, :1]), self.probability, self.training
        )
        return words_SWA * mask_S1A


def _with_one(features: Tensor) -> Tensor:
    """The features and a constant 1 behind them."""
    return torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)
