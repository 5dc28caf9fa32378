"""A work folder in which tests stop and repeat `bbert pretrain`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from commands import Command
from tiny_corpus import build_tiny_corpus

from bbert.pretrain.checkpoint import list_checkpoints
from bbert.pretrain.metrics_log import read_metrics

OPTIONS = (
    "--depth", "2", "--heads", "2", "--hidden", "16", "--seq-len", "24", "--batch-size", "6",
    "--dropout", "0.1", "--steps", "200", "--log-every", "10", "--eval-every", "80",
    "--save-every", "7", "--learning-rate", "0.01", "--device", "cpu",
)  # fmt: skip
NOT_OF_THE_RESULT = {"tokens_per_second", "peak_share", "probe_seconds"}


class Laboratory:
    """A work folder with a tiny corpus, and commands that run in it."""

    def __init__(self, folder: Path, logs: Path | None = None) -> None:
        self.folder = logs or folder
        self.work = folder / "work"
        build_tiny_corpus(self.work, documents=30)
        self._logs = 0

    def start(self, name: str, *more: str, prepare: Callable[[], object] | None = None) -> Command:
        self._logs += 1
        log = self.folder / f"{name}-{self._logs}.log"
        arguments = ("pretrain", "--work", str(self.work), "--name", name, *OPTIONS, *more)
        return Command(log, *arguments, prepare=prepare)

    def finish(self, name: str, *more: str) -> str:
        command = self.start(name, *more)
        assert command.wait() == 0, command.output
        return command.output

    def partial(self, name: str) -> Path:
        return self.work / "models" / f"{name}.partial"

    def checkpoints(self, name: str) -> list[Path]:
        return list_checkpoints(self.partial(name) / "checkpoints")

    def losses(self, name: str) -> list[dict[str, Any]]:
        rows = read_metrics(self.work / "models" / name / "metrics.jsonl")
        return [{k: v for k, v in row.items() if k not in NOT_OF_THE_RESULT} for row in rows]

    def weights(self, name: str) -> bytes:
        return (self.work / "models" / name / "model" / "model.safetensors").read_bytes()
