"""One command for a machine with a GPU: is pretraining right there, and where does its time go?

    python benchmarks/pretrain_cuda_check.py [--device cuda|cpu] [--model paper] [--steps 50]
                                             [--rounds 5] [--skip-trainer] [--output FILE.md]

Prints one table. First what must hold (exit code 1 where something does not):

    forward      scores in fp32 are those of transformers' BERT, at every head size
    masks        drawn on the device they are those of the host, to the bit
    bf16         losses of some steps are near those of fp32
    compiled     losses are near those without torch.compile; with CUDA graphs they are the same
                 but for the order in which a GPU adds up gradients

then how long things take: a step with and without torch.compile and CUDA graphs, beside the floor
that was written down before; attention in every form at head sizes 64, 384 and 768; what `no_sync`
and clipping all gradients at once instead of one after the other save; the Trainer. Medians of
rounds, with their range.

`--device cpu` runs the same at toy sizes, without what only a GPU has: a check of this script.

Meant to end within ten minutes on one GPU, most of them in torch.compile (not tried on one yet).
Every row is printed, and written to the file, as soon as it is known: a run cut off leaves them.
A machine without a network needs torch with CUDA, transformers, tokenizers, numpy and pyarrow, and
as wheels `deepspeed` (made with `pip wheel --no-deps deepspeed`), `hjson`, `msgpack`, `py-cpuinfo`,
`tyro`, `pydantic`, `accelerate` and `datasets` with what they need:

    pip install --no-index --find-links wheels deepspeed hjson msgpack py-cpuinfo tyro pydantic \
        accelerate datasets
    PYTHONPATH=. python benchmarks/pretrain_cuda_check.py --output gpu.md
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from machine import wait
from pretrain import MASKED, MODELS, Maker, write_random_corpus

from bbert.pretrain.matrix_peak import matrix_peak

HEAD_SIZES = (64, 384, 768)
STEPS_COMPARED = 8
FORWARD_TOLERANCE = {"cuda": 1e-4, "cpu": 1e-4}
BF16_TOLERANCE = 0.02
COMPILED_TOLERANCE = 0.005
GRAPHS_TOLERANCE = 1e-4
PUBLISHED_MATRIX_RATE = 798e12  # bf16, operations a second, measured on an H100
ADAM_BYTES_PER_PARAMETER = 28
MEMORY_BYTES_PER_SECOND = 3.0e12  # of an H100, about what a stream of such traffic reaches


@dataclass
class Table:
    """Rows of the one table.

    Attributes:
        output: a file that holds what is known so far.
    """

    output: Path | None = None
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    failed: bool = False

    def check(self, what: str, holds: bool, value: str) -> None:
        """Something that must hold."""
        self.failed |= not holds
        self.add(what, value, "ok" if holds else "FAILED")

    def add(self, what: str, value: str, remark: str = "") -> None:
        self.rows.append((what, value, remark))
        if self.output:
            self.output.write_text(self.markdown() + "\n", encoding="utf-8")
        print(f"{what}: {value} {remark}", file=sys.stderr, flush=True)

    def markdown(self) -> str:
        lines = [f"| {' | '.join(row)} |" for row in self.rows]
        return "\n".join(["| what | measured | |", "|---|---|---|", *lines])


@dataclass(frozen=True)
class Sizes:
    """How much is done: little on a CPU."""

    device: str
    model: str
    steps: int
    rounds: int
    head_sizes: tuple[int, ...]
    modes: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--model", choices=list(MODELS))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--skip-trainer", action="store_true")
    parser.add_argument("--output", type=Path, help="Markdown file for the table")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    gpu = options.device == "cuda"
    sizes = Sizes(
        options.device,
        options.model or ("paper" if gpu else "tiny"),
        options.steps or (50 if gpu else 2),
        options.rounds or (5 if gpu else 1),
        HEAD_SIZES,
        ("off", "on", "graphs") if gpu else ("off",),
    )
    table = Table(options.output)
    with tempfile.TemporaryDirectory() as folder:
        measure(sizes, Path(folder), table, trainer=not options.skip_trainer)
    print(table.markdown())
    raise SystemExit(int(table.failed))


def measure(sizes: Sizes, folder: Path, table: Table, trainer: bool) -> None:
    """Fill the table."""
    import torch

    from bbert.pretrain.architecture import Architecture
    from bbert.pretrain.process_group import import_deepspeed

    if sizes.device == "cuda":
        table.add("device", torch.cuda.get_device_name(), f"CUDA {torch.version.cuda}")
        torch.backends.cuda.matmul.allow_tf32 = False
    import_deepspeed()
    depth, heads, hidden, vocab_size, rows, seq_len = MODELS[sizes.model]
    table.add("torch", torch.__version__)
    architecture = Architecture(depth, heads, hidden, 4 * hidden, vocab_size, nsp=False)
    corpus = write_random_corpus(folder / "corpus", vocab_size, rows * seq_len * 200)
    maker = Maker(architecture, corpus, rows, seq_len, "bf16", sizes.device, "off")

    for head_size in sizes.head_sizes:
        check_forward(sizes, head_size, table)
    check_masks(maker, table)
    check_losses(sizes, maker, table)
    write_floor(sizes, maker, table)
    for mode in sizes.modes:
        time_step(sizes, f"step, torch.compile {mode}", replace(maker, mode=mode), table)
    time_savings(sizes, maker, table)
    for head_size in sizes.head_sizes:
        time_attention(sizes, head_size, table)
    if trainer:
        for mode in sizes.modes:
            turn = replace(maker, mode=mode).trainer(folder)
            report_turns(sizes, f"Trainer, torch.compile {mode}", turn, maker, table)


def check_forward(sizes: Sizes, head_size: int, table: Table) -> None:
    """In fp32, without dropout, against transformers' BERT with the same weights."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    from bbert.pretrain.architecture import Architecture
    from bbert.pretrain.export import hugging_face_config, hugging_face_weights
    from bbert.pretrain.model import BertForPretraining

    shape = Architecture(2, 768 // head_size, 768, 3072, 1000, nsp=False)
    model = BertForPretraining(shape, vocab_multiple=128).to(sizes.device).eval()
    bert: Any = BertForMaskedLM(BertConfig(**hugging_face_config(shape)))
    bert.load_state_dict(hugging_face_weights(model), strict=False)
    bert.tie_weights()
    bert = bert.to(sizes.device).eval()
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1000, (4, 128), generator=generator).to(sizes.device)
    lengths = torch.tensor([[128], [100], [64], [7]], device=sizes.device)
    for what, mask in (("", None), (", padded", torch.arange(128, device=sizes.device) < lengths)):
        with torch.no_grad():
            expected = bert(ids, None if mask is None else mask.long()).logits
            hidden = model.encode(ids, torch.zeros_like(ids), mask)[-1]
            scores = model.mlm_head(hidden, model.embeddings.word.weight)
        difference = (scores - expected).abs()
        worst = float((difference if mask is None else difference[mask]).max())
        name = f"forward = transformers, head size {head_size}{what}"
        table.check(name, worst <= FORWARD_TOLERANCE[sizes.device], f"{worst:.1e}")


def check_masks(maker: Maker, table: Table) -> None:
    """What the device is given against what the host would make."""
    import torch

    from bbert.pretrain.feed import parts_made_ahead, parts_of_steps

    steps, rows = range(STEPS_COMPARED), [(0, maker.rows)]
    host = parts_of_steps(maker.source(), steps, rows, "cpu")
    device = parts_made_ahead(maker.source(), steps, rows, maker.device)
    same = all(
        tensor is None or torch.equal(tensor, other[name].cpu())
        for (one,), (other,) in zip(host, device, strict=True)
        for name, tensor in one.items()
    )
    table.check("masks on the device = on the host", same, f"{STEPS_COMPARED} steps")


def check_losses(sizes: Sizes, maker: Maker, table: Table) -> None:
    """Some steps of training without dropout: precisions and ways of running them."""
    still = replace(maker, architecture=replace(maker.architecture, dropout=0.0))
    exact = losses(replace(still, precision="fp32"))
    rough = losses(still)
    compare(table, "bf16 losses against fp32", rough, exact, BF16_TOLERANCE)
    if "on" not in sizes.modes:
        return
    compiled = losses(replace(still, mode="on"))
    compare(table, "compiled losses against not compiled", compiled, rough, COMPILED_TOLERANCE)
    graphs = losses(replace(still, mode="graphs"))
    compare(table, "losses with CUDA graphs against compiled", graphs, compiled, GRAPHS_TOLERANCE)


def losses(maker: Maker) -> list[float]:
    """Of some steps from the same start."""
    engine, feed = maker.engine(), maker.feed()
    values = []
    for number in range(1, STEPS_COMPARED + 1):
        outputs, _ = engine.train_step(next(feed), 1e-4, number)
        values.append(float(outputs[0]["loss"].detach()))
    feed.close()
    return values


def compare(
    table: Table, what: str, one: list[float], other: list[float], tolerance: float
) -> None:
    worst = max(abs(a - b) / abs(b) for a, b in zip(one, other, strict=True))
    table.check(what, worst <= tolerance, f"{worst:.1e} of {one[0]:.4f} → {one[-1]:.4f}")


def write_floor(sizes: Sizes, maker: Maker, table: Table) -> None:
    """What a step cannot take less than, from arithmetic and traffic, before it is measured."""
    shape, tokens = maker.architecture, maker.rows * maker.seq_len
    work = tokens * shape.training_flops_per_token(maker.seq_len, MASKED)
    peak = matrix_peak("bf16", sizes.device)
    table.add("matrix peak, bf16", f"{peak / 1e12:.2f} TFLOP/s")
    if sizes.device == "cuda":
        update = shape.parameter_count() * ADAM_BYTES_PER_PARAMETER / MEMORY_BYTES_PER_SECOND
        floor = work / PUBLISHED_MATRIX_RATE + update
        table.add("floor of a step (H100)", f"{floor * 1e3:.2f} ms", "arithmetic + AdamW's traffic")


def time_step(sizes: Sizes, name: str, maker: Maker, table: Table) -> float:
    """Milliseconds of a whole step with batches, engine and optimiser."""
    return report_turns(sizes, name, maker.bbert(), maker, table)


def report_turns(
    sizes: Sizes, name: str, turn: Callable[[int], list[float]], maker: Maker, table: Table
) -> float:
    turn(1)  # compiles
    seconds = sorted(median(turn(sizes.steps)) for _ in range(sizes.rounds))
    middle = median(seconds)
    spread = f"{seconds[0] * 1e3:.2f}-{seconds[-1] * 1e3:.2f}"
    rate = maker.rows * maker.seq_len / middle
    table.add(name, f"{middle * 1e3:.2f} ms ({spread})", f"{rate:,.0f} tokens/s")
    return middle


def time_savings(sizes: Sizes, maker: Maker, table: Table) -> None:
    """A step that reduces gradients though it is alone, and one that clips one after the other."""
    import deepspeed
    import torch

    own = time_step(sizes, "step, as it is", maker, table)
    with replaced(deepspeed.DeepSpeedEngine, "no_sync", _synchronised):
        reducing = time_step(sizes, "step without no_sync", maker, table)

    def clip_in_a_loop(parameters: Any, limit: float, **_: Any) -> Any:
        return own_clip(parameters, limit, foreach=False)

    own_clip = torch.nn.utils.clip_grad_norm_
    with replaced(torch.nn.utils, "clip_grad_norm_", clip_in_a_loop):
        looping = time_step(sizes, "step, clipping in a loop", maker, table)
    table.add("no_sync saves", f"{(reducing - own) * 1e3:.2f} ms")
    table.add("foreach clipping saves", f"{(looping - own) * 1e3:.2f} ms")


@contextmanager
def _synchronised(self: Any) -> Iterator[None]:
    """`no_sync` that reduces all the same."""
    yield


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def time_attention(sizes: Sizes, head_size: int, table: Table) -> None:
    """Forward and backward pass of attention alone, in bf16, at BERT's width, in every form."""
    import torch
    import torch.nn.functional as functional
    from torch.nn.attention import SDPBackend, sdpa_kernel

    rows, seq_len, heads = (32, 128, 768 // head_size) if sizes.device == "cuda" else (2, 16, 1)
    shape = rows, heads, seq_len, head_size

    def products(query: Any, key: Any, value: Any) -> Any:
        return ((query * head_size**-0.5) @ key.transpose(-1, -2)).softmax(-1) @ value

    def kernel(backend: Any) -> Callable[..., Any]:
        def attend(query: Any, key: Any, value: Any) -> Any:
            with sdpa_kernel(backend):
                return functional.scaled_dot_product_attention(query, key, value)

        return attend

    forms = {
        "flash": kernel(SDPBackend.FLASH_ATTENTION),
        "memory-efficient": kernel(SDPBackend.EFFICIENT_ATTENTION),
        "cuDNN": kernel(SDPBackend.CUDNN_ATTENTION),
        "math": kernel(SDPBackend.MATH),
        "products": products,
    }
    if sizes.device == "cuda":
        forms["products, compiled"] = torch.compile(products, dynamic=False)
    results = {}
    for name, form in forms.items():
        inputs = [
            torch.randn(shape, device=sizes.device, dtype=torch.bfloat16, requires_grad=True)
            for _ in range(3)
        ]
        try:
            results[name] = time_of(lambda: form(*inputs).sum().backward(), sizes)  # noqa: B023
        except RuntimeError:  # this kernel does not take such heads, or not on this device
            continue
    fastest = min(results, key=lambda name: results[name])
    shown = ", ".join(f"{name} {seconds * 1e3:.3f}" for name, seconds in results.items())
    table.add(f"attention, head size {head_size}, ms", shown, f"fastest: {fastest}")


def time_of(work: Callable[[], object], sizes: Sizes) -> float:
    """Median over rounds of the mean time of some repetitions."""
    for _ in range(3):
        work()
    rounds = []
    for _ in range(sizes.rounds):
        wait(sizes.device)
        started = time.perf_counter()
        for _ in range(sizes.steps):
            work()
        wait(sizes.device)
        rounds.append((time.perf_counter() - started) / sizes.steps)
    return median(rounds)


if __name__ == "__main__":
    main()
