"""When and how torch.compile is used.

Shapes are static: the few that occur (a smaller last micro-batch, the validation's) get code of
their own. With graphs the kernels of a step are recorded once and replayed together (CUDA graphs,
torch's mode "reduce-overhead"), which pays where a step is so short that the host cannot launch its
kernels as fast as the GPU runs them.
"""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bbert.pretrain.engine import EngineSettings

logger = logging.getLogger(__name__)

_MIN_STEPS_WORTH_COMPILING = 1000
_COMPILERS = {"cpu": ("g++", "clang++"), "cuda": ("cc", "gcc", "clang")}  # as torch looks for them


def wants_compiling(settings: EngineSettings) -> bool:
    """Whether torch.compile is asked for or pays, and can run here."""
    if settings.compile == "off":
        return False
    pays = settings.device == "cuda" and settings.steps >= _MIN_STEPS_WORTH_COMPILING
    if settings.compile == "auto" and not pays:
        return False
    if not any(shutil.which(name) for name in _COMPILERS[settings.device]):
        logger.warning(
            "no %s here: going on without torch.compile", " or ".join(_COMPILERS[settings.device])
        )
        return False
    return True


def wants_graphs(settings: EngineSettings) -> bool:
    """Whether CUDA graphs are asked for and possible.

    A graph's gradients lie in its own memory, which the next replay overwrites: they cannot wait
    for a second micro-batch, nor be shared out by ZeRO during the backward pass.
    """
    if settings.compile != "graphs":
        return False
    if settings.micro_batches > 1 or settings.zero_stage:
        logger.warning(
            "--compile graphs needs steps of one micro-batch and --zero-stage 0: "
            "going on with torch.compile alone"
        )
        return False
    return True


def compile_options(graphs: bool) -> dict[str, Any]:
    """Arguments of torch.compile."""
    return {"dynamic": False} | ({"mode": "reduce-overhead"} if graphs else {})
