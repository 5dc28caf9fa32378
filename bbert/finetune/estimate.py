"""What a run, or a grid of them, would cost: time, memory and disk, for `--dry-run`.

Time is arithmetic: 6 operations per weight and word-piece in training, 2 in testing, at the rate
this machine shows on a short matrix product, of which fine-tuning reaches about a third.

Memory is that of weights, gradients and moments, of what the largest batch keeps for the backward
pass (`bbert/pretrain/memory.py`), and 0.5 GB for the program. Said and seen on two virtual CPU
cores, torch 2.13, 2026-11-30, batches of 32 sentences of 128 word-pieces: 3 layers × 128 0.8 and
0.8 GB, in bf16 0.7 and 0.7, with dlfa 0.9 and 0.8, in windows 1.3 and 1.2; 6 × 256 1.4 and 1.5, in
bf16 1.0 and 1.2, with dlfa 1.6 and 1.7; 4 × 512 1.8 and 2.1. On a GPU not checked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bbert.finetune.config import resolved
from bbert.finetune.evaluation_sets import EvaluationSet
from bbert.finetune.fusion import WITH_GATE
from bbert.finetune.heads import ON_FROZEN
from bbert.finetune.layer_sets import ALL
from bbert.finetune.plan import Plan
from bbert.finetune.read_examples import read_evaluation_set
from bbert.finetune.tasks.task import Sentence

_SHARE_OF_PEAK = 0.33
_PIECES_PER_WORD = 1.5
_BYTES_PER_WEIGHT = 16  # weight, gradient and two moments of AdamW in float32
_BYTES_OF_PROGRAM = 0.5e9

Sizes = dict[EvaluationSet, npt.NDArray[np.int64]]
"""Words of every example in sets that have been read."""


class Cost(NamedTuple):
    """What one run costs.

    Attributes:
        weights: parameters of the whole network.
        learning: those that learn on a frozen encoder; None where all do.
        operations: floating-point operations.
        memory, disk: bytes.
        features: bytes of a frozen encoder's features on disk, shared with other runs.
    """

    weights: float
    operations: float
    memory: float
    disk: float
    learning: float | None = None
    features: float = 0.0


def estimates(plan: Plan) -> dict[str, str]:
    """Quantity → value with its unit."""
    return _shown([_cost(plan, {})])


def grid_estimates(plans: Sequence[Plan]) -> dict[str, str]:
    """As `estimates`, of runs one after the other, as if none of them were there."""
    sizes: Sizes = {}
    names = ", ".join(plan.name for plan in plans)
    return {"runs": f"{len(plans)}: {names}", **_shown([_cost(plan, sizes) for plan in plans])}


def _shown(costs: Sequence[Cost]) -> dict[str, str]:
    """Times and disk added up, and the largest of what is not needed at the same time."""
    largest = max(costs, key=lambda cost: cost.weights)
    parameters = f"about {largest.weights / 1e6:,.1f}M"
    seconds = sum(c.operations for c in costs) / (_operations_per_second() * _SHARE_OF_PEAK)
    time_needed = f"about {seconds / 60:,.1f} min on this machine"
    largest_memory = max(cost.memory for cost in costs)
    features = {}
    if largest.learning is not None:
        parameters += f", of which {largest.learning / 1e6:,.1f}M learn"
        time_needed = f"at most {time_needed}"
        kept = sum(cost.features for cost in costs)
        most = "at most about" if len(costs) > 1 else "about"  # the cells may share them
        features["features"] = f"{most} {kept / 1e6:,.1f} MB on disk, shared with other runs"
    return {
        "parameters": parameters + " in each run" * (len(costs) > 1),
        "time": time_needed + ", all runs together" * (len(costs) > 1),
        "memory": f"about {(largest_memory + _BYTES_OF_PROGRAM) / 1e9:,.1f} GB",
        **features,
        "disk": f"about {sum(cost.disk for cost in costs) / 1e6 + len(costs):,.0f} MB",
    }


def _cost(plan: Plan, sizes: Sizes) -> Cost:
    config, model = plan.config, plan.model.config
    hidden, depth = int(model["hidden_size"]), int(model["num_hidden_layers"])
    intermediate = int(model.get("intermediate_size", 4 * hidden))
    body = depth * (4 * hidden * hidden + 2 * hidden * intermediate)
    embeddings = (int(model["vocab_size"]) + int(model["max_position_embeddings"])) * hidden
    if config.head in ON_FROZEN:
        return _cost_on_frozen(plan, body, body + embeddings, sizes)
    per_epoch = _pieces(plan, plan.train, True, sizes)
    pieces = 3 * resolved(config.epochs) * per_epoch  # forward and backward
    for rows in plan.evaluation.values():
        pieces += _pieces(plan, [rows], False, sizes)
    operations = 2 * body * pieces * resolved(config.seeds)
    weights = body + embeddings
    memory = weights * 4
    if config.epochs and config.freeze != ALL:
        memory = weights * _BYTES_PER_WEIGHT + _kept_of_largest_batch(plan, sizes)
    return Cost(weights, operations, memory, disk=weights * 4)


def _kept_of_largest_batch(plan: Plan, sizes: Sizes) -> float:
    """Bytes that the forward pass keeps for the backward pass, of the longest training examples."""
    import torch

    from bbert.pretrain.architecture import Architecture
    from bbert.pretrain.memory import memory_need

    config, model = plan.config, plan.model.config
    limit, hidden = resolved(config.max_length), int(model["hidden_size"])
    words = np.sort(np.concatenate([_words(plan, rows, sizes) for rows in plan.train]))
    pieces = words[-resolved(config.batch_size) :] * _PIECES_PER_WORD + 2
    length = int(min(pieces.max(), limit))
    sequences = float(len(pieces))
    if config.too_long == "window":  # a window begins every half of one
        sequences += float(np.ceil(np.maximum(pieces - limit, 0) / (limit / 2)).sum())
    shape = Architecture(
        depth=plan.model.depth + (config.fusion in WITH_GATE),  # which keeps as much as a layer
        heads=int(model.get("num_attention_heads", 1)),
        hidden=hidden,
        intermediate=int(model.get("intermediate_size", 4 * hidden)),
        vocab_size=1,  # no word is predicted
        dropout=float(model.get("hidden_dropout_prob", 0.1)),
        nsp=False,
    )
    need = memory_need(
        shape, length, predictions=length, bf16=config.precision == "bf16",
        gpu=torch.cuda.is_available(),
    )  # fmt: skip
    return sequences * need.per_row


def _cost_on_frozen(plan: Plan, body: int, weights: int, sizes: Sizes) -> Cost:
    """Of a BiLSTM-CRF: the encoder runs once, its features are kept in halves."""
    config = plan.config
    hidden, size = int(plan.model.config["hidden_size"]), config.lstm_size or 200
    head = 8 * size * (hidden + size) + 8 * size * 3 * size
    learned = _pieces(plan, plan.train, True, sizes)
    chosen_on = _pieces(plan, plan.dev, False, sizes) if plan.dev else 0.0
    tested = sum(_pieces(plan, [rows], False, sizes) for rows in plan.evaluation.values())
    pieces = learned + chosen_on + tested
    passes = resolved(config.epochs) * (3 * learned + chosen_on) + tested
    seeds = resolved(config.seeds)
    encoder_passes = seeds if config.random_init is not None else 1
    operations = 2 * (body * pieces * encoder_passes + head * passes / _PIECES_PER_WORD * seeds)
    layers = plan.model.depth if config.fusion == "scalar-mix" else 1 + bool(config.fusion_layer)
    positions = pieces if config.fusion in WITH_GATE else pieces / _PIECES_PER_WORD
    return Cost(
        weights=weights + head,
        operations=operations,
        memory=weights * 4 + head * _BYTES_PER_WEIGHT,
        disk=weights * 4,
        learning=head,
        features=positions * layers * hidden * 2,
    )


def _pieces(plan: Plan, sets: Sequence[EvaluationSet], training: bool, sizes: Sizes) -> float:
    """Word-pieces of one pass over the examples of `sets`."""
    config = plan.config
    found = [_words(plan, rows, sizes) for rows in sets]
    examples, words = sum(map(len, found)), sum(int(part.sum()) for part in found)
    limit = config.max_train_examples if training else config.max_eval_examples
    number = min(limit or examples, examples)
    per_example = min(words / examples * _PIECES_PER_WORD + 2, resolved(config.max_length))
    return number * per_example


def _words(plan: Plan, rows: EvaluationSet, sizes: Sizes) -> npt.NDArray[np.int64]:
    """Words of a set's examples; the runs of a grid read alike, so each is read once."""
    if rows not in sizes:
        examples = read_evaluation_set(plan.task, rows, plan.config).examples
        words = [
            len(e.words) if isinstance(e, Sentence) else len(f"{e.first} {e.second}".split())
            for e in examples
        ]
        sizes[rows] = np.array(words, np.int64)
    return sizes[rows]


def _operations_per_second() -> float:
    """Floating-point operations a second of a 512 × 512 matrix product."""
    import torch

    matrix = torch.ones(512, 512, device="cuda" if torch.cuda.is_available() else "cpu")
    _ = matrix @ matrix
    start, rounds = time.perf_counter(), 20
    for _ in range(rounds):
        product = matrix @ matrix
    product.sum().item()  # waits for a GPU
    return rounds * 2 * 512**3 / (time.perf_counter() - start)
