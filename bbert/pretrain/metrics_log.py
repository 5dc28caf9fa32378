"""What a run tells while it trains: `metrics.jsonl` and TensorBoard, cut back when it resumes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"


class MetricsLog:
    """Appends rows to a run's `metrics.jsonl` and to its TensorBoard folder.

    Rows after `last_step` are dropped on opening: a run that was killed wrote them after its last
    checkpoint, and writes them again. So is a last line that was cut off.
    """

    def __init__(self, run_path: Path, last_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._path = run_path / METRICS
        rows = [row for row in read_metrics(self._path) if row["step"] <= last_step]
        temporary = self._path.with_name(f".{METRICS}")
        temporary.write_text("".join(map(_line, rows)), encoding="utf-8")
        temporary.replace(self._path)
        self._stream = self._path.open("a", encoding="utf-8")
        self._board = SummaryWriter(
            str(run_path / TENSORBOARD), purge_step=last_step + 1 if last_step else None
        )

    def write(self, row: Mapping[str, Any]) -> None:
        """Add one row; `step` is its key."""
        self._stream.write(_line(row))
        self._stream.flush()
        for name, value in row.items():
            if name != "step":
                self._board.add_scalar(name, value, row["step"])

    def sync(self) -> None:
        """Make the rows survive a power cut, as a checkpoint that follows them does."""
        os.fsync(self._stream.fileno())

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()
        self._board.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a `metrics.jsonl`, up to the first line that is cut off; [] without the file."""
    rows: list[dict[str, Any]] = []
    if not path.is_file():
        return rows
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                break
            if not isinstance(row, dict) or not isinstance(row.get("step"), int):
                break
            rows.append(row)
    return rows


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row) + "\n"
