"""What a run would cost: time, memory and disk, for `--dry-run`.

Time is arithmetic: 6 operations per weight and word-piece in training, 2 in testing, at the rate
this machine shows on a short matrix product, of which fine-tuning reaches about a third.
"""

from __future__ import annotations

import time

from bbert.finetune.config import resolved
from bbert.finetune.evaluation_sets import EvaluationSet
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
    trained_on = EvaluationSet(plan.train.split, plan.train.files, plan.train_language)
    per_epoch = _pieces(plan, trained_on, training=True)
    pieces = 3 * resolved(config.epochs) * per_epoch  # forward and backward
    for rows in plan.evaluation.values():
        pieces += _pieces(plan, rows, training=False)
    operations = 2 * body * pieces * resolved(config.seeds)
    seconds = operations / (_operations_per_second() * _SHARE_OF_PEAK)
    weights = body + embeddings
    return {
        "parameters": f"about {weights / 1e6:,.1f}M",
        "time": f"about {seconds / 60:,.1f} min on this machine",
        "memory": f"about {weights * _BYTES_PER_WEIGHT / 1e9 + 0.5:,.1f} GB",
        "disk": f"about {weights * 4 / 1e6 + 1:,.0f} MB",
    }


def _pieces(plan: Plan, rows: EvaluationSet, training: bool) -> float:
    """Word-pieces of one pass over the examples of `rows`."""
    config = plan.config
    examples = read_evaluation_set(plan.task, rows, config).examples
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
