"""A linear-chain conditional random field: log-likelihood of tag sequences, and the best legal one.

The score of a sequence is the sum of its words' scores and of one learned number for every pair of
neighbouring tags. All sentences of a batch walk through their words together. The gradient of the
partition function is written out (forward-backward marginals) instead of left to autograd: a third
of the operations, which is what counts where sentences have ten words and batches 32 sentences.

Choices
    Training normalises over all sequences, legal or not; decoding gives legal ones only. That is
        how the tagger of K et al. 2020 works (AllenNLP's).
    Scores for the first and the last tag of a sentence are an option; K et al. have none. What may
        stand there is constrained with and without them.
    Illegal transitions are left out of the search (−∞), not made unlikely.

Imports torch only: the file goes along with an exported model.

S = sentences, W = words, C = tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class LinearChainCrf(nn.Module):
    """Transition scores, and the constraints that decoding obeys.

    Args:
        transitions_allowed_CC: whether the tag of the column may follow that of the row.
        starts_allowed_C: whether a sentence may begin with the tag.
        ends_allowed_C: whether a sentence may end with it.
        with_ends: learn scores for the first and the last tag, too.
    """

    def __init__(
        self,
        transitions_allowed_CC: Tensor,
        starts_allowed_C: Tensor,
        ends_allowed_C: Tensor,
        with_ends: bool = False,
    ) -> None:
        super().__init__()
        self.transitions_allowed_CC: Tensor
        self.starts_allowed_C: Tensor
        self.ends_allowed_C: Tensor
        self.register_buffer("transitions_allowed_CC", transitions_allowed_CC)
        self.register_buffer("starts_allowed_C", starts_allowed_C)
        self.register_buffer("ends_allowed_C", ends_allowed_C)
        num_tags = len(starts_allowed_C)
        self.transitions = nn.Parameter(torch.empty(num_tags, num_tags))
        nn.init.xavier_normal_(self.transitions)
        self.starts = self.ends = None
        if with_ends:
            self.starts = nn.Parameter(torch.zeros(num_tags))
            self.ends = nn.Parameter(torch.zeros(num_tags))

    def log_likelihood(self, scores_SWC: Tensor, tags_SW: Tensor, num_words_S: Tensor) -> Tensor:
        """Log-probability (S) of the given tags.

        Args:
            scores_SWC: of every tag for every word, floating.
            tags_SW: tag ids; anything on padding.
            num_words_S: words of every sentence, at least one.
        """
        mask_SW = _mask(scores_SWC, num_words_S)
        tags_SW = tags_SW.masked_fill(~mask_SW, 0)
        starts_C, ends_C = self._ends(scores_SWC)
        partition_S = _LogPartition.apply(scores_SWC, self.transitions, starts_C, ends_C, mask_SW)
        words_SW = scores_SWC.gather(2, tags_SW.unsqueeze(2)).squeeze(2)
        pairs_SW = self.transitions[tags_SW[:, :-1], tags_SW[:, 1:]]
        score_S = words_SW.masked_fill(~mask_SW, 0).sum(1)
        score_S = score_S + pairs_SW.masked_fill(~mask_SW[:, 1:], 0).sum(1)
        last_S = tags_SW.gather(1, (num_words_S - 1).unsqueeze(1)).squeeze(1)
        return score_S + starts_C[tags_SW[:, 0]] + ends_C[last_S] - partition_S

    @torch.no_grad()
    def decode(self, scores_SWC: Tensor, num_words: Sequence[int]) -> list[list[int]]:
        """The best legal tags of every sentence (Viterbi).

        Args:
            scores_SWC: of every tag for every word, floating.
            num_words: words of every sentence, at least one.
        """
        lengths_S = torch.tensor(num_words, device=scores_SWC.device)
        mask_SW = _mask(scores_SWC, lengths_S)
        starts_C, ends_C = self._ends(scores_SWC)
        never = float("-inf")
        transitions_CC = self.transitions.masked_fill(~self.transitions_allowed_CC, never)
        stays_SC = torch.arange(scores_SWC.shape[2], device=scores_SWC.device)
        best_SC = (scores_SWC[:, 0] + starts_C).masked_fill(~self.starts_allowed_C, never)
        before: list[Tensor] = []
        for word in range(1, scores_SWC.shape[1]):
            reached_SC, from_SC = (best_SC.unsqueeze(2) + transitions_CC).max(dim=1)
            goes_on_S1 = mask_SW[:, word : word + 1]
            best_SC = torch.where(goes_on_S1, reached_SC + scores_SWC[:, word], best_SC)
            before.append(torch.where(goes_on_S1, from_SC, stays_SC))
        last_SC = (best_SC + ends_C).masked_fill(~self.ends_allowed_C, never)
        tag_S1 = last_SC.argmax(dim=1, keepdim=True)
        path = [tag_S1]
        for from_SC in reversed(before):
            tag_S1 = from_SC.gather(1, tag_S1)
            path.append(tag_S1)
        tags = torch.cat(path[::-1], dim=1).tolist()
        return [row[:length] for row, length in zip(tags, num_words, strict=True)]

    def _ends(self, scores_SWC: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the first and the last tag, zeros where none are learned."""
        if self.starts is not None and self.ends is not None:
            return self.starts, self.ends
        zeros_C = scores_SWC.new_zeros(scores_SWC.shape[2])
        return zeros_C, zeros_C


def _mask(scores_SWC: Tensor, num_words_S: Tensor) -> Tensor:
    """True on words, False on padding (S, W)."""
    return torch.arange(scores_SWC.shape[1], device=scores_SWC.device) < num_words_S.unsqueeze(1)


class _LogPartition(torch.autograd.Function):
    """Log of the summed exponentials of all sequences' scores, with its gradient written out."""

    @staticmethod
    def forward(
        ctx: Any,
        scores_SWC: Tensor,
        transitions_CC: Tensor,
        starts_C: Tensor,
        ends_C: Tensor,
        mask_SW: Tensor,
    ) -> Tensor:
        alphas = [scores_SWC[:, 0] + starts_C]
        for word in range(1, scores_SWC.shape[1]):
            alpha_SC = torch.logsumexp(alphas[-1].unsqueeze(2) + transitions_CC, dim=1)
            alpha_SC = alpha_SC + scores_SWC[:, word]
            alphas.append(torch.where(mask_SW[:, word : word + 1], alpha_SC, alphas[-1]))
        partition_S = torch.logsumexp(alphas[-1] + ends_C, dim=1)
        alphas_SWC = torch.stack(alphas, dim=1)
        ctx.save_for_backward(scores_SWC, transitions_CC, ends_C, mask_SW, alphas_SWC, partition_S)
        return partition_S

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_S: Tensor) -> tuple[Tensor | None, ...]:
        scores_SWC, transitions_CC, ends_C, mask_SW, alphas_SWC, partition_S = ctx.saved_tensors
        # What comes after a word, its own score left out; on padding it is that of the last word.
        beta_SC = ends_C.expand(scores_SWC.shape[0], -1)
        betas = [beta_SC]
        for word in range(scores_SWC.shape[1] - 1, 0, -1):
            after_SC = (scores_SWC[:, word] + beta_SC).unsqueeze(1)
            before_SC = torch.logsumexp(transitions_CC + after_SC, dim=2)
            beta_SC = torch.where(mask_SW[:, word : word + 1], before_SC, beta_SC)
            betas.append(beta_SC)
        betas_SWC = torch.stack(betas[::-1], dim=1)
        total_S11 = partition_S[:, None, None]
        weight_SW1 = (mask_SW * gradient_S.unsqueeze(1)).unsqueeze(2)
        of_scores_SWC = torch.exp(alphas_SWC + betas_SWC - total_S11) * weight_SW1
        # A pair of neighbours: all before the first tag, the transition, the second tag and after.
        left_SWC = alphas_SWC[:, :-1] - total_S11
        right_SWC = scores_SWC[:, 1:] + betas_SWC[:, 1:]
        pairs_SWCC = torch.exp(left_SWC.unsqueeze(3) + transitions_CC + right_SWC.unsqueeze(2))
        of_transitions_CC = (pairs_SWCC * weight_SW1[:, 1:].unsqueeze(3)).sum((0, 1))
        of_ends_C = (torch.exp(alphas_SWC[:, -1] + ends_C - total_S11[:, 0])
                     * gradient_S.unsqueeze(1)).sum(0)  # fmt: skip
        return of_scores_SWC, of_transitions_CC, of_scores_SWC[:, 0].sum(0), of_ends_C, None
