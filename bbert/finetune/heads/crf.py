"""A linear-chain conditional random field: log-likelihood of tag sequences, and the best legal one.

The score of a sequence is the sum of its words' scores and of one learned number for every pair of
neighbouring tags. All sentences of a batch walk through their words together. Autograd goes back
through the recursion: a gradient written out by hand (forward-backward marginals) was no quicker.

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

import torch
from torch import Tensor, nn


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
        words_SW = scores_SWC.gather(2, tags_SW.unsqueeze(2)).squeeze(2)
        pairs_SW = self.transitions[tags_SW[:, :-1], tags_SW[:, 1:]]
        score_S = words_SW.masked_fill(~mask_SW, 0).sum(1)
        score_S = score_S + pairs_SW.masked_fill(~mask_SW[:, 1:], 0).sum(1)
        last_S = tags_SW.gather(1, (num_words_S - 1).unsqueeze(1)).squeeze(1)
        score_S = score_S + starts_C[tags_SW[:, 0]] + ends_C[last_S]
        return score_S - self._log_partition(scores_SWC, mask_SW)

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

    def _log_partition(self, scores_SWC: Tensor, mask_SW: Tensor) -> Tensor:
        """Log (S) of the summed exponentials of all sequences' scores."""
        starts_C, ends_C = self._ends(scores_SWC)
        alpha_SC = scores_SWC[:, 0] + starts_C
        for word in range(1, scores_SWC.shape[1]):
            reached_SC = torch.logsumexp(alpha_SC.unsqueeze(2) + self.transitions, dim=1)
            goes_on_S1 = mask_SW[:, word : word + 1]
            alpha_SC = torch.where(goes_on_S1, reached_SC + scores_SWC[:, word], alpha_SC)
        return torch.logsumexp(alpha_SC + ends_C, dim=1)

    def _ends(self, scores_SWC: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the first and the last tag, zeros where none are learned."""
        if self.starts is not None and self.ends is not None:
            return self.starts, self.ends
        zeros_C = scores_SWC.new_zeros(scores_SWC.shape[2])
        return zeros_C, zeros_C


def _mask(scores_SWC: Tensor, num_words_S: Tensor) -> Tensor:
    """True on words, False on padding (S, W)."""
    return torch.arange(scores_SWC.shape[1], device=scores_SWC.device) < num_words_S.unsqueeze(1)
