"""What a run would cost: time, memory and disk, for `--dry-run`.

Time is arithmetic: 6 operations per weight and word-piece in training, 2 in testing, at the rate
this machine shows on a short matrix product, of which fine-tuning reaches about a third.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

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


def estimates(plan: Plan) -> dict[str, str]:
    """Quantity → value with its unit."""
    config, model = plan.config, plan.model.config
    hidden, depth = int(model["hidden_size"]), int(model["num_hidden_layers"])
    intermediate = int(model.get("intermediate_size", 4 * hidden))
    body = depth * (4 * hidden * hidden + 2 * hidden * intermediate)
    embeddings = (int(model["vocab_size"]) + int(model["max_position_embeddings"])) * hidden
    if config.head in ON_FROZEN:
        return _on_frozen(plan, body, body + embeddings)
    per_epoch = _pieces(plan, plan.train, training=True)
    pieces = 3 * resolved(config.epochs) * per_epoch  # forward and backward
    for rows in plan.evaluation.values():
        pieces += _pieces(plan, [rows], training=False)
    operations = 2 * body * pieces * resolved(config.seeds)
    seconds = operations / (_operations_per_second() * _SHARE_OF_PEAK)
    weights = body + embeddings
    return {
        "parameters": f"about {weights / 1e6:,.1f}M",
        "time": f"about {seconds / 60:,.1f} min on this machine",
        "memory": f"about {weights * _BYTES_PER_WEIGHT / 1e9 + 0.5:,.1f} GB",
        "disk": f"about {weights * 4 / 1e6 + 1:,.0f} MB",
    }


def _on_frozen(plan: Plan, body: int, weights: int) -> dict[str, str]:
    """As `estimates`, of a BiLSTM-CRF: the encoder runs once, its features are kept in halves."""
    config = plan.config
    hidden, size = int(plan.model.config["hidden_size"]), config.lstm_size or 200
    head = 8 * size * (hidden + size) + 8 * size * 3 * size
    learned = _pieces(plan, plan.train, training=True)
    chosen_on = _pieces(plan, plan.dev, training=False) if plan.dev else 0.0
    tested = sum(_pieces(plan, [rows], training=False) for rows in plan.evaluation.values())
    pieces = learned + chosen_on + tested
    passes = resolved(config.epochs) * (3 * learned + chosen_on) + tested
    seeds = resolved(config.seeds)
    encoder_passes = seeds if config.random_init is not None else 1
    operations = 2 * (body * pieces * encoder_passes + head * passes / _PIECES_PER_WORD * seeds)
    seconds = operations / (_operations_per_second() * _SHARE_OF_PEAK)
    layers = plan.model.depth if config.fusion == "scalar-mix" else 1 + bool(config.fusion_layer)
    positions = pieces if config.fusion in WITH_GATE else pieces / _PIECES_PER_WORD
    features = positions * layers * hidden * 2
    return {
        "parameters": f"about {(weights + head) / 1e6:,.1f}M, of which {head / 1e6:,.1f}M learn",
        "time": f"at most about {seconds / 60:,.1f} min on this machine",
        "memory": f"about {(weights * 4 + head * _BYTES_PER_WEIGHT) / 1e9 + 0.5:,.1f} GB",
        "features": f"about {features / 1e6:,.1f} MB on disk, shared with other runs",
        "disk": f"about {weights * 4 / 1e6 + 1:,.0f} MB",
    }


def _pieces(plan: Plan, sets: Sequence[EvaluationSet], training: bool) -> float:
    """Word-pieces of one pass over the examples of `sets`."""
    config = plan.config
    examples = [e for rows in sets for e in read_evaluation_set(plan.task, rows, config).examples]
    words = sum(
        len(e.words) if isinstance(e, Sentence) else len(f"{e.first} {e.second}".split())
        for e in examples
    )
    limit = config.max_train_examples if training else config.max_eval_examples
    number = min(limit or len(examples), len(examples))
    per_example = min(words / len(examples) * _PIECES_PER_WORD + 2, resolved(config.max_length))
    return number * per_example


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
