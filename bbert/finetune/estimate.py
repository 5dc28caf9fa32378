"""What a run, or a grid of them, would cost: time, memory and disk, for `--dry-run`.

Time is arithmetic: 6 operations per weight and word-piece in training, 2 in testing, at the rate
this machine shows on a short matrix product, of which fine-tuning reaches about a third.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from bbert.finetune.config import resolved
from bbert.finetune.evaluation_sets import EvaluationSet
from bbert.finetune.fusion import WITH_GATE
from bbert.finetune.heads import ON_FROZEN
from bbert.finetune.plan import Plan
from bbert.finetune.read_examples import read_evaluation_set
from bbert.finetune.tasks.task import Sentence

_SHARE_OF_PEAK = 0.33
_PIECES_PER_WORD = 1.5
_BYTES_PER_WEIGHT = 16  # weight, gradient and two moments of AdamW in float32

Sizes = dict[EvaluationSet, tuple[int, int]]
"""Numbers of examples and of their words in sets that have been read."""


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
        "memory": f"about {max(cost.memory for cost in costs) / 1e9 + 0.5:,.1f} GB",
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
    return Cost(weights, operations, memory=weights * _BYTES_PER_WEIGHT, disk=weights * 4)


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
    found = [_size(plan, rows, sizes) for rows in sets]
    examples, words = sum(number for number, _ in found), sum(number for _, number in found)
    limit = config.max_train_examples if training else config.max_eval_examples
    number = min(limit or examples, examples)
    per_example = min(words / examples * _PIECES_PER_WORD + 2, resolved(config.max_length))
    return number * per_example


def _size(plan: Plan, rows: EvaluationSet, sizes: Sizes) -> tuple[int, int]:
    """Examples and words of a set; the runs of a grid read alike, so each is read once."""
    if rows not in sizes:
        examples = read_evaluation_set(plan.task, rows, plan.config).examples
        words = sum(
            len(e.words) if isinstance(e, Sentence) else len(f"{e.first} {e.second}".split())
            for e in examples
        )
        sizes[rows] = len(examples), words
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
