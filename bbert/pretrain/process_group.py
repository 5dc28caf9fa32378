"""The processes of one run: which of them this is, and how they speak with each other.

Under `torchrun` and the `deepspeed` launcher the environment says who is who (RANK, WORLD_SIZE,
LOCAL_RANK, MASTER_ADDR, MASTER_PORT), under Slurm's `srun` its own variables do; workers that bbert
starts itself meet through a file. A process on its own needs neither: its store lives in memory, so
that no port can be taken.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import socket
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bbert.errors import InputError
from bbert.pretrain.slurm import slurm_task

if TYPE_CHECKING:
    import torch

_GPU_DEVICE_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


@dataclass(frozen=True)
class ProcessGroup:
    """This process's place among `size` processes; rank 0 leads: it alone writes.

    Attributes:
        started_by: the launcher or supervisor that put this process into the group, as it was asked
            for: early, because a parent that ends is replaced by another. None where it was started
            by hand.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    started_by: int | None = field(default=None, compare=False)

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

    def gather(self, value: Any) -> list[Any]:
        """What every process says, by rank, in all of them."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def size_here(self) -> int:
        """How many of the processes are on this host; every process must ask."""
        own = socket.gethostname()
        return self.gather(own).count(own)

    def broadcast_tensors(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The leading process's CPU tensors in every process; what others give is not looked at."""
        if self.size == 1:
            return dict(tensors)
        import torch
        import torch.distributed as dist

        kinds = self.broadcast(
            {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
        )
        received = {}
        for name, (shape, dtype) in kinds.items():
            tensor = tensors[name] if self.leads else torch.empty(shape, dtype=dtype)
            dist.broadcast(tensor, src=0)
            received[name] = tensor
        return received

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
        task = slurm_task()
        if task is None:
            return None
        return ProcessGroup(task.rank, task.size, task.local_rank, os.getppid())
    except ValueError as error:
        raise InputError(f"RANK, WORLD_SIZE and LOCAL_RANK must be numbers: {error}") from None
    return ProcessGroup(rank, size, local_rank, os.getppid())


def launched_here(group: ProcessGroup) -> int:
    """Processes on this host, before they are connected: all, where the launcher does not say."""
    for name in ("LOCAL_WORLD_SIZE", "LOCAL_SIZE", "SLURM_STEP_TASKS_PER_NODE"):  # "8(x2)"
        found = re.match(r"\d+", os.environ.get(name, ""))
        if found:
            return min(int(found[0]), group.size)
    return group.size


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
            torch.cuda.set_device(_own_gpu(group))
        backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
        if group.size == 1:
            store = torch.distributed.HashStore()  # pyright: ignore[reportPrivateImportUsage]
            dist.init_process_group(backend, store=store, rank=0, world_size=1)
        else:
            store = _meet(group) if rendezvous is None else None
            dist.init_process_group(
                backend,
                init_method=rendezvous,
                store=store,
                rank=group.rank,
                world_size=group.size,
            )
        atexit.register(_disconnect)
    warnings.filterwarnings("ignore", r"`torch\.distributed\.", FutureWarning)  # DeepSpeed's calls
    with deepspeed_environment(group, device):
        deepspeed = import_deepspeed()
        deepspeed.init_distributed(auto_mpi_discovery=False, verbose=False)


def _own_gpu(group: ProcessGroup) -> int:
    """Number of this process's GPU: of all on its node, or of the only one that it is shown."""
    import torch

    visible = torch.cuda.device_count()
    if visible > 1 and group.local_rank >= visible:
        raise InputError(
            f"process {group.local_rank} of this node, which has {visible} GPUs; "
            "start one process per GPU"
        )
    return 0 if visible == 1 else group.local_rank


def _meet(group: ProcessGroup) -> Any:
    """A store for the processes of a launcher; None where torchrun's agent has one."""
    from bbert.pretrain import meeting

    address, port = meeting.meeting_point()
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        store, here = None, meeting.address_towards(address)
        several_hosts = os.environ.get("GROUP_WORLD_SIZE", "1") != "1"
        if here is not None and several_hosts and meeting.is_loopback(here):
            here = None  # the leading process, whose host's name leads to itself only
    else:
        store, here = meeting.meet(group, address, port)
    interface = None if here is None else meeting.interface_of(here)
    if interface is not None:  # gloo would look up the host's name, which may lead nowhere
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
    return store


def _disconnect() -> None:
    """Leave the group in an orderly way; nccl complains otherwise."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def end_without_the_lost() -> None:
    """Let this process, which has lost another one, end with exit code 1 once it has said so.

    Neither is the group left in good order, which takes all of its processes, nor are the libraries
    taken apart: a thread of theirs may still wait for the lost one, and torn down with the rest it
    aborts the program (SIGABRT, "terminate called without an active exception").
    """
    atexit.unregister(_disconnect)
    atexit.register(_end_at_once)


def _end_at_once() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(1)


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
    """The variables that DeepSpeed asks for, taken back at the end; LOCAL_RANK names the GPU."""
    local_rank = group.local_rank
    if device == "cuda":
        import torch

        local_rank = torch.cuda.current_device()
    wanted = {
        "RANK": str(group.rank),
        "WORLD_SIZE": str(group.size),
        "LOCAL_RANK": str(local_rank),
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
    if sys.platform == "win32":
        return None
    names = [name for _, name in socket.if_nameindex()]
    return next((name for name in names if name.startswith("lo")), None)
