"""How fast pretraining is, beside what one would otherwise use, in one process on the same tokens.

    python benchmarks/pretrain.py [--device cpu|cuda] [--model small|paper] [--rounds 3] [--steps 4]
                                  [--precisions fp32 bf16] [--compile off on graphs]
                                  [--output FILE.md]

    bbert        as `bbert pretrain` takes its steps: batches from a token store, masks, DeepSpeed
    bare loop    the same model, batches and optimiser without DeepSpeed
    Trainer      `transformers.Trainer` with the settings of its example `run_mlm`: BertForMaskedLM,
                 blocks of the same length, DataCollatorForLanguageModeling, its AdamW and schedule

Every system takes its turn in every round, two warm-up steps first, in which it is compiled where
that is asked for. On a CPU a step is timed by itself and the rate is that of the median step; on a
GPU a turn is timed as a whole, so that no step waits for the host. The spread is that of the
rounds. "graphs" (on a GPU) is torch.compile with CUDA graphs. The share of the peak is of the
largest rate of a matrix product in the same precision on this machine, at 2 operations a
multiply-add, with the operations that each system really does (the Trainer predicts at every
position, bbert at the masked ones).
The corpus is random word-pieces: what they mean does not change the speed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from machine import processor_name, wait

from bbert.pretrain.matrix_peak import matrix_peak

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

MODELS = {  # depth, heads, hidden, vocabulary, rows, positions
    "tiny": (2, 4, 64, 1000, 8, 32),
    "small": (4, 4, 256, 8000, 32, 128),
    "paper": (12, 12, 768, 60_000, 32, 128),
}
MASKED = 0.15
LABELS = {"off": "", "on": ", compiled", "graphs": ", graphs"}
WARM_UP_STEPS = 2


@dataclass
class System:
    """Something that trains; `turn(steps)` returns the seconds of its steps after the warm-up."""

    name: str
    precision: str
    turn: Callable[[int], list[float]]
    dense: bool = False
    medians: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--model", choices=list(MODELS), default="small")
    parser.add_argument("--rows", type=int, help="rows of a batch, instead of the model's")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="timed steps of a turn")
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--compile", nargs="+", choices=["off", "on", "graphs"], default=["off"])
    parser.add_argument("--output", type=Path, help="Markdown file for the table")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        table = measure(options, Path(folder))
    print(table)
    if options.output:
        options.output.write_text(table + "\n", encoding="utf-8")


def measure(options: argparse.Namespace, folder: Path) -> str:
    """Let every system take its turns; the table as Markdown."""
    import torch

    from bbert.pretrain.architecture import Architecture

    depth, heads, hidden, vocab_size, rows, seq_len = MODELS[options.model]
    rows = options.rows or rows
    architecture = Architecture(depth, heads, hidden, 4 * hidden, vocab_size, nsp=False)
    corpus = write_random_corpus(folder / "corpus", vocab_size, rows * seq_len * 200)
    systems: list[System] = []
    peaks = {precision: matrix_peak(precision, options.device) for precision in options.precisions}
    for precision in options.precisions:
        for mode in options.compile:
            make = Maker(architecture, corpus, rows, seq_len, precision, options.device, mode)
            label = LABELS[mode]
            systems += [
                System(f"bbert{label}", precision, make.bbert()),
                System(f"bare loop{label}", precision, make.bare_loop()),
                System(f"Trainer{label}", precision, make.trainer(folder), dense=True),
            ]
    for number in range(options.rounds):
        for precision in peaks:  # the machine may have been busy before
            peaks[precision] = max(peaks[precision], matrix_peak(precision, options.device))
        # In turn, and every second time the other way round: no system always comes first.
        for system in systems if number % 2 == 0 else systems[::-1]:
            system.medians.append(median(system.turn(options.steps)))
    tokens = rows * seq_len
    flops = {
        dense: tokens * architecture.training_flops_per_token(seq_len, 1.0 if dense else MASKED)
        for dense in (False, True)
    }
    reference = {s.precision: median(s.medians) for s in systems if s.name == "Trainer"}
    bare = {(s.name[9:], s.precision): median(s.medians) for s in systems if "bare" in s.name}
    device = torch.cuda.get_device_name() if options.device == "cuda" else (
        f"{torch.get_num_threads()} threads of {processor_name()}"
    )  # fmt: skip
    lines = [
        f"{options.model}: {depth} layers × {hidden}, {heads} heads, vocabulary {vocab_size:,}, "
        f"{architecture.parameter_count():,} parameters; {rows} rows of {seq_len}; {device}; "
        f"torch {torch.__version__}; {options.rounds} rounds of {options.steps} steps; matrix "
        "peak " + ", ".join(f"{p} {peak / 1e12:.2f} TFLOP/s" for p, peak in peaks.items()),
        "",
        "| system | precision | tokens/s (rounds) | times the Trainer, same precision "
        "| times the Trainer in fp32 | share of peak | over the bare loop |",
        "|---|---|---|---|---|---|---|",
    ]
    for system in systems:
        seconds = median(system.medians)
        own, first = reference.get(system.precision), reference.get("fp32")
        over = ""
        if system.name.startswith("bbert"):
            over = f"{seconds / bare[system.name[5:], system.precision] - 1:+.1%}"
        rates = sorted(tokens / s for s in system.medians)
        share = flops[system.dense] / seconds / peaks[system.precision]
        lines.append(
            f"| {system.name} | {system.precision} | {tokens / seconds:,.0f} "
            f"({rates[0]:,.0f}-{rates[-1]:,.0f}) | {f'{own / seconds:.2f}' if own else ''} "
            f"| {f'{first / seconds:.2f}' if first else ''} | {share:.0%} | {over} |"
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    lines += ["", f"loader alone: {loader_rate(corpus, rows, seq_len) / 1e6:.1f}M tokens/s; "
              f"most memory of the process with all systems in it: {memory:.1f} GB"]  # fmt: skip
    if options.device == "cuda":
        lines[-1] += f", of the GPU {torch.cuda.max_memory_allocated() / 1e9:.1f} GB"
    return "\n".join(lines)


@dataclass(frozen=True)
class Maker:
    """Makes the systems for one precision."""

    architecture: Any
    corpus: Path
    rows: int
    seq_len: int
    precision: str
    device: str
    mode: str

    def model(self) -> Any:
        """The model as `bbert pretrain` makes it on this device."""
        from bbert.pretrain.model import BertForPretraining

        multiple = 128 if self.device == "cuda" else 1
        return BertForPretraining(self.architecture, 2, vocab_multiple=multiple)

    def bbert(self) -> Callable[[int], list[float]]:
        """Batches, DeepSpeed engine and schedule of `bbert pretrain`."""
        engine, feed, number = self.engine(), self.feed(), 0

        def step() -> None:
            nonlocal number
            number += 1
            engine.train_step(next(feed), 1e-5, number)

        return self.timed(step)

    def engine(self) -> Any:
        from bbert.pretrain.engine import Engine, EngineSettings
        from bbert.pretrain.process_group import ProcessGroup, connect

        group = ProcessGroup()
        connect(group, self.device)
        settings = EngineSettings(
            micro_batches=1, rows=self.rows, weight_decay=0.01, zero_stage=0,
            precision=self.precision, device=self.device,
            compile=self.mode, steps=10_000, seed=0,  # type: ignore[arg-type]
        )  # fmt: skip
        return Engine(self.model(), settings, group)

    def bare_loop(self) -> Callable[[int], list[float]]:
        """The same without DeepSpeed."""
        import torch

        from bbert.pretrain.compiling import compile_options
        from bbert.pretrain.config import MAX_GRADIENT_NORM
        from bbert.pretrain.optimizer import adamw, set_learning_rate

        model = self.model().to(self.device)
        optimizer = adamw(model, 0.01)
        graphs = self.mode == "graphs"
        forward = model if self.mode == "off" else torch.compile(model, **compile_options(graphs))
        parameters = list(model.parameters())
        feed = self.feed()

        def step() -> None:
            (batch,) = next(feed)
            if graphs:
                torch.compiler.cudagraph_mark_step_begin()
            with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16"):
                loss = forward(**batch)["loss"]
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM, foreach=True)
            set_learning_rate(optimizer, 1e-5)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        return self.timed(step)

    def trainer(self, folder: Path) -> Callable[[int], list[float]]:
        """transformers' Trainer as its example script for masked language modelling sets it up."""
        from transformers import (
            AutoTokenizer,
            BertConfig,
            BertForMaskedLM,
            DataCollatorForLanguageModeling,
            Trainer,
            TrainerCallback,
            TrainingArguments,
        )

        shape = self.architecture
        model = BertForMaskedLM(
            BertConfig(
                vocab_size=shape.vocab_size, hidden_size=shape.hidden,
                num_hidden_layers=shape.depth, num_attention_heads=shape.heads,
                intermediate_size=shape.intermediate,
                max_position_embeddings=shape.max_positions,
            )
        )  # fmt: skip
        tokenizer = AutoTokenizer.from_pretrained(self.corpus / "tokenizer")
        blocks = self.blocks()

        class Clock(TrainerCallback):
            def __init__(self) -> None:
                self.times: list[float] = []

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if args.device.type == "cpu" or state.global_step in (
                    WARM_UP_STEPS,
                    args.max_steps,
                ):
                    wait(args.device.type)
                    self.times.append(time.perf_counter())

        def turn(steps: int) -> list[float]:
            clock = Clock()
            arguments = TrainingArguments(
                output_dir=str(folder / "trainer"), max_steps=steps + WARM_UP_STEPS,
                per_device_train_batch_size=self.rows, learning_rate=1e-5, report_to=[],
                save_strategy="no", logging_strategy="no", disable_tqdm=True,
                use_cpu=self.device == "cpu", bf16=self.precision == "bf16",
                torch_compile=self.mode != "off", dataloader_pin_memory=self.device == "cuda",
                torch_compile_mode="reduce-overhead" if self.mode == "graphs" else None,
            )  # fmt: skip
            collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=MASKED)
            trainer = Trainer(
                model=model, args=arguments, train_dataset=blocks, data_collator=collator,
                callbacks=[clock],
            )  # fmt: skip
            with contextlib.redirect_stdout(io.StringIO()):  # it prints a summary
                trainer.train()
            if self.device == "cuda":
                return [(clock.times[1] - clock.times[0]) / steps]
            times = clock.times[WARM_UP_STEPS - 1 :]
            return [b - a for a, b in pairwise(times)]

        return turn

    def timed(self, step: Callable[[], None]) -> Callable[[int], list[float]]:
        def turn(steps: int) -> list[float]:
            for _ in range(WARM_UP_STEPS):
                step()
            seconds = []
            at_once = steps if self.device == "cuda" else 1
            for _ in range(steps // at_once):
                wait(self.device)
                started = time.perf_counter()
                for _ in range(at_once):
                    step()
                wait(self.device)
                seconds.append((time.perf_counter() - started) / at_once)
            return seconds

        return turn

    def feed(self) -> Any:
        """The arguments of the model, step by step, as a run gets them on this device."""
        from bbert.pretrain.feed import parts_of_steps

        return parts_of_steps(self.source(), range(1_000_000), [(0, self.rows)], self.device)

    def source(self) -> Any:
        return batch_source(self.corpus, self.rows, self.seq_len)

    def blocks(self) -> list[dict[str, list[int]]]:
        """The corpus as blocks of full length, specials included, as `run_mlm` groups texts."""
        import numpy as np

        from bbert.corpus.token_store import TokenStore

        ids = np.asarray(TokenStore.open(self.corpus, "en").ids, np.int64)
        size = self.seq_len - 2
        rows = ids[: len(ids) // size * size].reshape(-1, size)[: 40 * self.rows]
        return [{"input_ids": [2, *row, 3], "attention_mask": [1] * (size + 2)} for row in
                rows.tolist()]  # fmt: skip


def batch_source(corpus: Path, rows: int, seq_len: int) -> Any:
    from bbert.pretrain.batches import BatchSettings, BatchSource

    settings = BatchSettings(batch_size=rows, seq_len=seq_len, nsp=False)
    return BatchSource(corpus, ["en", "es"], settings, seed=0)


def loader_rate(corpus: Path, rows: int, seq_len: int) -> float:
    """Tokens a second of batches alone, at 128 rows or more at a time."""
    rows = max(rows, 128)
    source = batch_source(corpus, rows, seq_len)
    source.batch(0)
    started, number = time.perf_counter(), 0
    while time.perf_counter() - started < 1:
        number += 1
        source.batch(number)
    return number * rows * seq_len / (time.perf_counter() - started)


def write_random_corpus(folder: Path, vocab_size: int, num_tokens: int) -> Path:
    """Token stores of two languages and a tokenizer, of random word-pieces."""
    import numpy as np
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    from bbert.corpus.token_store import TokenStoreWriter

    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"]
    tokens = [*specials, *(f"w{number}" for number in range(vocab_size - len(specials)))]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), specials, strict=False))
    PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]")),
        **{f"{name}_token": token for name, token in names.items()},
    ).save_pretrained(folder / "tokenizer")
    rng = np.random.default_rng(0)
    for language in ("en", "es"):
        lengths = rng.integers(8, 40, num_tokens // 24)
        ids = rng.integers(len(specials), vocab_size, int(lengths.sum()))
        starts = rng.random(len(ids)) < 0.75
        starts[np.cumsum(lengths) - lengths] = True
        with TokenStoreWriter(folder / "tokens" / language, vocab_size) as store:
            store.append(ids, starts, lengths, np.arange(len(lengths)) % 20 == 0)
    return folder


if __name__ == "__main__":
    main()
