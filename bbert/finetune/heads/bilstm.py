"""A bidirectional LSTM over sentences of different lengths that is quick on a processor.

The two directions are LSTMs of their own. The backward one reads every sentence reversed within
its own length, so that padding lies behind the words for both and never changes a result. A packed
sequence has the same values and takes another way through torch, at half the speed on a CPU (see
`benchmarks/bilstm_crf.py`).

Imports torch only: the file goes along with an exported model.

S = sentences, W = words, E = input size, H = size of one direction, N = S·W.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class BiLstm(nn.Module):
    """A bidirectional LSTM over padded sentences of any lengths.

    Equal to `nn.LSTM(bidirectional=True)` on packed sequences with the same weights.
    """

    def __init__(self, input_size: int, size: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        sizes = [input_size, *[2 * size] * (num_layers - 1)]
        self.forwards = nn.ModuleList(nn.LSTM(n, size, batch_first=True) for n in sizes)
        self.backwards = nn.ModuleList(nn.LSTM(n, size, batch_first=True) for n in sizes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, words_SWE: Tensor, num_words: Sequence[int]) -> Tensor:
        """Both directions of the last layer side by side (S, W, 2H); undefined on padding."""
        order_N = _reversed_order(num_words, words_SWE.shape[1], words_SWE.device)
        states = words_SWE
        layers = zip(self.forwards, self.backwards, strict=True)
        for number, (onwards, backwards) in enumerate(layers):
            if number:
                states = self.dropout(states)
            left = onwards(states)[0]
            right = backwards(_Reversed.apply(states, order_N))[0]
            states = torch.cat([left, _Reversed.apply(right, order_N)], dim=2)
        return states


class _Reversed(torch.autograd.Function):
    """The words of every sentence from last to first.

    Reversing is its own inverse, and the gradient of reversing is reversing: a plain copy of rows
    where autograd would add them up one by one.
    """

    @staticmethod
    def forward(ctx: Any, states_SWE: Tensor, order_N: Tensor) -> Tensor:
        ctx.save_for_backward(order_N)
        return _rows_in_order(states_SWE, order_N)

    @staticmethod
    def backward(ctx: Any, gradient_SWE: Tensor) -> tuple[Tensor, None]:
        return _rows_in_order(gradient_SWE, ctx.saved_tensors[0]), None


def _rows_in_order(states_SWE: Tensor, order_N: Tensor) -> Tensor:
    return states_SWE.flatten(0, 1).index_select(0, order_N).view_as(states_SWE)


def _reversed_order(num_words: Sequence[int], width: int, device: torch.device) -> Tensor:
    """Which of the N positions stands where when sentences are reversed; padding stays."""
    positions_W = torch.arange(width, device=device)
    num_words_S1 = torch.tensor(num_words, device=device).unsqueeze(1)
    order_SW = torch.where(positions_W < num_words_S1, num_words_S1 - 1 - positions_W, positions_W)
    first_S1 = torch.arange(len(num_words), device=device).unsqueeze(1) * width
    return (order_SW + first_S1).flatten()
