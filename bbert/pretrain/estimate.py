"""What a pretraining will cost: arithmetic for sizes, a measurement of a few seconds for the time.

The measurement runs forward and backward passes of the real model on real rows in one process, as
many rows as fit into the time, and the optimiser's step; without DeepSpeed, torch.compile,
validation and checkpoints, which together change the result by some percent either way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch

from bbert.pretrain.assemble import new_model
from bbert.pretrain.batches import BatchSource
from bbert.pretrain.config import known, micro_batches
from bbert.pretrain.model import BertForPretraining
from bbert.pretrain.optimizer import adamw
from bbert.pretrain.plan import Plan

_BYTES_PER_WEIGHT = 4
_MOMENTS = 2
_SECONDS_TO_MEASURE = 2.0
_FLOPS_TO_MEASURE = 4e10
_MOST_REPEATS = 20


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
    share = source.num_slots / settings.seq_len
    flops = architecture.training_flops_per_token(settings.seq_len, share)
    work = flops * tokens
    rows = math.ceil(settings.batch_size / processes)
    at_once = math.ceil(
        rows / micro_batches(settings.batch_size, processes, config.micro_batch_size)
    )
    seconds_per_row, seconds_per_update = _measure(model, source, flops, config.device)
    seconds = steps * (rows * seconds_per_row + seconds_per_update)
    state = parameters * _BYTES_PER_WEIGHT * (1 + _MOMENTS)
    disk = parameters * _BYTES_PER_WEIGHT + state * (config.keep_last + 1)
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
        "memory": f"about {_size(_memory(plan, parameters, at_once, source.num_slots))} a process",
        "disk": f"{_size(disk)} (model and {config.keep_last} checkpoints, one more "
        "while it is written)",
        "time": f"about {_duration(seconds)} on {config.device}, {processes} process"
        f"{'es' * (processes > 1)} (from a measurement of {_SECONDS_TO_MEASURE:.0f} s: "
        f"{seconds_per_row * 1e3:,.2f} ms a row, {seconds_per_update * 1e3:,.2f} ms an update)",
    }


def _memory(plan: Plan, parameters: int, rows: int, num_slots: int) -> float:
    """Bytes of one process: weights, gradients, moments, and what the backward pass needs."""
    config = plan.config
    processes = known(config.processes)
    gradients = 1 / processes if config.zero_stage == 2 else 1
    moments = _MOMENTS / processes if config.zero_stage else _MOMENTS
    fixed = parameters * _BYTES_PER_WEIGHT * (1 + gradients + moments)
    bytes_per_value = 2 if config.precision == "bf16" else _BYTES_PER_WEIGHT
    # A layer keeps the inputs of its products, norms and activation: ten of the hidden size, two
    # of the intermediate. The head keeps logits and their gradient in fp32.
    hidden, intermediate = known(config.hidden), known(config.intermediate)
    per_position = known(config.depth) * (10 * hidden + 2 * intermediate)
    kept = rows * known(config.seq_len) * per_position * bytes_per_value
    vocab_size = plan.vocab_size()
    return fixed + kept + rows * num_slots * vocab_size * 3 * _BYTES_PER_WEIGHT


def _measure(
    model: BertForPretraining, source: BatchSource, flops: float, device: str
) -> tuple[float, float]:
    """Seconds for a row's forward and backward pass, and for an update."""
    settings = source.settings
    affordable = int(_FLOPS_TO_MEASURE / (flops * settings.seq_len))
    rows = min(settings.batch_size, max(1, affordable))
    model = model.to(device)
    optimizer = adamw(model, 0.01)
    batch = source.batch(0).slice(0, rows)

    def forward_backward() -> None:
        model(**batch.tensors(device))["loss"].backward()

    forward_backward()
    optimizer.step()
    return _seconds(forward_backward, device) / rows, _seconds(optimizer.step, device)


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


def _size(num_bytes: float) -> str:
    """Bytes as "640 MB" or "1.2 GB"."""
    return f"{num_bytes / 1e9:,.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:,.1f} MB"


def _duration(seconds: float) -> str:
    """Seconds as "40 s", "12 min" or "3.4 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
