"""The build of torch, the GPUs that it can drive, and bf16.

torch is imported only where its build can drive a GPU: the import takes seconds, and a CPU build
has nothing to ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from bbert.doctor.finding import GIGABYTE, Finding
from bbert.doctor.installed import output_of, version_of
from bbert.processor_precision import has_bf16, vector_units


def torch_and_devices() -> Iterator[Finding]:
    """The torch build, the GPUs it can drive with their memory, and bf16."""
    version, specification = version_of("torch"), find_spec("torch")
    if version is None or specification is None or specification.origin is None:
        yield Finding("torch", "missing", "not installed", "pip install -c constraints.txt -e .")
        return
    cuda = _cuda_of_build(Path(specification.origin).parent)
    problem = _why_torch_cannot_be_loaded() if cuda else None
    if problem is not None:
        yield Finding("torch", "missing", f"{version}, built for CUDA {cuda}: {problem}",
                      "install torch again, a build for this machine's driver "
                      "(pytorch.org/get-started)")  # fmt: skip
        yield _processor_precision()
        return
    yield Finding("torch", "ok", f"{version}, built for {f'CUDA {cuda}' if cuda else 'the CPU'}")
    cards = _graphics_cards()
    if cuda is None:
        if cards:
            yield Finding("GPU", "note", f"{', '.join(cards)}, unused: torch is a CPU build",
                          "install a CUDA build of torch (pytorch.org/get-started)")  # fmt: skip
        else:
            yield Finding("GPU", "note", "none: everything runs on the CPU",
                          "enough for the sample; pretraining at scale needs one")  # fmt: skip
        yield _processor_precision()
        return
    import torch

    if not torch.cuda.is_available():
        shown = f"{', '.join(cards)}; torch sees none of them" if cards else "none is seen"
        yield Finding("GPU", "note", shown,
                      "check the driver with `nvidia-smi`; in a container: --gpus all")  # fmt: skip
        yield _processor_precision()
        return
    names = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        names.append(f"{properties.name} {properties.total_memory / GIGABYTE:.0f} GB")
    yield Finding("GPU", "ok", ", ".join(names))
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    found = f"bf16 in hardware: {'yes' if bf16 else 'no'}"
    yield Finding("precision", "ok" if bf16 else "note", found,
                  "" if bf16 else "bbert pretrain --precision fp32")  # fmt: skip


def _why_torch_cannot_be_loaded() -> str | None:
    """What its import says, in a line; None where it succeeds."""
    try:
        import_module("torch")
    except Exception as error:  # of a library: ImportError, OSError, RuntimeError, …
        said = str(error).strip().splitlines() or [""]
        return f"cannot be loaded ({type(error).__name__}: {said[0]})"
    return None


def _cuda_of_build(package: Path) -> str | None:
    """The CUDA version in torch's own `version.py`, without importing torch."""
    try:
        text = (package / "version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(r"^cuda\b[^=\n]*=\s*'([\d.]+)'", text, re.MULTILINE)
    return match.group(1) if match else None


def _graphics_cards() -> list[str]:
    lines = output_of(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]).splitlines()
    return [line.strip() for line in lines if line.strip()]


def _processor_precision() -> Finding:
    units, bf16 = vector_units(), has_bf16()
    answer = {True: "yes", False: "no", None: "unknown"}[bf16]
    found = f"CPU: {', '.join(units) or 'no wide vector units seen'}; bf16 in hardware"
    return Finding("precision", "ok", f"{found}: {answer}")
