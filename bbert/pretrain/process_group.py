"""The processes of one run: which of them this is, and how they speak with each other.

Under `torchrun` and the `deepspeed` launcher the environment says who is who (RANK, WORLD_SIZE,
LOCAL_RANK, MASTER_ADDR, MASTER_PORT); workers that bbert starts itself meet through a file. A
process on its own needs neither: its store lives in memory, so that no port can be taken.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bbert.errors import InputError

_GPU_DEVICE_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


@dataclass(frozen=True)
class ProcessGroup:
    """This process's place among `size` processes; rank 0 leads: it alone writes."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def broadcast(self, value: Any = None) -> Any:
        """What the leading process says, in every process; waits for it."""
        if self.size == 1:
            return value
        import torch
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    def largest(self, numbers: list[float]) -> list[float]:
        """The largest of each number over all processes; a host-side exchange, no GPU waits."""
        if self.size == 1:
            return numbers
        import torch
        import torch.distributed as dist

        tensor = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
        return tensor.tolist()


def launched_group() -> ProcessGroup | None:
    """The group that a launcher put this process into, or None for a process started by hand."""
    try:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local_rank = int(os.environ.get("LOCAL_RANK", rank))
    except KeyError:
        return None
    except ValueError as error:
        raise InputError(f"RANK, WORLD_SIZE and LOCAL_RANK must be numbers: {error}") from None
    return ProcessGroup(rank, size, local_rank)


def count_gpus() -> int:
    """GPUs that torch can use; torch is not imported where there is no GPU driver."""
    if not any(Path(file).exists() for file in _GPU_DEVICE_FILES):
        return 0
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # leaves the GPU untouched
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def connect(group: ProcessGroup, device: str, rendezvous: str | None = None) -> None:
    """Join `group` and start DeepSpeed on it; in a process that has joined, does nothing.

    Args:
        device: "cpu" (gloo) or "cuda" (nccl for the GPU, gloo between the hosts).
        rendezvous: URL where the processes meet; None for what the launcher's environment says.
    """
    import torch
    import torch.distributed as dist

    if not dist.is_initialized():
        if device == "cuda":
            torch.cuda.set_device(group.local_rank)
        backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
        if group.size == 1:
            store = torch.distributed.HashStore()  # pyright: ignore[reportPrivateImportUsage]
            dist.init_process_group(backend, store=store, rank=0, world_size=1)
        else:
            dist.init_process_group(
                backend, init_method=rendezvous, rank=group.rank, world_size=group.size
            )
        atexit.register(_disconnect)
    warnings.filterwarnings("ignore", r"`torch\.distributed\.", FutureWarning)  # DeepSpeed's calls
    with deepspeed_environment(group, device):
        deepspeed = import_deepspeed()
        deepspeed.init_distributed(auto_mpi_discovery=False, verbose=False)


def _disconnect() -> None:
    """Leave the group in an orderly way; nccl complains otherwise."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def import_deepspeed() -> Any:
    """The deepspeed module, kept from compiling an operation that training never calls.

    On a CPU DeepSpeed builds a shared-memory operation at first use: half a minute, a C++ compiler
    and ninja. Only `inference_all_reduce` calls it; gradients go through gloo. Named incompatible,
    it is not built.
    """
    import deepspeed
    import deepspeed.ops

    known = vars(deepspeed.ops).get("__compatible_ops__", {})
    setattr(deepspeed.ops, "__compatible_ops__", {**known, "deepspeed_shm_comm": False})  # noqa: B010
    return deepspeed


@contextmanager
def deepspeed_environment(group: ProcessGroup, device: str) -> Iterator[None]:
    """The variables that DeepSpeed asks for, taken back at the end."""
    wanted = {
        "RANK": str(group.rank),
        "WORLD_SIZE": str(group.size),
        "LOCAL_RANK": str(group.local_rank),
        "DS_ACCELERATOR": device,
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


@contextmanager
def deepspeed_log(file: Path | None) -> Iterator[None]:
    """Send what DeepSpeed logs to `file` (None: nowhere) instead of the terminal."""
    from deepspeed.utils import logger

    handler = logging.NullHandler() if file is None else logging.FileHandler(file, "a", "utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before, level = list(logger.handlers), logger.level
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers[:] = before
        logger.setLevel(level)
        handler.close()


def loopback_interface() -> str | None:
    """Name of the interface on which processes of one machine meet ("lo", "lo0")."""
    import socket

    if sys.platform == "win32":
        return None
    names = [name for _, name in socket.if_nameindex()]
    return next((name for name in names if name.startswith("lo")), None)
