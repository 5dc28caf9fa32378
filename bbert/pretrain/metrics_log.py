"""What a run tells while it trains: `metrics.jsonl` and TensorBoard, cut back when it resumes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bbert.pretrain.event_file import EventFile
from bbert.pretrain.waiting_file import WaitingFile

logger = logging.getLogger(__name__)

METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"


class MetricsLog:
    """Appends rows to a run's `metrics.jsonl` and to its TensorBoard folder.

    Rows from step `first` on are dropped on opening: a run that was killed wrote them after its
    last checkpoint, and writes them again. So is a last line that was cut off. Without a checkpoint
    (`first` 0) the run starts anew and so do both files.
    """

    def __init__(self, run_path: Path, first: int) -> None:
        path = run_path / METRICS
        kept = [row for row in read_metrics(path) if row["step"] < first]
        temporary = path.with_name(f".{METRICS}")
        temporary.write_text("".join(map(_line, kept)), encoding="utf-8")
        temporary.replace(path)
        self._file = WaitingFile(path)
        self._board = EventFile(run_path / TENSORBOARD, first)

    def write(self, row: Mapping[str, Any]) -> None:
        """Add one row; `step` is its key. Where the disk is full it waits for the next one."""
        for add in (lambda: self._file.add(_line(row).encode()), lambda: self._board.write(row)):
            try:
                add()
            except OSError as error:
                logger.warning("%s: %s; its rows wait in memory", error.filename, error.strerror)

    def sync(self) -> None:
        """Make the rows survive a power cut, as a checkpoint that follows them does.

        Raises:
            OSError: they could not be written.
        """
        self._file.sync()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._board.close()
        except OSError as error:  # a full disk; the rows are what counts
            logger.warning(
                "TensorBoard's curves end early (%s); %s has them all", error.strerror, METRICS
            )
        self._file.close()


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
