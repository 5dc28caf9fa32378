"""Masks drawn on the device that trains: the same masks as `masking` draws on the host, to the bit.

torch has no unsigned 64-bit arithmetic on a GPU, so the random numbers of `counter_random` are made
with signed integers: sums and products wrap alike, shifts to the right are made logical.

Legend of suffixes: B rows, T positions, K slots for predictions, L languages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bbert.pretrain.masking import (
    BORDER,
    CORRUPTION,
    IGNORED,
    MASK_SHARE,
    ORDER,
    POSITION_BITS,
    RANDOM_SHARE,
    REPLACEMENT,
    ROUNDING,
    Masking,
)

_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
_FIRST, _SECOND = 0xBF58476D1CE4E5B9 - (1 << 64), 0x94D049BB133111EB - (1 << 64)
_RANK_BITS = 63 - POSITION_BITS


@dataclass(frozen=True)
class DeviceMasking:
    """A `Masking` whose tables are on a device."""

    masking: Masking
    replacement_ids: Tensor | None
    begin_L: Tensor
    count_L: Tensor

    @classmethod
    def on(cls, device: str, masking: Masking) -> DeviceMasking:
        """Copy the tables to `device`."""
        tables = masking.replacement_ids_L
        shared = all(ids is tables[0] for ids in tables)
        count_L = np.array([len(ids) for ids in tables], dtype=np.int64)
        begin_L = np.zeros_like(count_L) if shared else np.cumsum(count_L) - count_L
        ids = tables[:1] if shared else tables
        return cls(
            masking,
            torch.from_numpy(np.concatenate(ids)).to(device) if tables else None,
            torch.from_numpy(begin_L).to(device),
            torch.from_numpy(count_L).to(device),
        )

    def mask_rows(
        self, input_ids_BT: Tensor, text_BT: Tensor, words_BT: Tensor, languages_BT: Tensor,
        key_B: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        """Choose the positions to predict and overwrite them; nothing waits for the device.

        Args:
            input_ids_BT: int64, the rows; left as they are.
            text_BT, words_BT, languages_BT: as `masking.mask_rows` takes them; int64, text bool.
            key_B: int64, the bits of the rows' random keys.

        Returns:
            input_ids_BT with masks, masked_positions_BK, masked_labels_BK and masked_languages_BK,
            all int64, as in `Batch`.
        """
        position_BK, used_BK = self._choose(text_BT, words_BT, key_B)
        original_BK = input_ids_BT.gather(1, position_BK)
        language_BK = languages_BT.gather(1, position_BK)
        corrupted_BK = self._corrupt(original_BK, language_BK, key_B)
        # Slots that are left over name position 0, which is never predicted: write nothing there.
        shown_BK = torch.where(used_BK, corrupted_BK, original_BK)
        masked_BT = input_ids_BT.scatter(1, position_BK, shown_BK)
        return masked_BT, position_BK, torch.where(used_BK, original_BK, IGNORED), language_BK

    def _choose(self, text_BT: Tensor, words_BT: Tensor, key_B: Tensor) -> tuple[Tensor, Tensor]:
        num_positions, num_slots = text_BT.shape[1], self.masking.num_slots
        position_T = torch.arange(num_positions, device=text_BT.device)
        word_BT = words_BT if self.masking.whole_words else position_T.expand_as(words_BT)
        rank_BT = _shifted(_draw(_draw(key_B, ORDER)[:, None], word_BT), 64 - _RANK_BITS)
        # Positions without text come last; the middle of the ranks becomes 0, to fit the sign.
        rank_BT = torch.where(text_BT, rank_BT, 1 << _RANK_BITS) - (1 << (_RANK_BITS - 1))
        rank_BT = ((rank_BT << POSITION_BITS) | position_T).sort(dim=1).values
        word_rank_BT = rank_BT >> POSITION_BITS

        wanted_B = self.masking.probability * text_BT.sum(dim=1).double()
        wanted_B = (wanted_B + _uniform(key_B, ROUNDING)).long()
        border_B1 = word_rank_BT.gather(1, (wanted_B - 1).clamp(min=0)[:, None])
        without_B = (word_rank_BT < border_B1).sum(dim=1)
        with_B = (word_rank_BT <= border_B1).sum(dim=1)
        whole_B = _uniform(key_B, BORDER) * (with_B - without_B) < wanted_B - without_B
        whole_B &= with_B <= num_slots
        count_B = torch.where(whole_B, with_B, without_B)
        used_BK = torch.arange(num_slots, device=text_BT.device) < count_B[:, None]
        first_BK = rank_BT[:, :num_slots] & ((1 << POSITION_BITS) - 1)
        return torch.where(used_BK, first_BK, 0), used_BK

    def _corrupt(self, original_BK: Tensor, language_BK: Tensor, key_B: Tensor) -> Tensor:
        slot_K = torch.arange(original_BK.shape[1], device=original_BK.device)
        chance_BK = _uniform(_draw(key_B, CORRUPTION)[:, None], slot_K)
        shown_BK = original_BK
        if self.replacement_ids is not None:
            uniform_BK = _uniform(_draw(key_B, REPLACEMENT)[:, None], slot_K)
            choice_BK = (uniform_BK * self.count_L[language_BK]).long()
            random_BK = self.replacement_ids[self.begin_L[language_BK] + choice_BK]
            shown_BK = torch.where(chance_BK < MASK_SHARE + RANDOM_SHARE, random_BK, original_BK)
        return torch.where(chance_BK < MASK_SHARE, self.masking.mask_id, shown_BK)


def _draw(key: Tensor, counter: Tensor | int) -> Tensor:
    """Uniform 64-bit numbers, as signed ones: `counter_random.draw`."""
    steps = counter * _GOLDEN
    if isinstance(steps, int):  # would not wrap around by itself
        steps = (steps + (1 << 63)) % (1 << 64) - (1 << 63)
    state = key + steps
    state = (state ^ _shifted(state, 30)) * _FIRST
    state = (state ^ _shifted(state, 27)) * _SECOND
    return state ^ _shifted(state, 31)


def _uniform(key: Tensor, counter: Tensor | int) -> Tensor:
    """Uniform float64 numbers in [0, 1): `counter_random.uniform`."""
    return _shifted(_draw(key, counter), 11).double() * 2.0**-53


def _shifted(bits: Tensor, places: int) -> Tensor:
    """A logical shift to the right."""
    return (bits >> places) & ((1 << (64 - places)) - 1)
