"""Out of memory: said before it happens where a formula foresees it, with the mend after it has."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bbert.container_memory import left_in_container
from bbert.errors import RunFailed
from bbert.pretrain.memory import MemoryNeed, shown_bytes

logger = logging.getLogger(__name__)

_SAID_BY_TORCH = ("can't allocate memory", "not enough memory")  # on a CPU it has no class for it
# Reserved by those that a training starts, and hardly used; 150 MB were seen.
_ADDRESSES_OF_THREADS = 200_000_000

_SMALLER = "use a smaller --hidden or --depth, or leave this machine more memory"


@dataclass(frozen=True)
class MemoryBudget:
    """What a process needs, and what it has.

    Attributes:
        rows: at once, of the largest micro-batch.
        limit: bytes that this process can have.
        other_dropout: another micro-batch has other zeros of the attention's dropout.
        gpu: it computes on a GPU.
    """

    need: MemoryNeed
    rows: int
    limit: float
    other_dropout: bool = False
    gpu: bool = False

    def mend(self, most_rows: int) -> str:
        """The option that would help, at most `most_rows` rows at once (0: one did not fit)."""
        rows = min(most_rows, self.need.rows_within(self.limit))
        if rows >= 1:
            same = "the result is the same"
            if self.other_dropout:
                same = "the same batches and masks, other zeros of the attention's dropout"
            return f"use --micro-batch-size {rows} ({same})"
        # On a CPU ZeRO takes about as much as it shares out: docs/how-to/choose-a-size.md.
        share = ", or --zero-stage 2 on several GPUs" if self.gpu else ""
        return f"not even one row fits: use a smaller --hidden, --depth or --seq-len{share}"

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
            RunFailed: with the micro-batch that would fit; or what was raised as such already.
        """
        try:
            yield
        except RunFailed:  # a checkpoint that failed, which has nothing to do with the rows
            raise
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise RunFailed(
                f"out of memory with {self.rows} rows at once (about "
                f"{shown_bytes(self.need.of(self.rows))} of {shown_bytes(self.limit)}); "
                f"{self.mend(self.rows // 2)}\n"
                "the same command with it goes on from the last checkpoint"
            ) from error


@contextmanager
def saving_explained(step: int, num_bytes: float, last: Path | None) -> Iterator[None]:
    """Turns running out of memory while a checkpoint is made into an error that says so.

    Args:
        num_bytes: what the checkpoint takes beside the training itself.
        last: the newest checkpoint that there is.

    Raises:
        RunFailed: with the mend.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        took = f" (about {shown_bytes(num_bytes)} beside the training)" if num_bytes else ""
        where = f"goes on from {last}" if last else "starts again: there is no checkpoint yet"
        raise RunFailed(
            f"out of memory while the checkpoint of step {step:,} was made{took}; {_SMALLER}\n"
            f"the same command {where}"
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
    if (left := left_in_container()) is not None:
        free = min(free, left)
    limit = free / processes_here
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:  # ulimit -v
        used = psutil.Process().memory_info().vms + _ADDRESSES_OF_THREADS
        limit = min(limit, max(0, address_space - used))
    return limit
