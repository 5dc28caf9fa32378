"""What Slurm says of a process that `srun` started: which task it is, and where task 0 runs.

    srun --ntasks-per-node 8 bbert pretrain …

needs no other launcher. In the batch script itself, outside srun, bbert is an ordinary command,
though Slurm names tasks there too.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from bbert.errors import InputError

_FIRST_PORT, _NUM_PORTS = 15_000, 15_000  # below those that Linux gives to outgoing connections


@dataclass(frozen=True)
class SlurmTask:
    """A task of a job step.

    Attributes:
        rank, size, local_rank: its number, the number of tasks, its number on its node.
        address: the host of task 0.
        port: one that other steps of the cluster are unlikely to use.
    """

    rank: int
    size: int
    local_rank: int
    address: str
    port: int


def slurm_task() -> SlurmTask | None:
    """The task that this process is, or None where srun has not started several.

    Raises:
        InputError: the variables contradict themselves.
    """
    variables = {name: value for name, value in os.environ.items() if name.startswith("SLURM_")}
    in_step = "SLURM_STEP_ID" in variables or "SLURM_JOB_ID" not in variables
    if "SLURM_PROCID" not in variables or not in_step:
        return None
    try:
        size = int(variables.get("SLURM_STEP_NUM_TASKS") or variables.get("SLURM_NTASKS", 1))
        rank = int(variables["SLURM_PROCID"])
        local_rank = int(variables.get("SLURM_LOCALID", rank))
        job, step = (int(variables.get(f"SLURM_{name}_ID", 0)) for name in ("JOB", "STEP"))
    except ValueError as error:
        raise InputError(
            f"SLURM_PROCID, SLURM_NTASKS and the like must be numbers: {error}"
        ) from None
    if size == 1:
        return None
    nodes = variables.get("SLURM_STEP_NODELIST") or variables.get("SLURM_JOB_NODELIST", "")
    several = variables.get("SLURM_STEP_NUM_NODES") or variables.get("SLURM_NNODES", "1")
    address = "127.0.0.1" if several == "1" or not nodes else first_host(nodes)
    port = _FIRST_PORT + (job * 31 + step * 7) % _NUM_PORTS
    return SlurmTask(rank, size, local_rank, address, port)


def first_host(nodes: str) -> str:
    """The first host of a list as Slurm writes it: "gpu[07-09,12],login" → "gpu07"."""
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])*", nodes)
    assert first is not None
    return re.sub(r"\[([^\],-]+)[^\]]*\]", r"\1", first.group())
