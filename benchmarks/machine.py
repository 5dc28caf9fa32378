"""What a benchmark says of the machine it runs on, and how it waits for its device."""

from __future__ import annotations

import platform
from pathlib import Path


def wait(device: str) -> None:
    """Until a GPU has done all that it was given; nothing on a processor."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def processor_name() -> str:
    """The model that the system names, such as "AMD EPYC"."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
