"""`biaffine`: the head and the relation of every word, as a tree (Dozat and Manning 2017).

    the words' first word-pieces → `biaffine_scores.py` → the best tree (`spanning_trees.py`)

The loss is that of the heads plus that of the relations to the gold heads. A tree has one root, as
Universal Dependencies ask; relations are those that score best at the heads of the tree.

S = sentences, T = word-pieces, W = words, H = W + 1 heads (0 the root), E = size of the
representation, R = relations.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bbert.finetune.batches import IGNORED, Batch
from bbert.finetune.heads import HeadSettings
from bbert.finetune.heads.biaffine_scores import ArcScores, BiaffineScorer
from bbert.finetune.heads.head import Head
from bbert.finetune.spanning_trees import best_trees


class Biaffine(Head):
    """A parser on the fused representation."""

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        assert settings.arc_size is not None
        assert settings.relation_size is not None
        self.scorer = BiaffineScorer(
            settings.input_size, settings.num_labels, settings.arc_size, settings.relation_size,
            settings.dropout,
        )  # fmt: skip

    def forward(self, fused_BTE: Tensor, batch: Batch) -> ArcScores:
        assert batch.word_index_SW is not None
        device = fused_BTE.device
        # The first word begins behind the special of its sequence, the first of its sentence.
        root_index_S = batch.word_index_SW[:, 0] - 1
        root_SE = fused_BTE.flatten(0, 1).index_select(0, root_index_S)
        num_words_S = torch.tensor(batch.num_words, device=device)
        return self.scorer(batch.words(fused_BTE), root_SE, num_words_S)

    def loss(self, scores: ArcScores, batch: Batch) -> Tensor:
        """Mean cross-entropy of the heads over all words, plus that of their relations."""
        assert batch.heads_SW is not None
        words_SW = batch.heads_SW != IGNORED
        heads = nn.functional.cross_entropy(scores.arcs_SWH[words_SW], batch.heads_SW[words_SW])
        relations_NR = self.scorer.relation_scores(scores, batch.heads_SW, words_SW)
        return heads + nn.functional.cross_entropy(relations_NR, batch.labels[words_SW])

    def decode(self, scores: ArcScores, batch: Batch) -> list[list[tuple[int, int]]]:
        """Head and relation id of every word, a tree with one root a sentence."""
        arcs_SWH = scores.arcs_SWH
        trees = best_trees(arcs_SWH.detach().cpu().numpy(), batch.num_words)
        width = arcs_SWH.shape[1]
        heads_SW = torch.tensor(
            [tree + [IGNORED] * (width - len(tree)) for tree in trees], device=arcs_SWH.device
        )
        relations_NR = self.scorer.relation_scores(scores, heads_SW, heads_SW != IGNORED)
        relations = iter(relations_NR.argmax(dim=-1).tolist())
        return [[(head, next(relations)) for head in tree] for tree in trees]


def build(settings: HeadSettings) -> Biaffine:
    return Biaffine(settings)
