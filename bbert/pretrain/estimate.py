"""What a pretraining will cost: arithmetic for sizes, a measurement of a few seconds for the time.

The measurement runs forward and backward passes of the real model on real rows, in the run's own
precision, and the optimiser's step: on a GPU a whole micro-batch, on a CPU as many rows as fit into
the time, with the threads that each of the processes will have; on both no more than memory has
room for by the formula, and no time at all where not one row fits. Without DeepSpeed, validation
and checkpoints, which add some percent, and without torch.compile, which makes a GPU faster.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence

import torch

from bbert.pretrain.assemble import new_model, predictions_per_row
from bbert.pretrain.attention import kernel_draws_dropout
from bbert.pretrain.batches import BatchSource
from bbert.pretrain.config import PretrainConfig, architecture_of, known
from bbert.pretrain.launch import threads_of_a_worker
from bbert.pretrain.memory import (
    BYTES_PER_WEIGHT,
    MOMENTS,
    MemoryNeed,
    memory_need,
    shown_bytes,
)
from bbert.pretrain.model import BertForPretraining
from bbert.pretrain.optimizer import adamw
from bbert.pretrain.out_of_memory import MemoryBudget, available_bytes, is_out_of_memory
from bbert.pretrain.plan import Plan
from bbert.pretrain.row_shares import micro_batches
from bbert.processor_threads import set_threads

_SECONDS_TO_MEASURE = 2.0
_FLOPS_TO_MEASURE = 4e10
_MOST_REPEATS = 20


def need_of(plan: Plan, source: BatchSource, alone: bool = False) -> MemoryNeed:
    """Memory of one process of a run; `alone`: of one that shares nothing with others."""
    config = plan.config
    return memory_need(
        architecture_of(config, plan.vocab_size()),
        source.settings.seq_len,
        predictions_per_row(plan, source),
        bf16=config.precision == "bf16",
        gpu=config.device == "cuda",
        processes=1 if alone else known(config.processes),
        zero_stage=0 if alone else config.zero_stage,
    )


def memory_budget(
    plan: Plan, source: BatchSource, parts: Sequence[tuple[int, int]], memory: float
) -> MemoryBudget:
    """What this process of a run needs, and what it has.

    Args:
        parts: first and end row of its micro-batches.
        memory: bytes that it could have before it had any weights, which the need counts.
    """
    rows = max(end - start for start, end in parts)
    device = plan.config.device
    architecture = architecture_of(plan.config, plan.vocab_size())
    other_dropout = kernel_draws_dropout(architecture, device)
    return MemoryBudget(need_of(plan, source), rows, memory, other_dropout, device == "cuda")


def estimates(plan: Plan, processes_here: int) -> dict[str, str]:
    """Quantities and printable values; see `DryRun.estimates`.

    Args:
        processes_here: those of the run that share this machine's memory.

    Raises:
        InputError: the corpus is damaged or too small.
    """
    config = plan.config
    settings = plan.batch_settings()
    steps, processes = known(config.steps), known(config.processes)
    source = BatchSource(plan.corpus.path, plan.languages, settings, config.seed)
    architecture = architecture_of(config, plan.vocab_size())
    parameters = architecture.parameter_count()
    tokens = settings.batch_size * settings.seq_len
    share = predictions_per_row(plan, source) / settings.seq_len
    flops = architecture.training_flops_per_token(settings.seq_len, share)
    work = flops * tokens
    rows = math.ceil(settings.batch_size / processes)
    at_once = math.ceil(
        rows / micro_batches(settings.batch_size, processes, config.micro_batch_size)
    )
    disk, kept = _disk(parameters, config)
    need, memory = need_of(plan, source), available_bytes(config.device, processes_here)
    measured = _measured(plan, source, flops, at_once)
    passes = ", ".join(
        f"{language} {steps * settings.batch_size * share / per_pass:,.1f}"
        for language, share, per_pass in zip(
            source.languages, source.language_shares, source.rows_per_pass, strict=True
        )
    )
    pass_tokens = sum(source.rows_per_pass) * settings.seq_len
    return {
        "parameters": f"{parameters:,}",
        "tokens": f"{steps * tokens:,} ({pass_tokens:,} in one pass; passes: {passes})",
        "arithmetic": f"{work / 1e9:,.1f} GFLOP a step, {work * steps:.3g} FLOP in all",
        "memory": f"about {shown_bytes(need.of(at_once))} a process with {at_once} rows at once, "
        f"beside the program itself; there are {shown_bytes(memory)}",
        "disk": f"{shown_bytes(disk)} ({kept}, one more while it is written)",
        "time": _shown_time(config, rows, measured),
    }


def _shown_time(config: PretrainConfig, rows: int, measured: tuple[float, float] | None) -> str:
    """Time of the run from the seconds of a row and of an update; `rows` a step and process."""
    if measured is None:
        return "not measured: memory does not suffice for one row"
    per_row, per_update = measured
    seconds = known(config.steps) * (rows * per_row + per_update)
    processes = known(config.processes)
    return (
        f"about {_duration(seconds)} on {config.device}, {processes} process"
        f"{'es' * (processes > 1)} (from a measurement of {_SECONDS_TO_MEASURE:.0f} s: "
        f"{per_row * 1e3:,.2f} ms a row, {per_update * 1e3:,.2f} ms an update)"
    )


def _disk(parameters: int, config: PretrainConfig) -> tuple[float, str]:
    """Bytes that a run takes up at most, and what they are of."""
    weights = parameters * BYTES_PER_WEIGHT
    models, checkpoints = 1, config.keep_last
    kept = f"model and {checkpoints} checkpoints"
    if config.keep_best:
        models, checkpoints = 2, checkpoints + 1
        kept = f"model, best model, {config.keep_last} checkpoints and the best"
    return weights * (models + (1 + MOMENTS) * (checkpoints + 1)), kept


def _measured(
    plan: Plan, source: BatchSource, flops: float, at_once: int
) -> tuple[float, float] | None:
    """Seconds for a row's forward and backward pass, and for an update; None without the memory.

    The formula errs, so running out of memory halves the rows. It cannot be relied upon for that: a
    process that takes more than a machine has may be killed without a word.
    """
    config = plan.config
    rows = at_once
    if config.device == "cpu":
        affordable = int(_FLOPS_TO_MEASURE / (flops * source.settings.seq_len))
        rows = min(rows, max(1, affordable))
        _set_threads_of_a_process(known(config.hidden), known(config.processes))
    need, memory = need_of(plan, source, alone=True), available_bytes(config.device)
    if need.of(1) > memory:
        return None
    rows = max(1, min(rows, need.rows_within(memory)))
    while rows:
        try:
            return _measure(plan, new_model(plan), source, rows)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        rows //= 2  # here, where the error no longer holds what the failed try has computed
        if config.device == "cuda":
            torch.cuda.empty_cache()
    return None


def _measure(
    plan: Plan, model: BertForPretraining, source: BatchSource, rows: int
) -> tuple[float, float]:
    """Seconds for a row's forward and backward pass, and for an update."""
    config, device = plan.config, plan.config.device
    model = model.to(device)
    optimizer = adamw(model, 0.01)
    batch = source.batch(0).slice(0, rows)

    def forward_backward() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=config.precision == "bf16"):
            loss = model(**batch.tensors(device))["loss"]
        loss.backward()

    forward_backward()
    optimizer.step()
    return _seconds(forward_backward, device) / rows, _seconds(optimizer.step, device)


def _set_threads_of_a_process(hidden: int, processes: int) -> None:
    """As many as `launch` and `assemble` will give each of the processes."""
    set_threads(hidden)
    if processes > 1 and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads_of_a_worker(hidden, processes))


def _seconds(work: Callable[[], object], device: str) -> float:
    """Median time of `work`, repeated for about a second."""
    times = []
    end = time.perf_counter() + _SECONDS_TO_MEASURE / 2
    while not times or (time.perf_counter() < end and len(times) < _MOST_REPEATS):
        began = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]


def _duration(seconds: float) -> str:
    """Seconds as "40 s", "12 min" or "3.4 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
