"""When and what a run keeps: its checkpoints, and a disk that is full now and then.

A checkpoint that cannot be written costs a line in the log, not the run: training goes on, and the
next one that is due is the next attempt. The leading process writes; all know what was written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bbert.pretrain.checkpoint import Checkpoint, read_checkpoint, step_of, write_checkpoint
from bbert.pretrain.process_group import ProcessGroup

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


@dataclass
class Saving:
    """The checkpoints of a run under way.

    Attributes:
        folder: the run's `checkpoints/`.
        identity: what the run is; a checkpoint of another one is not read.
        keep_last, keep_best: see `checkpoint.write_checkpoint`.
        last: the newest that was written or read.
        best_loss: lowest validation loss so far.
    """

    folder: Path
    identity: Mapping[str, Any]
    group: ProcessGroup
    keep_last: int
    keep_best: bool
    last: Path | None = None
    best_loss: float = float("inf")
    _last_step: int | None = None
    _measured: tuple[int, float] | None = None

    def resume(self, checkpoint: Checkpoint) -> None:
        """The run goes on from `checkpoint`."""
        progress = checkpoint.progress
        self.last, self._last_step = checkpoint.path, checkpoint.step
        best = progress.get("best_validation_loss")
        self.best_loss = float("inf") if best is None else float(best)
        if progress.get("validation_loss") is not None:
            self._measured = checkpoint.step, float(progress["validation_loss"])

    def measured(self, step: int, validation_loss: float | None) -> bool:
        """Take note of a validation; True where it is the best and to be kept as a checkpoint."""
        self._measured = None if validation_loss is None else (step, validation_loss)
        if validation_loss is None or not validation_loss < self.best_loss:
            return False
        self.best_loss = validation_loss
        return self.keep_best

    def has(self, step: int) -> bool:
        """Whether the last checkpoint is of this step."""
        return self._last_step == step

    def save(
        self,
        tensors: Mapping[str, torch.Tensor],
        progress: Mapping[str, Any],
        before: Callable[[], None],
    ) -> None:
        """Write a checkpoint, or say why not; every process must call it.

        Args:
            tensors: what the leading process has from `Engine.state`.
            progress: `step` and what else a run needs to go on.
            before: called first; what it writes to the disk belongs to the checkpoint.
        """
        step = int(progress["step"])
        if self.group.leads:
            loss = self._measured[1] if self._measured and self._measured[0] == step else None
            best = None if self.best_loss == float("inf") else self.best_loss
            content = {
                **progress,
                "identity": dict(self.identity),
                "validation_loss": loss,
                "best_validation_loss": best,
            }
            try:
                before()
                self.last = write_checkpoint(
                    self.folder, tensors, content, self.keep_last, self.keep_best
                )
            except OSError as error:
                logger.warning(
                    "step %s: no checkpoint could be written (%s); training goes on and tries "
                    "again at the next one, the last good one is %s",
                    f"{step:,}", error.strerror or error, self.last or "none yet",
                )  # fmt: skip
        self.last = self.group.broadcast(self.last)
        self._last_step = None if self.last is None else step_of(self.last)


def read_in_all(path: Path, group: ProcessGroup) -> Checkpoint:
    """A checkpoint that the leading process reads, in every process: no other needs its files."""
    own = read_checkpoint(path) if group.leads else None
    progress = group.broadcast(own.progress if own else None)
    tensors = group.broadcast_tensors(own.tensors if own else {})
    return Checkpoint(path, tensors, progress)
