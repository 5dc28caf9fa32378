"""Mishaps that a test plants in a `bbert` command, to be given to `commands.Command` as `prepare`.

Each patches the command's own process before the command runs.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


def nan_weight(step: int) -> None:
    """A weight becomes NaN just before `step`."""
    from bbert.pretrain.engine import Engine

    train_step = Engine.train_step

    def planted(self: Engine, parts: Any, rate: float, number: int, *more: Any) -> Any:
        if number == step:
            next(self.model.parameters()).data.view(-1)[7] = float("nan")
        return train_step(self, parts, rate, number, *more)

    Engine.train_step = planted


def slow_validation(marker: Path) -> None:
    """Every batch of a validation takes a second; `marker` says that one has begun."""
    from bbert.pretrain.batches import BatchSource

    batch = BatchSource.batch

    def planted(self: BatchSource, step: int) -> Any:
        if self.split == "validation":
            marker.touch()
            time.sleep(1)
        return batch(self, step)

    BatchSource.batch = planted


def slow_micro_batches(marker: Path, after: Path) -> None:
    """Once `after` exists, a micro-batch takes a second; `marker` says that one has begun."""
    from bbert.pretrain.engine import Engine

    forward_backward = Engine._forward_backward

    def planted(self: Engine, tensors: Any) -> Any:
        if after.exists():
            marker.touch()
            time.sleep(1)
        return forward_backward(self, tensors)

    Engine._forward_backward = planted


def slow_export(marker: Path) -> None:
    """The export takes a minute; `marker` says that it has begun."""
    from bbert.pretrain import export

    to_hugging_face = export.to_hugging_face

    def planted(*arguments: Any) -> None:
        to_hugging_face(*arguments)
        marker.touch()
        time.sleep(60)

    export.to_hugging_face = planted


def no_memory_for_state(step: int) -> None:
    """From `step` on memory is refused to what a checkpoint is made of."""
    from bbert.pretrain.training import Training

    save = Training._save

    def planted(self: Training, log: Any) -> None:
        if self.step >= step:
            self.engine.state = _refused
        save(self, log)

    Training._save = planted


def _refused() -> None:
    raise MemoryError


def show_what_is_alive(file: Path) -> None:
    """Write into `file` which checkpoints a run still holds when it begins to train; end it."""
    import gc

    from bbert.pretrain.checkpoint import Checkpoint
    from bbert.pretrain.training import Training

    def planted(self: Training) -> None:
        gc.collect()
        alive = sum(isinstance(found, Checkpoint) for found in gc.get_objects())
        mapped = Path("/proc/self/maps").read_text().count("state.safetensors")
        file.write_text(f"step {self.step}: {alive} checkpoints, {mapped} files")
        raise SystemExit(3)

    Training.run = planted
