"""Sums that a training keeps on its device, and the rows of `metrics.jsonl` made from them.

Every step fills one line of a small table, without waiting for the device. When a row is due, the
table is added up over the processes and copied to the host once. Because lines are added over
processes first and over steps last, a table that was half full when a run stopped gives the same
row, to the last bit, as one that was never interrupted.

Legend of suffixes: S steps, C columns, L languages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bbert.errors import RunFailed
from bbert.pretrain.process_group import ProcessGroup

if TYPE_CHECKING:
    import torch

_PER_LANGUAGE = ("mlm_loss_L", "mlm_count_L")
_PER_PAIR = ("nsp_loss", "nsp_count", "nsp_correct")
_MAX_EXPONENT = 700.0  # of a perplexity that JSON can hold


class LossNotFinite(RunFailed):
    """The loss or the gradient became NaN or infinite: training cannot go on.

    Attributes:
        step: the first step in which it was.
    """

    def __init__(self, message: str, step: int = 0) -> None:
        super().__init__(message)
        self.step = step


class LossTable:
    """Loss sums of some steps, one line each.

    Columns: summed MLM loss and predictions per language; summed loss, number and right ones of the
    NSP pairs; the gradient's norm.

    Attributes:
        num_lines: lines that are complete; the next one is being filled.
    """

    def __init__(
        self, num_languages: int, nsp: bool, capacity: int, group: ProcessGroup, device: str
    ) -> None:
        """An empty table with room for `capacity` lines."""
        import torch

        self._nsp = nsp
        self._group = group
        columns = len(_PER_LANGUAGE) * num_languages + (len(_PER_PAIR) if nsp else 0) + 1
        self._table_SC = torch.zeros(capacity, columns, dtype=torch.float64, device=device)
        self.num_lines = 0

    def add_outputs(self, outputs: Mapping[str, torch.Tensor]) -> None:
        """Add what the model returned for one micro-batch to the line at hand."""
        import torch

        parts = [outputs[name] for name in _PER_LANGUAGE]
        if self._nsp:
            parts.append(torch.stack([outputs[name] for name in _PER_PAIR]))
        self._table_SC[self.num_lines, :-1] += torch.cat(parts)

    def end_line(self, gradient_norm: torch.Tensor | float = 0.0) -> None:
        """The line at hand is complete; the gradient is the same in all processes."""
        if self._group.leads:
            self._table_SC[self.num_lines, -1] = gradient_norm
        self.num_lines += 1

    def total(self) -> NDArray[np.float64]:
        """The complete lines, added over all processes (S, C); every process must call it."""
        table_SC = self._table_SC[: self.num_lines].clone()
        if self._group.size > 1:
            import torch.distributed as dist

            dist.all_reduce(table_SC)
        return table_SC.cpu().numpy()

    def clear(self) -> None:
        """Start anew."""
        self._table_SC.zero_()
        self.num_lines = 0

    def restore(self, total_SC: NDArray[np.float64]) -> None:
        """Put back what `total` returned; one process holds it for all."""
        import torch

        self.clear()
        self.num_lines = len(total_SC)
        if self._group.leads and self.num_lines:
            self._table_SC[: self.num_lines] = torch.from_numpy(total_SC)


def check_finite(total_SC: NDArray[np.float64], last_step: int) -> None:
    """Raise LossNotFinite, naming the step, where a loss or a gradient is NaN or infinite.

    Args:
        total_SC: from `LossTable.total`.
        last_step: number of the step in its last line.
    """
    bad = np.flatnonzero(~np.isfinite(total_SC).all(axis=1))
    if len(bad):
        step = last_step - len(total_SC) + 1 + int(bad[0])
        what = "gradient" if np.isfinite(total_SC[bad[0], :-1]).all() else "loss"
        raise LossNotFinite(f"the {what} is not finite at step {step}", step)


def losses(total_SC: NDArray[np.float64], languages: Sequence[str], nsp: bool) -> dict[str, float]:
    """Mean losses of the lines of a table, by their names in `metrics.jsonl`.

    `loss` is the objective, `mlm_loss` is in nats per prediction.
    """
    sum_C = total_SC.sum(axis=0)
    num = len(languages)
    loss_L, count_L = sum_C[:num], sum_C[num : 2 * num]
    mlm_loss = _ratio(loss_L.sum(), count_L.sum())
    values = {"loss": mlm_loss, "mlm_loss": mlm_loss}
    if nsp:
        pair_loss, pairs, right = sum_C[2 * num : 2 * num + 3]
        values["nsp_loss"] = _ratio(pair_loss, pairs)
        values["nsp_accuracy"] = _ratio(right, pairs)
        values["loss"] = mlm_loss + values["nsp_loss"]
    for number, language in enumerate(languages):
        if count_L[number]:
            values[f"loss/{language}"] = float(loss_L[number] / count_L[number])
    return values


def training_row(
    step: int,
    total_SC: NDArray[np.float64],
    languages: Sequence[str],
    nsp: bool,
    rate: float,
    tokens_per_second: float,
    peak_tokens_per_second: float,
) -> dict[str, Any]:
    """The row of `metrics.jsonl` for the steps of a table; `grad_norm` is that of the last.

    Args:
        peak_tokens_per_second: speed at which every process would do nothing but multiply, as fast
            as its machine can (`matrix_peak`).
    """
    return {
        "step": step,
        **losses(total_SC, languages, nsp),
        "learning_rate": rate,
        "grad_norm": float(total_SC[-1, -1]),
        "tokens_per_second": round(tokens_per_second, 1),
        "peak_share": round(tokens_per_second / peak_tokens_per_second, 4),
    }


def validation_columns(
    total_SC: NDArray[np.float64], languages: Sequence[str], nsp: bool
) -> dict[str, float]:
    """What a pass over the held-out text adds to a row: losses and perplexity per language."""
    values = losses(total_SC, languages, nsp)
    columns = {f"validation_{name}": value for name, value in values.items()}
    for language in languages:
        if f"loss/{language}" in values:  # else it has no held-out text
            perplexity = math.exp(min(values[f"loss/{language}"], _MAX_EXPONENT))
            columns[f"validation_perplexity/{language}"] = perplexity
    return columns


def _ratio(total: float, count: float) -> float:
    """Mean, or 0 where nothing was counted."""
    return float(total / count) if count else 0.0
