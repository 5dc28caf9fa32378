"""How much memory a training process needs, as a formula, and how many rows at once would fit.

Counted: weights, gradients and moments; what the forward pass keeps for the backward pass, layer by
layer; the scores of the predictions with their gradient. Not counted: the program itself (torch and
DeepSpeed take about 0.4 GB on a CPU). With torch.compile less is kept.

Checked on a CPU: four models of 2 to 6 layers, 128 to 384 wide, 8,000 entries, rows of 128 and 512,
fp32 with and without dropout: with the program 1.10 to 1.22 times the process's measured peak.
Before the last layer was computed in part, nine models, in bf16 too: 0.90 to 1.17 times. Several
processes and ZeRO, where weights weigh more than rows (docs/how-to/choose-a-size.md): 0.98 to 1.17
times. On a GPU not checked.
"""

from __future__ import annotations

from dataclasses import dataclass

from bbert.pretrain.architecture import Architecture

MOMENTS = 2
BYTES_PER_WEIGHT = 4
# ZeRO puts gradients into buckets to add them up: small ones are slow, one for all shares nothing.
_SMALLEST_BUCKET, _BUCKETS = 1_000_000, 16
_ADDED_UP_AT_ONCE = 500_000_000  # gradients, without ZeRO; DeepSpeed's own constant
# Of what there is; a smaller micro-batch costs little, a second failure a start.
_ROOM_FOR_THE_ALLOCATOR = 0.75
# On a CPU: memory that is free but not given back, and the buffers of its libraries.
_FRAGMENTS, _LIBRARIES = 1.4, 1e8


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes of one process.

    Attributes:
        fixed: weights, gradients and moments, and what does not grow with the rows.
        per_row: for each row that is computed at once.
    """

    fixed: float
    per_row: float

    def of(self, rows: int) -> float:
        """All of it with `rows` at once."""
        return self.fixed + rows * self.per_row

    def rows_within(self, limit: float) -> int:
        """Rows at once that `limit` bytes have room for; below 1 where it is too little for one."""
        return int((limit * _ROOM_FOR_THE_ALLOCATOR - self.fixed) // self.per_row)


def memory_need(
    architecture: Architecture,
    seq_len: int,
    predictions: float,
    *,
    bf16: bool = False,
    gpu: bool = False,
    processes: int = 1,
    zero_stage: int = 0,
) -> MemoryNeed:
    """What a process needs.

    Args:
        predictions: of a row, that pass through the MLM head.
        bf16: products are computed in bfloat16 over fp32 weights.
        gpu: on a GPU attention is fused, so that its scores are not kept.
        processes, zero_stage: ZeRO 1 shares out the moments, 2 the gradients too.
    """
    hidden, intermediate = architecture.hidden, architecture.intermediate
    fixed = _whatever_the_rows(architecture, gpu, processes, zero_stage)
    if bf16:  # autocast's copies of the weights
        fixed += 0.5 * architecture.parameter_count() * BYTES_PER_WEIGHT

    product = 2 if bf16 else 4  # bytes of a value that goes into a product
    dropout = 1 if architecture.dropout else 0
    # Of every layer stay the inputs of products and norms: of a hidden size query, key, value,
    # context, one input of each half, in fp32 two residual sums; two of the width; two factors of
    # dropout. Attention that is not fused keeps its weights, and with dropout its factors and
    # the weights after it, in fp32 on a GPU, whose autocast takes softmax in fp32, and rounded.
    position = product * (6 * hidden + 2 * intermediate + 2 * dropout * hidden) + 4 * 2 * hidden
    fused = architecture.head_size <= 256 if gpu else not (dropout or bf16)
    if not fused:
        weight = 4 if gpu else product
        rounded_again = product if gpu and bf16 else 0
        position += architecture.heads * seq_len * (weight * (1 + 2 * dropout) + rounded_again)
    # The last layer is computed where something is predicted, or for NSP; elsewhere it has its
    # input, keys and values only.
    wanted = min(predictions + architecture.nsp, seq_len)
    elsewhere = product * 3 * hidden
    positions = seq_len * (architecture.depth - 1) + wanted
    layers = positions * position + (seq_len - wanted) * elsewhere
    # Scores, their logarithms and the gradient; in bf16 scores and gradient once more.
    prediction = architecture.vocab_size * (3 * 4 + (2 * product if bf16 else 0))
    per_row = layers + predictions * prediction
    return (
        MemoryNeed(fixed, per_row) if gpu else MemoryNeed(fixed + _LIBRARIES, per_row * _FRAGMENTS)
    )


def _whatever_the_rows(
    architecture: Architecture, gpu: bool, processes: int, zero_stage: int
) -> float:
    """Bytes of weights, gradients and moments at the most; a checkpoint takes no more."""
    parameters = architecture.parameter_count()
    weights = float(parameters * BYTES_PER_WEIGHT)
    if not zero_stage:  # several processes add up their gradients in a copy
        copied = min(parameters, _ADDED_UP_AT_ONCE) * BYTES_PER_WEIGHT if processes > 1 else 0
        return weights * (2 + MOMENTS) + copied
    share = weights / processes
    kept = weights + share * (1 + MOMENTS)  # AdamW has its share of the weights for itself
    bucket = 2 * bucket_elements(parameters) * BYTES_PER_WEIGHT  # and what is cut out of it
    # Of the gradients the share, and a copy of it in one piece, or before that, one by one, in
    # float64 for their norm.
    largest = architecture.hidden * max(architecture.vocab_size, architecture.intermediate)
    shared = share + max(share, 2 * min(largest * BYTES_PER_WEIGHT, share))
    if not gpu:
        # Memory of the gradients, in small pieces, is free but not given back when gloo gathers the
        # new weights in a copy.
        gathered = weights if processes > 1 else 0
        return kept + weights + shared + gathered + bucket
    return kept + bucket + (max(weights + share, shared) if zero_stage == 1 else shared)


def bucket_elements(parameters: int) -> int:
    """How many gradients ZeRO puts together before the processes add them up."""
    return min(parameters, max(_SMALLEST_BUCKET, parameters // _BUCKETS))


def checkpoint_bytes(parameters: int, gpu: bool, zero_stage: int) -> float:
    """What the leading process takes of the host's memory, beside the run, for a checkpoint.

    Nothing on a CPU without ZeRO, where weights and moments are written from where they are.
    """
    if gpu:
        return (1 + MOMENTS) * BYTES_PER_WEIGHT * parameters
    return MOMENTS * BYTES_PER_WEIGHT * parameters if zero_stage else 0


def shown_bytes(num_bytes: float) -> str:
    """Bytes as "640 MB" or "1.2 GB"."""
    return f"{num_bytes / 1e9:,.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:,.1f} MB"
