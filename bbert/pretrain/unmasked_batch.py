"""Rows before they are masked: what is cheap to make on the host and enough to mask them anywhere.

Legend of suffixes: B rows, T positions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bbert.pretrain.batch import Batch
from bbert.pretrain.masking import IGNORED, Masking, mask_rows


@dataclass(frozen=True)
class UnmaskedBatch:
    """Rows of one step with nothing masked yet; masking them is a function of these arrays alone.

    Attributes:
        input_ids_BT: int64, as in the text.
        segment_ids_BT, attention_mask_BT, next_sentence_labels_B, language_ids_B, row_keys_B: as in
            `Batch`.
        text_BT: bool, True on word-pieces: neither specials nor padding.
        words_BT: int64; positions of one word, and only those, share a number within their row.
        languages_BT: int64, number of the language of each position.
        mask_keys_B: uint64, random key of each row's masks.
        surplus_B: bool, rows that only fill up the last batch of the held-out text; None where
            there are none.
    """

    input_ids_BT: NDArray[np.int64]
    segment_ids_BT: NDArray[np.int64]
    attention_mask_BT: NDArray[np.bool_] | None
    text_BT: NDArray[np.bool_]
    words_BT: NDArray[np.int64]
    languages_BT: NDArray[np.int64]
    mask_keys_B: NDArray[np.uint64]
    next_sentence_labels_B: NDArray[np.int64] | None
    language_ids_B: NDArray[np.int64]
    row_keys_B: NDArray[np.int64]
    surplus_B: NDArray[np.bool_] | None = None

    def slice(self, start: int, stop: int) -> UnmaskedBatch:
        """Rows `start` to `stop`."""
        arrays = {name: array for name, array in vars(self).items() if array is not None}
        return replace(self, **{name: array[start:stop] for name, array in arrays.items()})

    def masked(self, masking: Masking) -> Batch:
        """The rows as a whole global batch, masked on the host."""
        input_ids_BT = self.input_ids_BT.copy()
        positions_BK, masked_labels_BK = mask_rows(
            input_ids_BT, self.text_BT, self.words_BT, self.languages_BT, self.mask_keys_B, masking
        )
        labels_B = self.next_sentence_labels_B
        if self.surplus_B is not None:  # they count for nothing
            masked_labels_BK[self.surplus_B] = IGNORED
            if labels_B is not None:
                labels_B = np.where(self.surplus_B, IGNORED, labels_B)
        return Batch(
            input_ids_BT=input_ids_BT,
            segment_ids_BT=self.segment_ids_BT,
            attention_mask_BT=self.attention_mask_BT,
            masked_positions_BK=positions_BK,
            masked_labels_BK=masked_labels_BK,
            masked_languages_BK=np.take_along_axis(self.languages_BT, positions_BK, axis=1),
            next_sentence_labels_B=labels_B,
            language_ids_B=self.language_ids_B,
            row_keys_B=self.row_keys_B,
        ).recounted()
