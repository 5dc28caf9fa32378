"""Fusions: how the layers of an encoder become the one representation that a head reads.

A fusion is one file with `build(settings) -> Fusion` and one line in `FUSIONS`. The table holds
module names, so that the command line can list the fusions without importing torch.

`from bbert.finetune.fusion import DLFA` gives the module of Chen et al. 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import nn

    from bbert.finetune.fusion.dlfa import DLFA as DLFA
    from bbert.finetune.fusion.last import LastLayer as LastLayer

FUSIONS = {
    "last": "bbert.finetune.fusion.last",
    "dlfa": "bbert.finetune.fusion.dlfa",
}

_EXPORTED = {"DLFA": "bbert.finetune.fusion.dlfa", "LastLayer": "bbert.finetune.fusion.last"}


@dataclass(frozen=True)
class FusionSettings:
    """What a fusion may need to know; `layer`, `gate` and `pool` are None where it has none."""

    hidden_size: int
    depth: int
    layer: int | None = None
    gate: str | None = None
    pool: str | None = None


class Fusion(NamedTuple):
    """A module and the layers it reads, as indices of `hidden_states` (0 = embeddings).

    `module(*layers_BTE, attention_mask_BT)` gives the fused representation, `output_size` wide.
    """

    module: nn.Module
    layers: tuple[int, ...]
    output_size: int


def build_fusion(name: str, settings: FusionSettings) -> Fusion:
    """The fusion `name` of the table, with freshly initialised parameters."""
    return import_module(FUSIONS[name]).build(settings)


def __getattr__(name: str) -> Any:
    if name in _EXPORTED:
        return getattr(import_module(_EXPORTED[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
