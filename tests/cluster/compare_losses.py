"""compare_losses.py MODELS RUN: the losses of a run are those of the run "alone" beside it."""

from __future__ import annotations

import sys
from pathlib import Path

from bbert.pretrain.metrics_log import read_metrics


def main(models: Path, name: str) -> None:
    """Print the largest relative difference; fail from 1e-6 on."""
    alone, here = (read_metrics(models / run / "metrics.jsonl") for run in ("alone", name))
    assert len(alone) == len(here) > 0, (len(alone), len(here))
    worst = max(
        abs(other[key] / row[key] - 1)
        for row, other in zip(alone, here, strict=True)
        for key in row
        if "loss" in key
    )
    assert worst < 1e-6, worst
    sys.stdout.write(f"{name}: losses as alone, largest relative difference {worst:.1e}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
