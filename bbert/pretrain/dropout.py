"""Dropout whose zeros depend on the row, not on who computes it.

The zeros of a row are a hash of the row's key and of the element, so that they stay the same
however a batch is cut into micro-batches or shared out between processes, and a resumed run needs
no generator state. Two elements share one 32-bit hash, 16 bits each, so the probability is a
multiple of 2**-16. Compiled for a GPU, each element makes its own hash, twice the arithmetic, so
that all of it melts into the neighbouring operations and no hash goes through memory. The hash is
the 32-bit finaliser "lowbias32" by C. Wellons.

In bfloat16 the factor 1 / (1 - p) is rounded: at 0.1 what is kept is scaled up 0.16 % too little.
To scale before the zeros are set (`torch.where(keep, input * scale, 0)`) has no such bias, and is
slower on a CPU in both precisions.

Legend of suffixes: B rows, S sites (places in the model where dropout is applied).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_STEP = 0x9E3779B1
_FIRST, _SECOND = 0x7FEB352D, 0x846CA68B
_HALF = 1 << 15


class RowDropout(nn.Module):
    """Sets each element of a row to zero with `probability`, and scales the others up."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self._threshold = round(probability * (1 << 16))
        self._scale = 1 / (1 - self._threshold / (1 << 16))

    @property
    def active(self) -> bool:
        """Whether it does anything: in training, at a probability above 0."""
        return self.training and self._threshold > 0

    def forward(self, input_Bx: Tensor, key_B: Tensor | None) -> Tensor:
        """Apply it.

        Args:
            input_Bx: rows of any shape whose size is even.
            key_B: int32, key of every row at this site; may be None where dropout is not active.
        """
        if not self.active:
            return input_Bx
        assert key_B is not None, "dropout in training needs row_keys_B"
        fused = torch.compiler.is_compiling() and input_Bx.is_cuda
        bits_Bx = (_bits_by_element if fused else _bits)(input_Bx.shape, key_B)
        keep_Bx = bits_Bx >= self._threshold - _HALF
        return input_Bx * (keep_Bx * self._scale).to(input_Bx.dtype)


def site_keys(row_keys_B: Tensor, num_sites: int) -> Tensor:
    """Keys, int32 (S, B), of every site from the rows' keys (int64)."""
    site_S1 = torch.arange(1, num_sites + 1, device=row_keys_B.device)[:, None]
    mixed_SB = row_keys_B + site_S1 * -0x61C8864680B583EB
    mixed_SB = (mixed_SB ^ ((mixed_SB >> 30) & 0x3FFFFFFFF)) * -0x40A7B892E31B1A47
    mixed_SB = (mixed_SB ^ ((mixed_SB >> 27) & 0x1FFFFFFFFF)) * -0x6B2FB644ECCEEE15
    return (mixed_SB >> 32).to(torch.int32)


def _bits(shape: torch.Size, key_B: Tensor) -> Tensor:
    """Uniform int16 numbers of `shape`, rows first."""
    elements = shape[1:].numel()
    counter = torch.arange((elements + 1) // 2, dtype=torch.int32, device=key_B.device)
    bits = _hashed(counter, key_B)
    return bits.view(torch.int16)[:, :elements].reshape(shape)


def _bits_by_element(shape: torch.Size, key_B: Tensor) -> Tensor:
    """The same numbers as int32, without a view that a compiler cannot look through."""
    place = torch.arange(shape[1:].numel(), dtype=torch.int32, device=key_B.device)
    bits = _hashed(place >> 1, key_B)
    return torch.where((place & 1).bool(), bits >> 16, (bits << 16) >> 16).reshape(shape)


def _hashed(counter: Tensor, key_B: Tensor) -> Tensor:
    """int32 hashes, rows first."""
    bits = (counter * _signed(_STEP)) ^ key_B[:, None]
    bits = bits ^ ((bits >> 16) & 0xFFFF)
    bits = bits * _FIRST
    bits = bits ^ ((bits >> 15) & 0x1FFFF)
    bits = bits * _signed(_SECOND)
    bits = bits ^ ((bits >> 16) & 0xFFFF)
    return bits


def _signed(constant: int) -> int:
    """A 32-bit constant as the signed integer that torch multiplies by."""
    return constant - (1 << 32) if constant >= 1 << 31 else constant
