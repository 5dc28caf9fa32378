"""Options of `bbert pretrain`.

An option left out (None) takes its value from a table (`defaults.py`) or a preset. `resolve.py`
fills them in before the run is opened, so that `config.yaml` and the hash hold what was really
used. Options marked EXECUTION say how a run is carried out (processes, micro-batches, checkpoints)
and may change when it is resumed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeVar

from bbert.pretrain.architecture import Architecture
from bbert.pretrain.presets import preset_options
from bbert.stage_config import EXECUTION, Repeated, StageConfig

NspNegatives = Literal["any", "same-language"]
Batching = Literal["mixed", "one-language"]
Packing = Literal["two-segments", "full-sentences"]
MaskSets = Literal["fresh", "released"]
MlmRandom = Literal["joint", "same-language", "none"]
Compile = Literal["auto", "on", "graphs", "off"]

MAX_POSITIONS = 512
MIN_SEQ_LEN = 8

T = TypeVar("T")


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
    precision: Literal["auto", "fp32", "bf16", "fast"] = "auto"
    """Arithmetic: bf16 is autocast over fp32 weights; auto takes it on a GPU and fp32 elsewhere,
    fast on processors with instructions for it too."""

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
    compile: Compile = field(default="auto", metadata=EXECUTION)
    """torch.compile, where there is a compiler; auto: on a GPU, for 1,000 steps and more; graphs:
    with CUDA graphs, for steps so short that launching their kernels takes longer than they."""

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
        if not self.nsp and self.nsp_negatives != "any":
            raise ValueError(
                f"--nsp-negatives {self.nsp_negatives} is about the random segments of "
                "next-sentence prediction; leave it out with --no-nsp"
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


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"
