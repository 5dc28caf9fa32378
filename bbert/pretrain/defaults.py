"""What the options of `bbert pretrain` are where they are left out.

`K2020` for a real corpus holds the published settings of K et al. 2020; `SAMPLE` for the embedded
sample holds sizes at which two processor cores learn it in about a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Defaults:
    """Values of the options that are not given; `warmup_steps` is an upper bound.

    `hard` replaces some of them for what a small model finds hard: next-sentence prediction, or
    `DEEP` layers and more.
    """

    depth: int
    heads: int
    hidden: int
    dropout: float
    seq_len: int
    batch_size: int
    steps: int
    learning_rate: float
    warmup_steps: int
    save_every: int
    eval_every: int
    log_every: int
    probe_every: int
    hard: Mapping[str, Any] = field(default_factory=dict)


DEEP = 6

K2020 = Defaults(
    depth=12,
    heads=12,
    hidden=768,
    dropout=0.1,
    seq_len=128,
    batch_size=32,
    steps=2_000_000,
    learning_rate=1e-4,
    warmup_steps=10_000,
    save_every=10_000,
    eval_every=10_000,
    log_every=100,
    probe_every=10_000,
)

SAMPLE = Defaults(
    depth=3,
    heads=4,
    hidden=64,
    dropout=0.0,
    seq_len=32,
    batch_size=32,
    steps=3_000,
    learning_rate=3e-3,
    warmup_steps=100,
    save_every=500,
    eval_every=500,
    log_every=50,
    probe_every=500,
    hard={"steps": 2_000, "learning_rate": 1e-3},  # 3e-3 does not train (docs/lab-log.md)
)
