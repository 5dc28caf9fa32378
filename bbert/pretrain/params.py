"""`bbert params`: count the parameters of an architecture, or solve its size for a budget.

bbert params --depth 12 --heads 12 --hidden 768 --vocab-size 60000 --json
bbert params --target 132.78M --depth 24
"""

from __future__ import annotations

import json as json_format
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bbert.pretrain.architecture import Architecture, hidden_for_target
from bbert.pretrain.presets import preset_options
from bbert.stage_config import Switch

if TYPE_CHECKING:
    from rich.console import Group

DEFAULT_DEPTH, DEFAULT_HEADS, DEFAULT_HIDDEN = 12, 12, 768
SHOWN_SEQ_LEN = 128
SHOWN_PREDICTED_SHARE = 0.15
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}


@dataclass(frozen=True)
class ParamsConfig:
    """Count the parameters of an architecture, or find the hidden size for a number of them."""

    preset: str | None = None
    """Sizes of a published model, such as k2020-table4-depth6 (docs/reference/presets.md lists
    them); options that are given win over it."""
    depth: int | None = None
    """Number of layers (12)."""
    heads: int | None = None
    """Attention heads of a layer (12)."""
    hidden: int | None = None
    """Hidden size (768 if neither it nor --target is given)."""
    intermediate: int | None = None
    """Width of the feed-forward layer; without it, four times the hidden size."""
    vocab_size: int = 60_000
    """Entries of the vocabulary."""
    max_positions: int = 512
    """Learned positions."""
    nsp: bool = True
    """Count the pooler and the head of next-sentence prediction."""
    target: str | None = None
    """Find the hidden size (nearest multiple of the heads) for this many parameters: "132.78M"."""
    json: Switch = False
    """Print JSON."""
    quiet: Switch = False
    """Only errors and the final result."""
    debug: Switch = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        if self.target is not None and self.hidden is not None:
            raise ValueError("--target finds the hidden size; leave out --hidden, or --target")
        self.architecture()

    def architecture(self) -> Architecture:
        """The architecture that is asked about; raises ValueError naming option and mend."""
        preset = preset_options(self.preset)

        def size(option: str, default: int) -> int:
            given = getattr(self, option)
            return preset.get(option, default) if given is None else given

        depth, heads = size("depth", DEFAULT_DEPTH), size("heads", DEFAULT_HEADS)
        if self.target is not None:
            limits = {"depth": depth, "heads": heads, "vocab-size": self.vocab_size}
            for option, value in (limits | {"max-positions": self.max_positions}).items():
                if value < 1:
                    raise ValueError(f"--{option} {value} must be at least 1")
            return hidden_for_target(
                parse_count(self.target),
                depth,
                heads,
                self.vocab_size,
                self.intermediate,
                self.max_positions,
                self.nsp,
            )
        hidden = size("hidden", DEFAULT_HIDDEN)
        width = 4 * hidden if self.hidden is not None else size("intermediate", 4 * hidden)
        return Architecture(
            depth=depth,
            heads=heads,
            hidden=hidden,
            intermediate=width if self.intermediate is None else self.intermediate,
            vocab_size=self.vocab_size,
            max_positions=self.max_positions,
            nsp=self.nsp,
        )


def parse_count(text: str) -> int:
    """A number of parameters as people write it: "132.78M", "1.2e8", "133,000,000"."""
    number = text.strip().replace(",", "").replace("_", "").lower()
    suffix = number[-1:] if number[-1:] in ("k", "m", "b", "g") else ""
    try:
        count = float(number.removesuffix(suffix)) * _FACTORS[suffix]
        if not 1 <= count < 1e15:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"--target {text!r} is no number of parameters; write 132.78M or 132780000"
        ) from None
    return round(count)


def run(config: ParamsConfig) -> str | Group:
    """The answer: JSON text under `--json`, else a table by part."""
    architecture = config.architecture()
    if not config.json:
        return _table(architecture)
    answer: dict[str, int] = {"parameters": architecture.parameter_count()}
    if config.target is not None:
        answer = {"hidden": architecture.hidden, **answer}
    return json_format.dumps(answer)


def _table(architecture: Architecture) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    total = architecture.parameter_count()
    table = Table(show_footer=True)
    table.add_column("part", footer="all")
    table.add_column("parameters", footer=f"{total:,}", justify="right")
    table.add_column("share", footer="100 %", justify="right")
    for part, count in architecture.parameters_by_part().items():
        table.add_row(part, f"{count:,}", f"{100 * count / total:.1f} %")
    shape = (
        f"depth {architecture.depth}, heads {architecture.heads}, hidden {architecture.hidden}, "
        f"intermediate {architecture.intermediate}, vocabulary {architecture.vocab_size:,}, "
        f"{'with' if architecture.nsp else 'without'} NSP"
    )
    dense = architecture.training_flops_per_token(SHOWN_SEQ_LEN)
    masked = architecture.training_flops_per_token(SHOWN_SEQ_LEN, SHOWN_PREDICTED_SHARE)
    arithmetic = (
        f"training at {SHOWN_SEQ_LEN} positions a row: {masked / 1e6:,.1f} MFLOP a position with "
        f"last layer and MLM head on the masked 15 %, {dense / 1e6:,.1f} with both on all"
    )
    return Group(Text(shape), table, Text(arithmetic))
