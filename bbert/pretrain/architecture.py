"""The shape of a B-BERT: its sizes, its parameter count and its arithmetic.

Free of torch, so that `bbert params` and `--help` answer at once. Parameters are counted as in
K et al. 2020 (tables 4-7): everything that is trained, the heads of the two objectives included,
the decoder once because it is tied to the word embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass

NUM_SEGMENTS = 2


@dataclass(frozen=True)
class Architecture:
    """Sizes of a BERT for pretraining; raises ValueError naming the option and the mend."""

    depth: int
    heads: int
    hidden: int
    intermediate: int
    vocab_size: int
    max_positions: int = 512
    dropout: float = 0.1
    nsp: bool = True

    def __post_init__(self) -> None:
        for option in ("depth", "heads", "hidden", "intermediate", "vocab_size", "max_positions"):
            value = getattr(self, option)
            if value < 1:
                flag = f"--{option.replace('_', '-')}"
                raise ValueError(f"{flag} {value} must be at least 1")
        if self.hidden % self.heads:
            below = self.hidden // self.heads * self.heads
            choices = f"{below} or {below + self.heads}" if below else f"{self.heads}"
            raise ValueError(
                f"--hidden {self.hidden} is not divisible by --heads {self.heads}; "
                f"use --hidden {choices}, or other heads"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"--dropout {self.dropout} must be at least 0 and below 1")

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads

    def parameters_by_part(self) -> dict[str, int]:
        """Trained parameters of each part; the keys are what a table shows."""
        hidden, intermediate = self.hidden, self.intermediate
        layer_norm = 2 * hidden
        square = hidden * hidden + hidden
        attention = 4 * square + layer_norm
        feed_forward = 2 * hidden * intermediate + intermediate + hidden + layer_norm
        parts = {
            "word embeddings": self.vocab_size * hidden,
            "position embeddings": self.max_positions * hidden,
            "segment embeddings": NUM_SEGMENTS * hidden,
            "embedding LayerNorm": layer_norm,
            "attention": self.depth * attention,
            "feed-forward": self.depth * feed_forward,
            "MLM head": square + layer_norm + self.vocab_size,
        }
        if self.nsp:
            parts["pooler"] = square
            parts["NSP head"] = 2 * hidden + 2
        return parts

    def parameter_count(self) -> int:
        """All trained parameters, heads of the objectives included (K et al. 2020, tables 4-7)."""
        return sum(self.parameters_by_part().values())

    def training_flops_per_token(self, seq_len: int, predicted_share: float = 1.0) -> float:
        """Floating-point operations of forward and backward pass for one token position.

        Two operations per multiply-add, three products per weight (forward, input gradient, weight
        gradient). The pooler and the NSP head, one position per row, are left out.

        Args:
            seq_len: row length; attention grows with it.
            predicted_share: share of the positions that pass through the MLM head and through the
                last layer, but for its keys and values: 1 for a dense head, `mlm_probability` for
                the masked positions only.
        """
        keys_and_values = 2 * self.hidden**2
        rest = 2 * self.hidden**2 + 2 * self.hidden * self.intermediate + 2 * seq_len * self.hidden
        head = self.hidden**2 + self.vocab_size * self.hidden
        everywhere = self.depth * keys_and_values + (self.depth - 1) * rest
        return 6.0 * (everywhere + predicted_share * (rest + head))


def hidden_for_target(
    target: int,
    depth: int,
    heads: int,
    vocab_size: int,
    intermediate: int | None = None,
    max_positions: int = 512,
    nsp: bool = True,
) -> Architecture:
    """The architecture whose hidden size, a multiple of `heads`, comes nearest to `target`.

    Args:
        target: wanted number of parameters.
        intermediate: width of the feed-forward layer; None for four times the hidden size.

    Raises:
        ValueError: even one dimension per head has more parameters than `target`.
    """

    def with_head_size(head_size: int) -> Architecture:
        hidden = head_size * heads
        return Architecture(
            depth=depth,
            heads=heads,
            hidden=hidden,
            intermediate=4 * hidden if intermediate is None else intermediate,
            vocab_size=vocab_size,
            max_positions=max_positions,
            nsp=nsp,
        )

    smallest = with_head_size(1)
    if smallest.parameter_count() > target:
        raise ValueError(
            f"--target {target:,} is below the {smallest.parameter_count():,} parameters of hidden "
            f"size {heads}; raise it, or lower --depth, --heads or --vocab-size"
        )
    low, high = 1, 2
    while with_head_size(high).parameter_count() <= target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if with_head_size(middle).parameter_count() <= target:
            low = middle
        else:
            high = middle
    below, above = with_head_size(low), with_head_size(high)
    if above.parameter_count() - target < target - below.parameter_count():
        return above
    return below
