"""Overlapping windows over the word-pieces of a sentence that is longer than a model reads.

A window begins at the first piece of a word and is as long as the model allows; the next begins
about half a window later. A word is read in the window where it has the most context on its poorer
side; the ends of the sentence count as enough context. So every word is seen once, with at least
about a quarter of a window on either side where the sentence has it.

P = word-pieces of the sentence, W = words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]

_FRAME = 2  # a window has a special before and one after its pieces


def windows_of(
    starts_W: npt.NDArray[np.int64], num_pieces: int, room: int
) -> tuple[list[tuple[int, int]], Ids]:
    """Cut a sentence into windows, and say where its words are read.

    Args:
        starts_W: first piece of every word, rising from 0.
        num_pieces: P, more than `room`.
        room: word-pieces of a window.

    Returns:
        the (start, end) of every window in the sentence, and for every word the position of its
        first piece in all windows put one after the other, each with its two specials.
    """
    bounds = _bounds(starts_W, num_pieces, room)
    enough = num_pieces + room
    first_of_window = 0
    best_W = np.full(len(starts_W), -1, np.int64)
    positions_W = np.zeros(len(starts_W), np.int64)
    for start, end in bounds:
        inside = (starts_W >= start) & (starts_W < end)
        left = starts_W - start if start else np.full_like(starts_W, enough)
        right = end - 1 - starts_W if end < num_pieces else np.full_like(starts_W, enough)
        context = np.where(inside, np.minimum(left, right), -1)
        better = context > best_W
        best_W[better] = context[better]
        positions_W[better] = first_of_window + 1 + (starts_W - start)[better]
        first_of_window += end - start + _FRAME
    assert (best_W >= 0).all()
    return bounds, positions_W.astype(np.int32)


def _bounds(starts_W: npt.NDArray[np.int64], num_pieces: int, room: int) -> list[tuple[int, int]]:
    bounds = [(0, room)]
    while bounds[-1][1] < num_pieces:
        before = bounds[-1][0]
        target = before + max(1, room // 2)
        at = int(np.searchsorted(starts_W, target, side="right")) - 1
        start = int(starts_W[at])
        if start <= before:  # one word fills half a window: go on with the next word
            if at + 1 == len(starts_W):
                break  # only more pieces of the last word, whose first is read already
            start = int(starts_W[at + 1])
        if start + room > num_pieces:  # the last window is as full as the others
            last = int(np.searchsorted(starts_W, num_pieces - room, side="left"))
            start = min(start, int(starts_W[min(last, len(starts_W) - 1)]))
        bounds.append((start, min(start + room, num_pieces)))
    return bounds
