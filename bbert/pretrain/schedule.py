"""What happens at which step of a run."""

from __future__ import annotations

from dataclasses import dataclass

from bbert.pretrain.optimizer import learning_rate


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
