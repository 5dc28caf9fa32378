"""Out of memory: said before it happens where a formula foresees it, with the mend after it has."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bbert.errors import RunFailed
from bbert.pretrain.memory import MemoryNeed, shown_bytes

logger = logging.getLogger(__name__)

_CONTROL_GROUP = Path("/sys/fs/cgroup")
_SAID_BY_TORCH = ("can't allocate memory", "not enough memory")  # on a CPU it has no class for it


@dataclass(frozen=True)
class MemoryBudget:
    """What a process needs, and what it has.

    Attributes:
        rows: at once, of the largest micro-batch.
        limit: bytes that this process can have.
        other_dropout: another micro-batch has other zeros of the attention's dropout.
    """

    need: MemoryNeed
    rows: int
    limit: float
    other_dropout: bool = False

    def mend(self, most_rows: int) -> str:
        """The option that would help, at most `most_rows` rows at once."""
        rows = min(most_rows, self.need.rows_within(self.limit))
        if rows >= 1:
            same = "the result is the same"
            if self.other_dropout:
                same = "the same batches and masks, other zeros of the attention's dropout"
            return f"use --micro-batch-size {rows} ({same})"
        return (
            "not even one row fits: use a smaller --hidden, --depth or --seq-len, "
            "or --zero-stage 2 on several machines"
        )

    def warn(self) -> None:
        """Say it before the first step where the formula exceeds what there is."""
        needed = self.need.of(self.rows)
        if needed > self.limit:
            logger.warning(
                "a step needs about %s of memory and there are %s: if it fails, %s",
                shown_bytes(needed), shown_bytes(self.limit), self.mend(self.rows),
            )  # fmt: skip

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turns running out of memory while entered into an error that names the mend.

        Raises:
            RunFailed: with the micro-batch that would fit.
        """
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise RunFailed(
                f"out of memory with {self.rows} rows at once (about "
                f"{shown_bytes(self.need.of(self.rows))} of {shown_bytes(self.limit)}); "
                f"{self.mend(max(1, self.rows // 2))}\n"
                "the same command with it goes on from the last checkpoint"
            ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python or torch says that memory was refused."""
    import torch

    causes: list[BaseException | None] = [error, error.__cause__]  # wrapped by torch.compile
    return any(
        isinstance(cause, MemoryError | torch.OutOfMemoryError)
        or (isinstance(cause, RuntimeError) and any(text in str(cause) for text in _SAID_BY_TORCH))
        for cause in causes
    )


def available_bytes(device: str, processes_here: int = 1) -> float:
    """Memory that this process can have: of its GPU, or its share of what this machine has free."""
    if device == "cuda":
        import torch

        return float(torch.cuda.mem_get_info()[1])
    import psutil

    free = psutil.virtual_memory().available
    maximum, current = (
        _number_in(_CONTROL_GROUP / f"memory.{name}") for name in ("max", "current")
    )
    if maximum is not None and current is not None:  # the limit of a container
        free = min(free, maximum - current)
    limit = free / processes_here
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:  # ulimit -v
        limit = min(limit, address_space - psutil.Process().memory_info().vms)
    return limit


def _number_in(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max": no limit
        return None
