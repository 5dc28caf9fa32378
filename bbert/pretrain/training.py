"""The training loop: steps, rows of metrics, validations and checkpoints, in that order.

A step reads nothing back from the device, but for ZeRO: there DeepSpeed asks three times a step
whether the gradient's norm is finite. Rows are due every `log_every` steps, at every validation
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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bbert.pretrain.batches import BatchSource
from bbert.pretrain.checkpoint import Checkpoint
from bbert.pretrain.curve_keys import best_layers
from bbert.pretrain.engine import Engine
from bbert.pretrain.feed import Parts, parts_of_steps
from bbert.pretrain.inspection import keep_step
from bbert.pretrain.metrics import LossNotFinite, LossTable, check_finite, training_row
from bbert.pretrain.metrics_log import MetricsLog
from bbert.pretrain.multilinguality import Multilinguality
from bbert.pretrain.out_of_memory import saving_explained
from bbert.pretrain.probe_cost import ProbeCost
from bbert.pretrain.process_group import ProcessGroup
from bbert.pretrain.saving import Saving
from bbert.pretrain.schedule import Schedule
from bbert.pretrain.stop_request import StopRequest, stopping_exception
from bbert.pretrain.token_progress import token_progress
from bbert.pretrain.validation import validate

logger = logging.getLogger(__name__)


@dataclass
class Training:
    """A run under way, in one of its processes.

    Attributes:
        rows: first and end row of each micro-batch of this process within the global batch.
        run_path: folder of the run; the leading process writes there.
        tokenizer_dir: the corpus's tokenizer, for a batch that has to be looked at.
        saving: writes the checkpoints.
        peak_tokens_per_second: what `peak_share` is a share of; see `metrics.training_row`.
        multilinguality: what the live curves measure; None without them.
        seconds: spent on steps so far, by earlier processes too.
        probe_cost: what the curves have cost so far.
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
    peak_tokens_per_second: float
    multilinguality: Multilinguality | None = None
    step: int = 0
    seconds: float = 0.0
    probe_cost: ProbeCost = field(default_factory=ProbeCost)
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
        self.probe_cost.seconds = float(checkpoint.progress.get("probe_seconds", 0.0))
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
            with MetricsLog(self.run_path, self._first_row()) as log:
                self._run(log)
        else:
            self._run(None)

    def _row_was_due(self) -> bool:
        """Whether the run stopped while it measured for the row of this step."""
        return self._table.num_lines > 0 and self.schedule.row_due(self.step)

    def _first_row(self) -> int:
        """Step of the first row that this process may write.

        The row that was due may be in the file: a process that wrote it, and was killed before its
        next checkpoint, went on from the same one.
        """
        return self.step if self.step == 0 or self._row_was_due() else self.step + 1

    def _run(self, log: MetricsLog | None) -> None:
        settings, schedule = self.source.settings, self.schedule
        tokens_per_step = settings.batch_size * settings.seq_len
        shown = token_progress(tokens_per_step, schedule.steps, self.step)
        with StopRequest(self.group) as stop, shown as show:
            if self._row_was_due() and self._write_row(log, self._finite_total(), stop):
                self._save(log)
            if self.step == 0 and schedule.probe_every is not None:
                untrained = self._probe(stop)  # the floor of the curves
                if log is not None and untrained:
                    log.write({"step": 0, **untrained})
            began, steps_timed = time.monotonic(), 0
            for parts in self._parts() if stop.signal_number is None else ():
                whole = self._train_step(parts, stop)
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
                    if save_due or (stopping and self._worth_a_checkpoint()):
                        self._save(log)
                    began, steps_timed = time.monotonic(), 0
                show(self.step)
                if stopping:
                    break
        if stop.signal_number is not None:
            self._leave(stop.signal_number)

    def _parts(self) -> Iterator[Parts]:
        """What this process computes in each of the steps that are left."""
        steps = range(self.step, self.schedule.steps)
        return parts_of_steps(self.source, steps, self.rows, self.engine.device)

    def _train_step(self, parts: Parts, stop: StopRequest) -> bool:
        """True; False where the step was given up for a signal, and nothing has changed."""
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

    def _finite_total(self) -> np.ndarray:
        total_SC = self._table.total()
        try:
            check_finite(total_SC, self.step)
        except LossNotFinite as error:
            folder = self.run_path / "nan" / f"step-{error.step}"
            shown = f"its batch is in {folder}"
            if self.group.leads:
                shown = keep_step(folder, self.source, error.step, self.tokenizer_dir)
            raise LossNotFinite(
                f"{error}; {shown}\n"
                f"last good checkpoint: {self.saving.last or 'none yet'}; the same command goes on "
                "from it; try a lower --learning-rate under another --name",
                error.step,
            ) from None
        return total_SC

    def _write_row(self, log: MetricsLog | None, total_SC: np.ndarray, stop: StopRequest) -> bool:
        """Write the row of this step; True where its validation calls for a checkpoint.

        Nothing is written where a signal ends the validation: the row stays due.
        """
        languages, nsp = self.source.languages, self.source.settings.nsp
        rate = self.schedule.rate(self.step)
        row = training_row(
            self.step, total_SC, languages, nsp, rate, self._speed, self.peak_tokens_per_second
        )
        perplexities = ""
        if self.schedule.validation_due(self.step):
            measured = validate(self.engine, self.validation, self.group, stop)
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

    def _probe(self, stop: StopRequest) -> dict[str, float] | None:
        """A point of the multilinguality curves; None where a signal asked to stop before."""
        assert self.multilinguality is not None
        assert self.schedule.probe_every is not None
        began = time.monotonic()
        stop.restart_pace()
        measured = self.multilinguality.measure(self.engine, self.group, stop.requested)
        stop.restart_pace()
        if measured:  # in the leading process
            seconds = time.monotonic() - began
            self.probe_cost.add(seconds, self.step, self.seconds, self.schedule.probe_every)
            best = best_layers(measured).replace("\n", ", ")
            logger.info("step %s: %s", f"{self.step:,}", best)
            measured["probe_seconds"] = round(self.probe_cost.seconds, 3)
        return measured

    def _worth_a_checkpoint(self) -> bool:
        """Before the first step there is nothing to keep, and AdamW has no moments yet."""
        return self.step > 0 and not self.saving.has(self.step)

    def _save(self, log: MetricsLog | None) -> None:
        """Write a checkpoint of this step.

        Raises:
            RunFailed: memory does not suffice for it.
        """
        with saving_explained(self.step, self.engine.state_bytes, self.saving.last):
            tensors = self.engine.state()
            losses = self._table.total().tolist()
            progress = {
                "step": self.step,
                "seconds": round(self.seconds, 3),
                "probe_seconds": round(self.probe_cost.seconds, 3),
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
