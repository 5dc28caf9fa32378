"""The training loop: steps, rows of metrics, validations and checkpoints, in that order.

A step reads nothing back from the device. Rows are due every `log_every` steps, at every validation
and at the end; a checkpoint is written after the row of the same step, so that a run that goes on
from it finds in `metrics.jsonl` exactly what was written up to that step.

Legend of suffixes: S steps, C columns of `metrics.LossTable`.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bbert.pretrain.batches import Batch, BatchSource
from bbert.pretrain.checkpoint import CHECKPOINTS, Checkpoint, write_checkpoint
from bbert.pretrain.engine import Engine
from bbert.pretrain.metrics import (
    LossNotFinite,
    LossTable,
    check_finite,
    training_row,
    validation_columns,
)
from bbert.pretrain.metrics_log import MetricsLog
from bbert.pretrain.optimizer import learning_rate
from bbert.pretrain.process_group import ProcessGroup
from bbert.pretrain.stop_request import StopRequest
from bbert.progress import progress

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_PROGRESS = 0.2


@dataclass(frozen=True)
class Schedule:
    """What happens at which step."""

    steps: int
    warmup_steps: int
    learning_rate: float
    log_every: int
    eval_every: int
    save_every: int
    keep_checkpoints: int

    def row_due(self, step: int) -> bool:
        return step % self.log_every == 0 or self.validation_due(step)

    def validation_due(self, step: int) -> bool:
        return step % self.eval_every == 0 or step == self.steps

    def save_due(self, step: int) -> bool:
        return step % self.save_every == 0 or step == self.steps

    def rate(self, step: int) -> float:
        return learning_rate(step, self.learning_rate, self.warmup_steps, self.steps)


@dataclass
class Training:
    """A run under way, in one of its processes.

    Attributes:
        rows: first and end row of each micro-batch of this process within the global batch.
        run_path: folder of the run; the leading process writes there.
        identity: what the run is; kept in its checkpoints.
        seconds: spent on steps so far, by earlier processes too.
        last_checkpoint: the newest that was written or read.
    """

    engine: Engine
    source: BatchSource
    validation: BatchSource
    schedule: Schedule
    rows: list[tuple[int, int]]
    group: ProcessGroup
    run_path: Path
    identity: Mapping[str, Any]
    step: int = 0
    seconds: float = 0.0
    last_checkpoint: Path | None = None
    _table: LossTable = field(init=False)

    def __post_init__(self) -> None:
        settings = self.source.settings
        self._table = LossTable(
            len(self.source.languages),
            settings.nsp,
            min(self.schedule.log_every, self.schedule.steps),
            self.group,
            self.engine.device,
        )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint."""
        self.engine.load_state(checkpoint.tensors, checkpoint.step)
        self.step = checkpoint.step
        self.seconds = float(checkpoint.progress["seconds"])
        self.last_checkpoint = checkpoint.path
        self._table.restore(np.array(checkpoint.progress["losses"], dtype=np.float64))

    def run(self) -> None:
        """Train to the last step.

        Raises:
            LossNotFinite: the loss is NaN or infinite; names the step and the last checkpoint.
            OSError: a checkpoint or a row could not be written.
            KeyboardInterrupt, SystemExit: SIGINT or SIGTERM, after a checkpoint.
        """
        if self.group.leads:
            with MetricsLog(self.run_path, self.step) as log:
                self._run(log)
        else:
            self._run(None)

    def _run(self, log: MetricsLog | None) -> None:
        settings, schedule = self.source.settings, self.schedule
        tokens_per_step = settings.batch_size * settings.seq_len
        shown = _progress(tokens_per_step, schedule.steps, self.step)
        with StopRequest(self.group) as stop, shown as show:
            began, steps_timed = time.monotonic(), 0
            for batch in self._batches():
                self._train_step(batch)
                steps_timed += 1
                stopping = stop.after_step()
                row_due = schedule.row_due(self.step)
                if row_due or stopping or schedule.save_due(self.step):
                    total_SC = self._finite_total()
                    seconds = time.monotonic() - began
                    self.seconds += seconds
                    if row_due:
                        speed = tokens_per_step * steps_timed / seconds
                        self._write_row(log, total_SC, speed)
                    if stopping or schedule.save_due(self.step):
                        self._save(log)
                    began, steps_timed = time.monotonic(), 0
                show(self.step)
                if stopping:
                    break
        if stop.signal_number is not None:
            self._leave(stop.signal_number)

    def _train_step(self, batch: Batch) -> None:
        parts = [batch.slice(*rows).tensors(self.engine.device) for rows in self.rows]
        step = self.step + 1
        outputs, norm = self.engine.train_step(parts, self.schedule.rate(step), step)
        for output in outputs:
            self._table.add_outputs(output)
        self._table.end_line(norm)
        self.step = step

    def _batches(self) -> Iterator[Batch]:
        """The global batches that are left; made ahead where a GPU would wait for them."""
        steps = range(self.step, self.schedule.steps)
        if self.engine.device == "cpu":
            yield from map(self.source.batch, steps)
            return
        with ThreadPoolExecutor(1, "batches") as maker:
            coming = maker.submit(self.source.batch, self.step)
            for step in steps:
                batch = coming.result()
                if step + 1 < self.schedule.steps:
                    coming = maker.submit(self.source.batch, step + 1)
                yield batch

    def _finite_total(self) -> np.ndarray:
        total_SC = self._table.total()
        try:
            check_finite(total_SC, self.step)
        except LossNotFinite as error:
            good = f"last good checkpoint: {self.last_checkpoint or 'none yet'}"
            raise LossNotFinite(f"{error}; {good}; try a lower --learning-rate") from None
        return total_SC

    def _write_row(self, log: MetricsLog | None, total_SC: np.ndarray, speed: float) -> None:
        languages, nsp = self.source.languages, self.source.settings.nsp
        rate = self.schedule.rate(self.step)
        row = training_row(self.step, total_SC, languages, nsp, rate, speed)
        self._table.clear()
        if self.schedule.validation_due(self.step):
            row |= self.validate()
            perplexities = ", ".join(
                f"{language} {row[key]:,.1f}"
                for language in languages
                if (key := f"validation_perplexity/{language}") in row
            )
            logger.info(
                "step %s: loss %.3f, validation perplexity %s",
                f"{self.step:,}", row["loss"], perplexities,
            )  # fmt: skip
        if log is not None:
            log.write(row)

    def validate(self) -> dict[str, float]:
        """Losses and perplexity per language on the held-out text; every process must call it."""
        num_batches = self.validation.num_batches or 0
        languages, nsp = self.validation.languages, self.validation.settings.nsp
        table = LossTable(len(languages), nsp, num_batches, self.group, self.engine.device)
        with self.engine.evaluation() as model:
            for number in range(num_batches):
                if number % self.group.size == self.group.rank:
                    tensors = self.validation.batch(number).tensors(self.engine.device)
                    table.add_outputs(model(**tensors))
                table.end_line()
        return validation_columns(table.total(), languages, nsp)

    def _save(self, log: MetricsLog | None) -> None:
        tensors = self.engine.state()
        losses = self._table.total().tolist()
        if log is None:
            return
        log.sync()
        content = {
            "step": self.step,
            "seconds": round(self.seconds, 3),
            "identity": dict(self.identity),
            "losses": losses,
        }
        folder = self.run_path / CHECKPOINTS
        keep = self.schedule.keep_checkpoints
        self.last_checkpoint = write_checkpoint(folder, tensors, content, keep)

    def _leave(self, number: int) -> None:
        logger.info(
            "stopped by %s after step %s; the same command goes on from there",
            signal.Signals(number).name, f"{self.step:,}",
        )  # fmt: skip
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)


@contextmanager
def _progress(tokens_per_step: int, steps: int, start: int) -> Iterator[Callable[[int], None]]:
    """Progress in tokens, so that its rate is tokens per second; yields `show(step)`."""
    shown, due = start, 0.0
    total = steps * tokens_per_step
    with progress("pretraining", total, "tokens", start * tokens_per_step) as advance:

        def show(step: int) -> None:
            nonlocal shown, due
            now = time.monotonic()
            if now >= due or step == steps:  # a step may be too short to draw it
                advance((step - shown) * tokens_per_step)
                shown, due = step, now + _SECONDS_BETWEEN_PROGRESS

        yield show
