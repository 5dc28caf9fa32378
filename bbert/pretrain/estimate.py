"""What a pretraining will cost: arithmetic for sizes, a measurement of a few seconds for the time.

The measurement runs forward and backward passes of the real model on real rows, in the run's own
precision, and the optimiser's step: on a GPU a whole micro-batch, on a CPU as many rows as fit into
the time, with the threads that each of the processes will have. Without DeepSpeed, validation and
checkpoints, which add some percent, and without torch.compile, which makes a GPU faster.
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
from bbert.pretrain.out_of_memory import MemoryBudget, available_bytes
from bbert.pretrain.plan import Plan
from bbert.pretrain.row_shares import micro_batches
from bbert.processor_threads import set_threads

_SECONDS_TO_MEASURE = 2.0
_FLOPS_TO_MEASURE = 4e10
_MOST_REPEATS = 20


def need_of(plan: Plan, source: BatchSource) -> MemoryNeed:
    """Memory of one process of a run."""
    config = plan.config
    return memory_need(
        architecture_of(config, plan.vocab_size()),
        source.settings.seq_len,
        predictions_per_row(plan, source),
        bf16=config.precision == "bf16",
        gpu=config.device == "cuda",
        processes=known(config.processes),
        zero_stage=config.zero_stage,
    )


def memory_budget(
    plan: Plan, source: BatchSource, parts: Sequence[tuple[int, int]]
) -> MemoryBudget:
    """What this process of a run needs, and what it has.

    Args:
        parts: first and end row of its micro-batches.
    """
    rows = max(end - start for start, end in parts)
    device = plan.config.device
    memory = available_bytes(device, known(plan.config.processes))
    architecture = architecture_of(plan.config, plan.vocab_size())
    other_dropout = kernel_draws_dropout(architecture, device)
    return MemoryBudget(need_of(plan, source), rows, memory, other_dropout)


def estimates(plan: Plan) -> dict[str, str]:
    """Quantities and printable values; see `DryRun.estimates`.

    Raises:
        InputError: the corpus is damaged or too small.
    """
    config = plan.config
    settings = plan.batch_settings()
    steps, processes = known(config.steps), known(config.processes)
    source = BatchSource(plan.corpus.path, plan.languages, settings, config.seed)
    model = new_model(plan)
    architecture = model.architecture
    parameters = architecture.parameter_count()
    tokens = settings.batch_size * settings.seq_len
    share = predictions_per_row(plan, source) / settings.seq_len
    flops = architecture.training_flops_per_token(settings.seq_len, share)
    work = flops * tokens
    rows = math.ceil(settings.batch_size / processes)
    at_once = math.ceil(
        rows / micro_batches(settings.batch_size, processes, config.micro_batch_size)
    )
    seconds_per_row, seconds_per_update = _measure(plan, model, source, flops, at_once)
    seconds = steps * (rows * seconds_per_row + seconds_per_update)
    disk, kept = _disk(parameters, config)
    need, memory = need_of(plan, source), available_bytes(config.device, processes)
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
        "time": f"about {_duration(seconds)} on {config.device}, {processes} process"
        f"{'es' * (processes > 1)} (from a measurement of {_SECONDS_TO_MEASURE:.0f} s: "
        f"{seconds_per_row * 1e3:,.2f} ms a row, {seconds_per_update * 1e3:,.2f} ms an update)",
    }


def _disk(parameters: int, config: PretrainConfig) -> tuple[float, str]:
    """Bytes that a run takes up at most, and what they are of."""
    weights = parameters * BYTES_PER_WEIGHT
    models, checkpoints = 1, config.keep_last
    kept = f"model and {checkpoints} checkpoints"
    if config.keep_best:
        models, checkpoints = 2, checkpoints + 1
        kept = f"model, best model, {config.keep_last} checkpoints and the best"
    return weights * (models + (1 + MOMENTS) * (checkpoints + 1)), kept


def _measure(
    plan: Plan, model: BertForPretraining, source: BatchSource, flops: float, at_once: int
) -> tuple[float, float]:
    """Seconds for a row's forward and backward pass, and for an update."""
    config, settings = plan.config, source.settings
    device, rows = config.device, at_once
    if device == "cpu":
        affordable = int(_FLOPS_TO_MEASURE / (flops * settings.seq_len))
        rows = min(rows, max(1, affordable))
        _set_threads_of_a_process(known(config.hidden), known(config.processes))
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
