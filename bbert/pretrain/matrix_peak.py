"""The fastest that this machine multiplies matrices: what a training's speed is compared with.

Measured when a run starts, in its precision and with its threads, because no table knows the
machine at hand, its clock and what else runs on it. On a CPU, a share of this peak near 1 or above
means that the machine was busier during the measurement than afterwards.
"""

from __future__ import annotations

import time

_SIZES = {"cpu": (1024,), "cuda": (4096, 8192)}
_REPEATS = 4
# A processor without bf16 arithmetic is slow at it, and then once is enough. A GPU's first product
# is slow too, but the others are not.
_MOST_SECONDS = 1.0


def matrix_peak(precision: str, device: str) -> float:
    """Floating-point operations a second of the fastest of a few large matrix products.

    Draws no random numbers.

    Args:
        precision: fp32 or bf16.
        device: cpu or cuda.
    """
    import torch

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    best, started = 0.0, time.perf_counter()
    for size in _SIZES[device]:
        matrix = torch.full((size, size), 0.5, dtype=dtype, device=device)
        for _ in range(_REPEATS):
            _wait(device)
            began = time.perf_counter()
            _ = matrix @ matrix
            _wait(device)
            best = max(best, 2 * size**3 / (time.perf_counter() - began))
            if device == "cpu" and time.perf_counter() - started > _MOST_SECONDS:
                return best
    return best


def _wait(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
