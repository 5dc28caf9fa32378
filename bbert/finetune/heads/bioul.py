"""BIOUL tags for a tagger whose task speaks IOB2: what they are, what may follow what, conversion.

    O  outside      B-X  begins an entity      I-X  goes on      L-X  ends it      U-X  is one alone

Label ids are those of the task: O, then B and I of every type. Tag ids are O, then B, I, L and U of
every type in the same order. A tag says of an IOB2 label whether the entity goes on after it.

Imports torch only: the file goes along with an exported model.

S = sentences, W = words, C = tags.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

OUTSIDE = 0
_BEGIN, _INSIDE, _LAST, _UNIT = range(4)  # of the four tags of a type
_NO_LABEL = -1


def num_tags(num_labels: int) -> int:
    """How many BIOUL tags there are for the IOB2 labels.

    Raises:
        ValueError: the labels are not O and two for every type.
    """
    if num_labels % 2 == 0 or num_labels < 3:
        raise ValueError(f"{num_labels} labels are not O, and B and I of every type")
    return 1 + 4 * (num_labels // 2)


class BioulTags(nn.Module):
    """Tables between IOB2 label ids and BIOUL tag ids, on the device of the model."""

    def __init__(self, num_labels: int) -> None:
        super().__init__()
        tags = num_tags(num_labels)
        goes_on, ends, inside, label = [OUTSIDE], [OUTSIDE], [_NO_LABEL], [OUTSIDE]
        for first_label, first_tag in zip(range(1, num_labels, 2), range(1, tags, 4), strict=True):
            begin, go_on = first_label, first_label + 1
            goes_on += [first_tag + _BEGIN, first_tag + _INSIDE]
            ends += [first_tag + _UNIT, first_tag + _LAST]
            inside += [go_on, go_on]
            label += [begin, go_on, go_on, begin]
        self.goes_on: Tensor
        self.ends: Tensor
        self.inside: Tensor
        self.register_buffer("goes_on", torch.tensor(goes_on))
        self.register_buffer("ends", torch.tensor(ends))
        self.register_buffer("inside", torch.tensor(inside))
        self.label_of_tag = tuple(label)

    def tags_of(self, labels_SW: Tensor) -> Tensor:
        """The tag ids (S, W) of legal IOB2 label ids; O on padding, where ids are negative."""
        after_SW = nn.functional.pad(labels_SW[:, 1:], (0, 1), value=_NO_LABEL - 1)
        known_SW = labels_SW.clamp(min=OUTSIDE)
        goes_on_SW = self.inside[known_SW] == after_SW
        return torch.where(goes_on_SW, self.goes_on[known_SW], self.ends[known_SW])


def constraints(num_labels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which tags may follow each other (C, C), begin (C) and end (C) a sentence; booleans."""
    tags = num_tags(num_labels)
    starts = torch.zeros(tags, dtype=torch.bool)
    ends = torch.zeros(tags, dtype=torch.bool)
    transitions = torch.zeros(tags, tags, dtype=torch.bool)
    starts[OUTSIDE] = ends[OUTSIDE] = True
    for first in range(1, tags, 4):
        starts[[first + _BEGIN, first + _UNIT]] = True
        ends[[first + _LAST, first + _UNIT]] = True
        for unfinished in (first + _BEGIN, first + _INSIDE):
            transitions[unfinished, [first + _INSIDE, first + _LAST]] = True
    transitions |= ends.unsqueeze(1) & starts.unsqueeze(0)
    return transitions, starts, ends
