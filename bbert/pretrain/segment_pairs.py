"""The two segments of every row: contiguous text, or for next-sentence prediction a random second.

With next-sentence prediction, half of the rows get a random second segment: from another document
of any language of the mix (`any`, as released) or of the row's own (`same-language`); where a
language has but one document, from anywhere in it. A share of the rows may be cut short, as
released: at the end of the sentence in which a random length from 2 up to the row's is reached,
whether the second segment is random or not, because how it ends must not tell.

In full rows it does tell, where documents are short: a contiguous second segment ends with its
passage when the row does, a random one hardly ever.

Legend of suffixes: N rows, L languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbert.counter_random import below, uniform
from bbert.pretrain.config import NspNegatives, Packing
from bbert.pretrain.packing import TextStream
from bbert.pretrain.rows import Segments

_ATTEMPTS = 4
_SHORTEST = 2
# Purposes of the random numbers of one row; `packing`, `masking` and `batches` have others.
_NSP, _NSP_LANGUAGE, _SHORT, _SHORT_LENGTH = 21, 22, 24, 25


@dataclass(frozen=True)
class SegmentPairs:
    """Cuts rows into segments.

    Attributes:
        streams: text of each language.
        shares_L: share of the rows, and so of the random segments, of each language.
        row_length: tokens of text in a full row.
        nsp: draw random second segments.
        packing: `full-sentences` leaves the second segment out (length -1).
        short_probability: share of the rows that are cut short.
    """

    streams: Sequence[TextStream]
    shares_L: NDArray[np.float64]
    row_length: int
    nsp: bool
    negatives: NspNegatives
    packing: Packing
    short_probability: float

    def cut(
        self,
        language_N: NDArray[np.int64],
        counter_N: NDArray[np.int64],
        key_N: NDArray[np.uint64],
    ) -> tuple[Segments, Segments, NDArray[np.bool_] | None]:
        """First and second segments, and which second ones are random (None without NSP).

        Args:
            language_N: number of the language of each row.
            counter_N: running number of each row among those of its language.
            key_N: random key of each row.
        """
        short_N = uniform(key_N, _SHORT) < self.short_probability
        target_N = _SHORTEST + below(key_N, _SHORT_LENGTH, self.row_length - _SHORTEST + 1)
        target_N[~short_N] = self.row_length
        first, second, at_sentence_N = self._contiguous(language_N, counter_N, key_N, target_N)
        if not self.nsp:
            return first, second, None
        random_N = uniform(key_N, _NSP) < 0.5
        random = self._with_random(first, second, random_N, key_N, target_N, at_sentence_N)
        return first, random, random_N

    def _contiguous(
        self,
        language_N: NDArray[np.int64],
        counter_N: NDArray[np.int64],
        key_N: NDArray[np.uint64],
        target_N: NDArray[np.int64],
    ) -> tuple[Segments, Segments, NDArray[np.bool_]]:
        """Both segments of contiguous rows, and whether the second begins a sentence."""
        start_N, length_N, first_N = (np.empty_like(counter_N) for _ in range(3))
        at_sentence_N = np.zeros(len(counter_N), dtype=bool)
        for number, stream in enumerate(self.streams):
            here = np.flatnonzero(language_N == number)
            start_N[here], length_N[here] = stream.windows(counter_N[here])
            cut = here[target_N[here] < self.row_length]
            target_end = start_N[cut] + np.minimum(target_N[cut], length_N[cut])
            length_N[cut] = np.minimum(
                length_N[cut], stream.sentence_end(target_end) - start_N[cut]
            )
            if self.packing == "two-segments":
                first_N[here], at_sentence_N[here] = stream.split_points(
                    start_N[here], length_N[here], key_N[here], within_document=self.nsp
                )
        if self.packing == "full-sentences":
            none_N = np.full_like(length_N, -1)
            first = Segments(language_N, start_N, length_N)
            return first, Segments(language_N, start_N + length_N, none_N), at_sentence_N
        first = Segments(language_N, start_N, first_N)
        return first, Segments(language_N, start_N + first_N, length_N - first_N), at_sentence_N

    def _with_random(
        self,
        first: Segments,
        second: Segments,
        random_N: NDArray[np.bool_],
        key_N: NDArray[np.uint64],
        target_N: NDArray[np.int64],
        at_sentence_N: NDArray[np.bool_],
    ) -> Segments:
        """Second segments, in the `random_N` rows of another document and as `target_N` has it."""
        # An empty segment stays empty: that there is none must not tell either.
        room_N = np.where(second.length_N > 0, self.row_length - first.length_N, 0)
        wanted_N = np.minimum(room_N, np.maximum(target_N - first.length_N, 1))
        language_N = first.language_N.copy()
        if self.negatives == "any":
            drawn_N = uniform(key_N, _NSP_LANGUAGE)
            drawn_N = np.searchsorted(np.cumsum(self.shares_L)[:-1], drawn_N, side="right")
            language_N[random_N] = drawn_N[random_N]
        start_N, length_N = second.start_N.copy(), second.length_N.copy()
        for number, stream in enumerate(self.streams):
            here = np.flatnonzero(random_N & (language_N == number))
            for attempt in range(_ATTEMPTS):
                start_N[here], length_N[here] = stream.random_segments(
                    wanted_N[here], key_N[here], attempt, at_sentence_N[here]
                )
                # Once more where both segments are of one document.
                here = here[first.language_N[here] == number]
                own = stream.document_of(second.start_N[here] - 1)
                here = here[own == stream.document_of(start_N[here])]
                if not len(here):
                    break
            cut = np.flatnonzero(random_N & (language_N == number) & (target_N < self.row_length))
            sentence_end_N = stream.sentence_end(start_N[cut] + length_N[cut])
            length_N[cut] = np.minimum(room_N[cut], sentence_end_N - start_N[cut])
        return Segments(language_N, start_N, length_N)
