"""Fusions: how the layers of an encoder become the one representation that a head reads.

A fusion is one file with a `build` and one line in `FUSIONS`. The table holds module names, so that
the command line can list the fusions without importing torch. The files import torch and nothing of
bbert: each goes along with an exported model, which then loads where bbert is not installed.

Those of `WITH_LAYER` read one lower layer beside the last; those of `WITH_GATE` are kinds of DLFA.

`from bbert.finetune.fusion import DLFA` gives the module of Chen et al. 2022.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import nn

    from bbert.finetune.fusion.dlfa import DLFA as DLFA
    from bbert.finetune.fusion.last import LastLayer as LastLayer

FUSIONS = {
    "last": "bbert.finetune.fusion.last",
    "dlfa": "bbert.finetune.fusion.dlfa",
    "dlfa-global": "bbert.finetune.fusion.dlfa",
    "dlfa-local": "bbert.finetune.fusion.dlfa",
    "scalar-mix": "bbert.finetune.fusion.scalar_mix",
    "mean": "bbert.finetune.fusion.mean",
    "concat": "bbert.finetune.fusion.concat",
}
WITH_LAYER = ("dlfa", "dlfa-global", "dlfa-local", "mean", "concat")
WITH_GATE = ("dlfa", "dlfa-global", "dlfa-local")

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

    `module(*layers_BTE, attention_mask_BT)` gives the fused representation, as wide as a layer.
    """

    module: nn.Module
    layers: tuple[int, ...]


def build_fusion(name: str, settings: FusionSettings) -> Fusion:
    """The fusion `name` of the table, with freshly initialised parameters."""
    return Fusion(*import_module(FUSIONS[name]).build(name, **asdict(settings)))


def __getattr__(name: str) -> Any:
    if name in _EXPORTED:
        return getattr(import_module(_EXPORTED[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
