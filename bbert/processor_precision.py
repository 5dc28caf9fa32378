"""Which arithmetic the processor has, read without importing torch.

Autocast to bf16 runs on every processor, but where there are no instructions for it oneDNN goes
through fp32 and back: products of 1024 × 1024 on one core of a Zen 3 (AVX2) reach 2.5 GFLOP/s in
bf16 and 60 in fp32.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

logger = logging.getLogger(__name__)

_CPU_INFO = Path("/proc/cpuinfo")
_UNITS = {
    "amx_bf16": "AMX",
    "avx512_bf16": "AVX-512 bf16",
    "avx512f": "AVX-512",
    "avx_ne_convert": "AVX bf16",
    "avx2": "AVX2",
    "bf16": "Arm bf16",
}
_FOR_BF16 = frozenset({"amx_bf16", "avx512_bf16", "avx_ne_convert", "bf16"})


def vector_units(cpu_info: Path = _CPU_INFO) -> list[str]:
    """Names of the vector units that bbert's arithmetic can use; empty where nothing is told."""
    flags = _flags(cpu_info)
    return [name for flag, name in _UNITS.items() if flag in flags]


def has_bf16(cpu_info: Path = _CPU_INFO) -> bool | None:
    """Whether the processor has instructions for bf16; None where the system does not tell."""
    flags = _flags(cpu_info)
    return bool(_FOR_BF16 & flags) if flags else None


def warn_of_slow_bf16(cpu_info: Path = _CPU_INFO) -> None:
    """Say that `--precision bf16` is emulated, if it is."""
    if has_bf16(cpu_info) is False:
        logger.warning(
            "--precision bf16: this processor has no instructions for bf16 and emulates it, many "
            "times slower than fp32; use --precision fp32"
        )


def _flags(cpu_info: Path) -> set[str]:
    try:
        text = cpu_info.read_text()
    except OSError:
        return set()
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return set(found[1].split()) if found else set()
