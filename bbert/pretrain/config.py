"""Options of `bbert pretrain`, and what they become once the corpus is known.

An option left out (None) takes its value from one of two tables: `K2020` for a real corpus, the
published settings of K et al. 2020, and `SAMPLE` for the embedded sample, sizes at which two
processor cores learn it in about a minute. `resolve` fills them in before the run is opened, so
that `config.yaml` and the hash hold what was really used. Options marked EXECUTION say how a run
is carried out (processes, micro-batches, checkpoints) and may change when it is resumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, TypeVar

from bbert.errors import InputError
from bbert.pretrain.architecture import Architecture
from bbert.pretrain.presets import preset_options
from bbert.stage_config import EXECUTION, Repeated, StageConfig

NspNegatives = Literal["any", "same-language"]
Batching = Literal["mixed", "one-language"]
Packing = Literal["two-segments", "full-sentences"]
MaskSets = Literal["fresh", "released"]
MlmRandom = Literal["joint", "same-language", "none"]

MAX_POSITIONS = 512
MIN_SEQ_LEN = 8

T = TypeVar("T")


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

# AdamW as in K et al. 2020: not options, because no experiment of the four papers turns them.
ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-6
MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class PretrainConfig(StageConfig):
    """Pretrain a bilingual BERT from scratch on a corpus run.

    Defaults in brackets: a real corpus (K et al. 2020) / the embedded sample.
    """

    corpus: str | None = None
    """Corpus run, by name or folder; without it, the newest complete one."""

    preset: str | None = None
    """Sizes of a published model, such as k2020-table4-depth6 (docs/reference/presets.md lists
    them); options that are given win over it."""
    depth: int | None = None
    """Number of layers (12 / 3)."""
    heads: int | None = None
    """Attention heads of a layer (12 / 4)."""
    hidden: int | None = None
    """Hidden size (768 / 64)."""
    intermediate: int | None = None
    """Width of the feed-forward layer (4 x hidden)."""
    dropout: float | None = None
    """Dropout of the hidden states and of the attention (0.1 / 0)."""
    nsp: bool = True
    """Next-sentence prediction beside the masked language model."""
    nsp_negatives: NspNegatives = "any"
    """Where the random second segments of NSP come from: any language of the mix (as released:
    about half are in another language) or the row's own."""
    lang_id: bool = False
    """End every segment with its language's own separator: [CLS] A [SEP-a] B [SEP-b]."""

    seq_len: int | None = None
    """Positions of a row, specials included (128 / 32); at most 512."""
    batch_size: int | None = None
    """Rows of one step over all processes (32 / 32)."""
    batching: Batching = "mixed"
    """mixed: every batch has each language's share of the rows; one-language: the languages take
    turns, batch by batch, in these shares."""
    packing: Packing = "two-segments"
    """two-segments: [CLS] A [SEP] B [SEP], with and without NSP; full-sentences: one long segment,
    [CLS] A [SEP] (needs --no-nsp)."""
    short_seq_probability: float = 0.0
    """Share of the training rows that are cut to a random length (0.1 as released); the rest of
    such a row is padding."""
    masks: MaskSets = "fresh"
    """fresh: rows, masks and pairs are drawn anew at every pass; released: five sets of them are
    drawn once and taken in turn (the released dupe factor)."""
    mlm_probability: float = 0.15
    """Share of the word-pieces to predict: 80 % masked, 10 % random, 10 % kept."""
    mlm_random: MlmRandom = "joint"
    """Where the 10 % random word-pieces come from: the joint vocabulary (as released), the entries
    that the language itself uses, or none: these 10 % are kept too (80 % masked, 20 % kept)."""
    whole_word_mask: bool = True
    """Choose whole words to predict, not single word-pieces."""

    steps: int | None = None
    """Optimiser steps (2,000,000 / 3,000; 2,000 with NSP or from 6 layers on)."""
    learning_rate: float | None = None
    """Peak learning rate (1e-4 / 3e-3; 1e-3 with NSP or from 6 layers on); falls linearly to 0 at
    the last step."""
    warmup_steps: int | None = None
    """Steps of linear warm-up (10,000 / 100, but no more than a tenth of the steps)."""
    weight_decay: float = 0.01
    """AdamW's weight decay; never on LayerNorm and bias."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic: bf16 is autocast over fp32 weights; auto takes it on a GPU and fp32 elsewhere."""

    log_every: int | None = None
    """Steps between two lines of metrics.jsonl (100 / 50)."""
    eval_every: int | None = None
    """Steps between two validations (10,000 / 500)."""

    probe: bool = field(default=True, metadata=EXECUTION)
    """Live multilinguality curves: translation of sentences and words between the languages, per
    layer, where there is parallel text; for en and enfake held-out text is, exactly."""
    probe_every: int | None = field(default=None, metadata=EXECUTION)
    """Steps between two points of these curves (10,000 / 500)."""
    probe_parallel: Repeated = field(default=(), metadata=EXECUTION)
    """LANGUAGE=FILE: parallel text for the curves, one sentence a line, line n the same in all
    files; once per language. Without it, the sample's parallel text on the sample."""

    save_every: int | None = field(default=None, metadata=EXECUTION)
    """Steps between two checkpoints (10,000 / 500)."""
    keep_last: int = field(default=2, metadata=EXECUTION)
    """Checkpoints kept, the newest ones."""
    keep_best: bool = field(default=False, metadata=EXECUTION)
    """Save at every validation that is the best so far and keep the best checkpoint too; its model
    is exported to model-best/."""
    micro_batch_size: int | None = field(default=None, metadata=EXECUTION)
    """Rows that a process computes at once; smaller needs less memory (all of its rows)."""
    processes: int | None = field(default=None, metadata=EXECUTION)
    """Processes on this machine (one per GPU, else 1); leave out under torchrun or deepspeed."""
    zero_stage: Literal[0, 1, 2] = field(default=0, metadata=EXECUTION)
    """ZeRO: what processes share out instead of each holding all (1: optimiser, 2: gradients)."""
    device: Literal["auto", "cpu", "cuda"] = field(default="auto", metadata=EXECUTION)
    """Where to compute; auto takes a GPU where there is one."""
    compile: Literal["auto", "on", "off"] = field(default="auto", metadata=EXECUTION)
    """torch.compile, where there is a compiler; auto: on a GPU, for 1,000 steps and more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in (
            "depth", "heads", "hidden", "intermediate", "batch_size", "micro_batch_size", "steps",
            "processes", "log_every", "eval_every", "save_every", "keep_last", "probe_every",
        ):  # fmt: skip
            value = getattr(self, option)
            if value is not None and value < 1:
                raise ValueError(f"{_flag(option)} {value} must be at least 1")
        if self.seq_len is not None and not MIN_SEQ_LEN <= self.seq_len <= MAX_POSITIONS:
            raise ValueError(
                f"--seq-len {self.seq_len} must lie between {MIN_SEQ_LEN} and {MAX_POSITIONS}, "
                "the model's positions"
            )
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ValueError(f"--dropout {self.dropout} must be at least 0 and below 1")
        if not 0 < self.mlm_probability < 1:
            raise ValueError(f"--mlm-probability {self.mlm_probability} must lie between 0 and 1")
        if not 0 <= self.short_seq_probability <= 1:
            raise ValueError(
                f"--short-seq-probability {self.short_seq_probability} must lie between 0 and 1"
            )
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"--learning-rate {self.learning_rate} must be above 0, such as 1e-4")
        if not 0 <= self.weight_decay < float("inf"):
            raise ValueError(f"--weight-decay {self.weight_decay} must be 0 or more, such as 0.01")
        if self.warmup_steps is not None and self.warmup_steps < 0:
            raise ValueError(f"--warmup-steps {self.warmup_steps} must be 0 or more")
        self._check_together()

    def _check_together(self) -> None:
        """Options that contradict each other, as far as both are given."""
        preset_options(self.preset)  # raises
        if self.packing == "full-sentences" and self.nsp:
            raise ValueError(
                "--packing full-sentences has no second segment for next-sentence prediction; "
                "add --no-nsp"
            )
        if self.batching == "one-language" and self.nsp and self.nsp_negatives == "any":
            raise ValueError(
                "--batching one-language contradicts NSP negatives of any language; "
                "add --nsp-negatives same-language, or --no-nsp"
            )
        probed = [value.partition("=") for value in self.probe_parallel]
        for value, (language, _, file) in zip(self.probe_parallel, probed, strict=True):
            if not language or not file:
                raise ValueError(f"--probe-parallel {value}: expected LANGUAGE=FILE, as en=FILE")
        if len(probed) == 1 or len({language for language, *_ in probed}) < len(probed):
            raise ValueError(
                "--probe-parallel takes one file for each of two languages or more: "
                "--probe-parallel en=FILE --probe-parallel es=FILE"
            )
        if self.steps is not None and (self.warmup_steps or 0) > self.steps:
            raise ValueError(
                f"--warmup-steps {self.warmup_steps} is more than --steps {self.steps}; "
                f"use --warmup-steps {self.steps // 10}"
            )
        if self.heads is not None and self.hidden is not None and self.hidden % self.heads:
            Architecture(1, self.heads, self.hidden, 4 * self.hidden, vocab_size=1)  # raises
        if self.batch_size is not None and (self.processes or 1) > self.batch_size:
            raise ValueError(
                f"--processes {self.processes} is more than the {self.batch_size} rows of a "
                f"batch; use --batch-size {self.processes} or --processes {self.batch_size}"
            )


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
    if precision == "auto":
        precision = "bf16" if device == "cuda" else "fp32"
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


def architecture_of(config: PretrainConfig, vocab_size: int) -> Architecture:
    """The model's shape under a resolved configuration."""
    return Architecture(
        depth=known(config.depth),
        heads=known(config.heads),
        hidden=known(config.hidden),
        intermediate=known(config.intermediate),
        vocab_size=vocab_size,
        max_positions=MAX_POSITIONS,
        dropout=known(config.dropout),
        nsp=config.nsp,
    )


def known(value: T | None) -> T:
    """An option of a resolved configuration."""
    assert value is not None
    return value


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def _with_preset(config: PretrainConfig) -> PretrainConfig:
    """`config` with the options of its preset where none were given."""
    preset = dict(preset_options(config.preset))
    if config.hidden is not None:  # the preset's width belongs to its own hidden size
        preset.pop("intermediate", None)
    given = {option for option in preset if getattr(config, option) is not None}
    try:
        return replace(config, **{k: v for k, v in preset.items() if k not in given})
    except ValueError as error:
        raise InputError(f"--preset {config.preset}: {error}") from None


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"
