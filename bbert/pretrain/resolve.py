"""Fills in the options of `bbert pretrain` that were left out, once the corpus is known."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bbert.errors import InputError
from bbert.pretrain.config import PretrainConfig, architecture_of
from bbert.pretrain.defaults import DEEP, K2020, SAMPLE
from bbert.pretrain.presets import preset_options
from bbert.processor_precision import has_bf16

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Machine:
    """What `resolve` has to know of the machine.

    Attributes:
        gpus: GPUs that torch can use here.
        launched: a launcher has started the processes, perhaps on several machines.
    """

    gpus: int = 0
    launched: bool = False


def resolve(
    config: PretrainConfig, corpus: str, manifest: Mapping[str, Any], machine: Machine
) -> PretrainConfig:
    """`config` with every option that was left out filled in.

    Args:
        corpus: what `--corpus` has to say to find this corpus again.
        manifest: the corpus's manifest; `sample` in it decides between `SAMPLE` and `K2020`.

    Raises:
        InputError: the filled-in options contradict each other or the machine; names option and
            mend.
    """
    defaults = K2020 if manifest.get("sample") is None else SAMPLE
    config = _with_preset(config)
    if config.nsp or _or(config.depth, defaults.depth) >= DEEP:
        defaults = replace(defaults, **defaults.hard)
    device = config.device
    if device == "cuda" and not machine.gpus:
        raise InputError("--device cuda: torch finds no GPU here; use --device cpu")
    if device == "auto":
        device = "cuda" if machine.gpus else "cpu"
    if device == "cpu" and config.compile == "graphs":
        raise InputError("--compile graphs: CUDA graphs need a GPU; use --compile on")
    hidden = _or(config.hidden, defaults.hidden)
    steps = _or(config.steps, defaults.steps)
    batch_size = _or(config.batch_size, defaults.batch_size)
    processes = config.processes
    if processes is None:  # more GPUs than rows: leave some idle
        processes = min(machine.gpus, batch_size) if device == "cuda" else 1
    if device == "cuda" and not machine.launched and processes > machine.gpus:
        raise InputError(
            f"--processes {processes}: this machine has {machine.gpus} GPU(s); "
            f"use --processes {machine.gpus} or --device cpu"
        )
    precision = config.precision
    if precision in ("auto", "fast"):
        on_processor = precision == "fast" and has_bf16()
        precision = "bf16" if device == "cuda" or on_processor else "fp32"
    try:
        resolved = replace(
            config,
            corpus=corpus,
            depth=_or(config.depth, defaults.depth),
            heads=_or(config.heads, defaults.heads),
            hidden=hidden,
            intermediate=_or(config.intermediate, 4 * hidden),
            dropout=_or(config.dropout, defaults.dropout),
            seq_len=_or(config.seq_len, defaults.seq_len),
            batch_size=batch_size,
            steps=steps,
            learning_rate=_or(config.learning_rate, defaults.learning_rate),
            warmup_steps=_or(config.warmup_steps, min(defaults.warmup_steps, steps // 10)),
            precision=precision,
            log_every=_or(config.log_every, defaults.log_every),
            eval_every=_or(config.eval_every, defaults.eval_every),
            probe_every=_or(config.probe_every, defaults.probe_every),
            save_every=_or(config.save_every, defaults.save_every),
            processes=processes,
            device=device,
        )
        architecture_of(resolved, vocab_size=1)
    except ValueError as error:
        raise InputError(str(error)) from None
    return resolved


def _with_preset(config: PretrainConfig) -> PretrainConfig:
    """`config` with the options of its preset where none were given."""
    preset = dict(preset_options(config.preset))
    if config.hidden is not None:  # the preset's width belongs to its own hidden size
        preset.pop("intermediate", None)
    given = {option for option in preset if getattr(config, option) is not None}
    if others := [o for o in preset if o in given and getattr(config, o) != preset[o]]:
        logger.warning(
            "--preset %s: %s win over the preset's %s", config.preset,
            ", ".join(f"{o} {getattr(config, o)}" for o in others),
            ", ".join(f"{o} {preset[o]}" for o in others),
        )  # fmt: skip
    try:
        return replace(config, **{k: v for k, v in preset.items() if k not in given})
    except ValueError as error:
        raise InputError(f"--preset {config.preset}: {error}") from None


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
