"""Which rows of a global batch a process computes, and in how many parts."""

from __future__ import annotations

from itertools import pairwise

from bbert.errors import InputError


def micro_batches(batch_size: int, processes: int, micro_batch_size: int | None) -> int:
    """Number of micro-batches a step: the same for every process, each with one row at least.

    Raises:
        InputError: the rows cannot be dealt out so; names option and mend.
    """
    if processes > batch_size:
        raise InputError(
            f"{processes} processes are more than the {batch_size} rows of a batch; "
            f"use --batch-size {processes} or fewer processes"
        )
    most, fewest = -(-batch_size // processes), batch_size // processes
    if micro_batch_size is None:
        return 1
    count = -(-most // micro_batch_size)
    if count > fewest:
        raise InputError(
            f"--micro-batch-size {micro_batch_size} leaves a process without rows: {batch_size} "
            f"rows over {processes} processes; use --micro-batch-size {micro_batch_size + 1}"
        )
    return count


def rows_of(batch_size: int, processes: int, count: int, rank: int) -> list[tuple[int, int]]:
    """First row and end row of every micro-batch of process `rank`.

    The rows of all processes together are the global batch, whatever their number.
    """
    start, stop = (batch_size * r // processes for r in (rank, rank + 1))
    edges = [start + (stop - start) * i // count for i in range(count + 1)]
    return list(pairwise(edges))
