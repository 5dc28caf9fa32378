"""A batch: the rows of one optimiser step, or some of them, as numpy arrays.

Legend of suffixes: B rows, T positions, K slots for predictions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bbert.pretrain.masking import IGNORED

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Batch:
    """Rows of one step.

    Attributes:
        input_ids_BT: int64, with masks.
        segment_ids_BT: int64, 0 for [CLS] A [SEP] and for padding, 1 for B [SEP].
        attention_mask_BT: bool, False on padding; None where the corpus fills every row.
        masked_positions_BK: int64, positions to predict, 0 in slots that are left over.
        masked_labels_BK: int64, the true ids, `masking.IGNORED` in slots that are left over.
        masked_languages_BK: int64, number of the language of each prediction.
        next_sentence_labels_B: int64, 0 where B follows A, 1 where it is random, `IGNORED` in a
            row that only fills up a batch; None without next-sentence prediction.
        language_ids_B: int64, number of the language of A.
        row_keys_B: int64, seed of the row's dropout at this step.
        num_masked: predictions of the whole global batch, at least 1.
        num_pairs: next-sentence labels of the whole global batch, at least 1.
    """

    input_ids_BT: NDArray[np.int64]
    segment_ids_BT: NDArray[np.int64]
    attention_mask_BT: NDArray[np.bool_] | None
    masked_positions_BK: NDArray[np.int64]
    masked_labels_BK: NDArray[np.int64]
    masked_languages_BK: NDArray[np.int64]
    next_sentence_labels_B: NDArray[np.int64] | None
    language_ids_B: NDArray[np.int64]
    row_keys_B: NDArray[np.int64]
    num_masked: int = 1
    num_pairs: int = 1

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.input_ids_BT)

    @property
    def num_tokens(self) -> int:
        """Positions of these rows that are not padding."""
        if self.attention_mask_BT is None:
            return self.input_ids_BT.size
        return int(self.attention_mask_BT.sum())

    def slice(self, start: int, stop: int) -> Batch:
        """Rows `start` to `stop`; the counts stay those of the whole global batch."""
        arrays = {name: value[start:stop] for name, value in vars(self).items() if _is_array(value)}
        return replace(self, **arrays)

    def recounted(self) -> Batch:
        """The same rows as a whole global batch: the counts are those of these rows."""
        labels_B = self.next_sentence_labels_B
        return replace(
            self,
            num_masked=max(1, int((self.masked_labels_BK != IGNORED).sum())),
            num_pairs=1 if labels_B is None else max(1, int((labels_B != IGNORED).sum())),
        )

    def tensors(self, device: torch.device | str = "cpu") -> dict[str, torch.Tensor | None]:
        """The arguments of `BertForPretraining.forward`, on `device`."""
        import torch

        tensors: dict[str, Any] = {
            name: torch.from_numpy(np.ascontiguousarray(value)) if _is_array(value) else value
            for name, value in vars(self).items()
            if name != "language_ids_B"
        }
        for name in ("num_masked", "num_pairs"):
            tensors[name] = torch.tensor(float(tensors[name]))
        if torch.device(device).type != "cpu":
            tensors = {
                name: value if value is None else value.pin_memory().to(device, non_blocking=True)
                for name, value in tensors.items()
            }
        return tensors


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)
