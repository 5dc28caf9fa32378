"""The training loop: steps, rows of metrics, validations and checkpoints, in that order.

A step reads nothing back from the device. Rows are due every `log_every` steps, at every validation
and at the end; a checkpoint is written after the row of the same step, so that a run that goes on
from it finds in `metrics.jsonl` exactly what was written up to that step. A signal stops the run
between two micro-batches (the step is then given up) or two batches of a validation (its row is
then written when the run goes on), with a checkpoint of the last whole step.

Legend of suffixes: S steps, C columns of `metrics.LossTable`.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bbert.pretrain.batches import Batch, BatchSource
from bbert.pretrain.checkpoint import Checkpoint
from bbert.pretrain.curve_keys import best_layers
from bbert.pretrain.engine import Engine
from bbert.pretrain.inspection import save_for_inspection
from bbert.pretrain.metrics import (
    LossNotFinite,
    LossTable,
    check_finite,
    training_row,
    validation_columns,
)
from bbert.pretrain.metrics_log import MetricsLog
from bbert.pretrain.multilinguality import Multilinguality
from bbert.pretrain.optimizer import learning_rate
from bbert.pretrain.process_group import ProcessGroup
from bbert.pretrain.saving import Saving
from bbert.pretrain.stop_request import StopRequest, stopping_exception
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
    probe_every: int | None = None

    def row_due(self, step: int) -> bool:
        due = step % self.log_every == 0 or self.validation_due(step)
        return due or self.probe_due(step)

    def probe_due(self, step: int) -> bool:
        if self.probe_every is None:
            return False
        return step % self.probe_every == 0 or step == self.steps

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
        tokenizer_dir: the corpus's tokenizer, for a batch that has to be looked at.
        saving: writes the checkpoints.
        multilinguality: what the live curves measure; None without them.
        seconds: spent on steps so far, by earlier processes too.
        probe_seconds: spent on the curves so far, by earlier processes too.
    """

    engine: Engine
    source: BatchSource
    validation: BatchSource
    schedule: Schedule
    rows: list[tuple[int, int]]
    group: ProcessGroup
    run_path: Path
    tokenizer_dir: Path
    saving: Saving
    multilinguality: Multilinguality | None = None
    step: int = 0
    seconds: float = 0.0
    probe_seconds: float = 0.0
    _speed: float = 0.0
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
        self.probe_seconds = float(checkpoint.progress.get("probe_seconds", 0.0))
        self._speed = float(checkpoint.progress.get("tokens_per_second", 0.0))
        self.saving.resume(checkpoint)
        self._table.restore(np.array(checkpoint.progress["losses"], dtype=np.float64))

    def run(self) -> None:
        """Train to the last step.

        Raises:
            LossNotFinite: the loss is NaN or infinite; names the step and the last checkpoint.
            OSError: the last rows could not be written.
            KeyboardInterrupt, SystemExit: SIGINT or another signal, after a checkpoint.
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
            was_due = self._table.num_lines > 0 and schedule.row_due(self.step)  # when it stopped
            if was_due and self._write_row(log, self._finite_total(), stop):
                self._save(log)
            if self.step == 0 and schedule.probe_every is not None:
                untrained = self._probe(stop)  # the floor of the curves
                if log is not None and untrained:
                    log.write({"step": 0, **untrained})
            began, steps_timed = time.monotonic(), 0
            for batch in self._batches() if stop.signal_number is None else ():
                whole = self._train_step(batch, stop)
                steps_timed += whole
                stopping = stop.requested()
                row_due = whole and schedule.row_due(self.step)
                save_due = whole and schedule.save_due(self.step)
                if row_due or save_due or stopping:
                    total_SC = self._finite_total()
                    seconds = time.monotonic() - began
                    self.seconds += seconds
                    self._speed = tokens_per_step * steps_timed / seconds
                    if row_due:
                        save_due |= self._write_row(log, total_SC, stop)
                        stopping = stop.requested()
                    if save_due or (stopping and not self.saving.has(self.step)):
                        self._save(log)
                    began, steps_timed = time.monotonic(), 0
                show(self.step)
                if stopping:
                    break
        if stop.signal_number is not None:
            self._leave(stop.signal_number)

    def _train_step(self, batch: Batch, stop: StopRequest) -> bool:
        """True; False where the step was given up for a signal, and nothing has changed."""
        parts = [batch.slice(*rows).tensors(self.engine.device) for rows in self.rows]
        step = self.step + 1
        trained = self.engine.train_step(parts, self.schedule.rate(step), step, stop.requested)
        if trained is None:
            return False
        outputs, norm = trained
        for output in outputs:
            self._table.add_outputs(output)
        self._table.end_line(norm)
        self.step = step
        return True

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
            raise self._explained(error) from None
        return total_SC

    def _explained(self, error: LossNotFinite) -> LossNotFinite:
        """The error with what helps to find its cause, which the leading process saves."""
        folder = self.run_path / "nan" / f"step-{error.step}"
        shown = f"its batch is in {folder}"
        if self.group.leads:
            size = self.source.settings.batch_size
            batch = self.source.rows(np.arange((error.step - 1) * size, error.step * size))
            try:
                save_for_inspection(folder, batch, self.tokenizer_dir, self.source.languages)
            except OSError as failure:
                shown = f"its batch was not saved ({failure.strerror})"
        return LossNotFinite(
            f"{error}; {shown}\n"
            f"last good checkpoint: {self.saving.last or 'none yet'}; the same command goes on "
            "from it; try a lower --learning-rate under another --name",
            error.step,
        )

    def _write_row(self, log: MetricsLog | None, total_SC: np.ndarray, stop: StopRequest) -> bool:
        """Write the row of this step; True where its validation calls for a checkpoint.

        Nothing is written where a signal ends the validation: the row stays due.
        """
        languages, nsp = self.source.languages, self.source.settings.nsp
        rate = self.schedule.rate(self.step)
        row = training_row(self.step, total_SC, languages, nsp, rate, self._speed)
        perplexities = ""
        if self.schedule.validation_due(self.step):
            measured = self.validate(stop)
            if measured is None:
                return False
            row |= measured
            perplexities = ", ".join(
                f"{language} {row[key]:,.1f}"
                for language in languages
                if (key := f"validation_perplexity/{language}") in row
            )
            logger.info(
                "step %s: loss %.3f, validation perplexity %s",
                f"{self.step:,}", row["loss"], perplexities,
            )  # fmt: skip
        if self.schedule.probe_due(self.step):
            measured = self._probe(stop)
            if measured is None:
                return False
            row |= measured
        best = False
        if self.schedule.validation_due(self.step):
            best = self.saving.measured(self.step, row["validation_loss"] if perplexities else None)
        self._table.clear()
        if log is not None:
            log.write(row)
        return best

    def validate(self, stop: StopRequest) -> dict[str, float] | None:
        """Losses and perplexity per language on the held-out text; every process must call it.

        None where a signal asked to stop before the end.
        """
        num_batches = self.validation.num_batches or 0
        languages, nsp = self.validation.languages, self.validation.settings.nsp
        table = LossTable(len(languages), nsp, num_batches, self.group, self.engine.device)
        stop.restart_pace()
        with self.engine.evaluation() as model:
            for number in range(num_batches):
                if stop.requested():
                    return None
                if number % self.group.size == self.group.rank:
                    tensors = self.validation.batch(number).tensors(self.engine.device)
                    table.add_outputs(model(**tensors))
                table.end_line()
        stop.restart_pace()
        return validation_columns(table.total(), languages, nsp)

    def _probe(self, stop: StopRequest) -> dict[str, float] | None:
        """A point of the multilinguality curves; None where a signal asked to stop before."""
        assert self.multilinguality is not None
        began = time.monotonic()
        stop.restart_pace()
        measured = self.multilinguality.measure(self.engine, self.group, stop.requested)
        stop.restart_pace()
        self.probe_seconds += time.monotonic() - began
        if measured:
            best = best_layers(measured).replace("\n", ", ")
            logger.info("step %s: %s", f"{self.step:,}", best)
        return measured

    def _save(self, log: MetricsLog | None) -> None:
        """Write a checkpoint of this step."""
        tensors = self.engine.state()
        losses = self._table.total().tolist()
        progress = {
            "step": self.step,
            "seconds": round(self.seconds, 3),
            "probe_seconds": round(self.probe_seconds, 3),
            "tokens_per_second": self._speed,
            "losses": losses,
        }
        self.saving.save(tensors, progress, before=log.sync if log else lambda: None)

    def _leave(self, number: int) -> None:
        logger.info(
            "stopped by %s after step %s; the same command goes on from %s",
            signal.Signals(number).name, f"{self.step:,}",
            "there" if self.saving.has(self.step) else self.saving.last or "the beginning",
        )  # fmt: skip
        raise stopping_exception(number)


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
