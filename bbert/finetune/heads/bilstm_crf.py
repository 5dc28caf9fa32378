"""`bilstm-crf`: the tagger of K et al. 2020 for named entities, on an encoder that does not learn.

    dropout → two-layer BiLSTM over the words (dropout between) → dropout → linear → CRF over BIOUL

It reads every word's first word-piece from the fused representation: the paper fuses all layers by
`scalar-mix`, the default here. Labels are IOB2 outside and BIOUL inside; decoding is constrained,
so what is found is always a legal sequence (`crf.py`, `bioul.py`).

Weights begin as PyTorch draws them, those of the transitions Xavier-normal, as in the library that
the paper used. All arithmetic of the head is float32.

S = sentences, W = words, B = sequences, T = word-pieces, E = size of the representation,
H = size of the LSTM in one direction, C = tags.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bbert.finetune.batches import Batch
from bbert.finetune.heads import HeadSettings
from bbert.finetune.heads.bilstm import BiLstm
from bbert.finetune.heads.bioul import BioulTags, constraints, num_tags
from bbert.finetune.heads.crf import LinearChainCrf
from bbert.finetune.heads.head import Head

LSTM_SIZE = 200
"""H of K et al. 2020."""

_NUM_LAYERS = 2


class BiLstmCrf(Head):
    """Scores of every BIOUL tag for every word, and the best legal sequence of them."""

    sums_loss = True

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        size = settings.lstm_size or LSTM_SIZE
        self.dropout = nn.Dropout(settings.dropout)
        self.lstm = BiLstm(settings.input_size, size, _NUM_LAYERS, settings.dropout)
        self.linear = nn.Linear(2 * size, num_tags(settings.num_labels))
        self.tags = BioulTags(settings.num_labels)
        self.crf = LinearChainCrf(*constraints(settings.num_labels))

    def forward(self, fused_BTE: Tensor, batch: Batch) -> Tensor:
        with torch.autocast(fused_BTE.device.type, enabled=False):
            words_SWE = self.dropout(batch.words(fused_BTE).float())
            return self.linear(self.dropout(self.lstm(words_SWE, batch.num_words)))

    def loss(self, scores_SWC: Tensor, batch: Batch) -> Tensor:
        """Negative log-likelihood, summed over the sentences of the batch."""
        num_words_S = torch.tensor(batch.num_words, device=scores_SWC.device)
        with torch.autocast(scores_SWC.device.type, enabled=False):
            tags_SW = self.tags.tags_of(batch.labels)
            return -self.crf.log_likelihood(scores_SWC, tags_SW, num_words_S).sum()

    def decode(self, scores_SWC: Tensor, batch: Batch) -> list[list[int]]:
        """The IOB2 label of every word that lies within the model's length."""
        label_of = self.tags.label_of_tag
        paths = self.crf.decode(scores_SWC.float(), batch.num_words)
        return [[label_of[tag] for tag in path] for path in paths]


def build(settings: HeadSettings) -> BiLstmCrf:
    return BiLstmCrf(settings)
