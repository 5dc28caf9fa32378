"""A stage that counts, for the tests of what all stages share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bbert.run_directory import open_run
from bbert.stage_config import EXECUTION, StageConfig


@dataclass(frozen=True)
class CountConfig(StageConfig):
    """A stage for the tests."""

    limit: int = 3
    """How far to count."""
    nsp: bool = True
    """A switch."""
    processes: int = field(default=1, metadata=EXECUTION)
    """Cannot change the result."""


def count(config: CountConfig, inputs: tuple[Path, ...] = (), fail_at: int | None = None) -> bool:
    """Write one file per step; True where something was computed."""
    with open_run("corpus", config.name or "run", config, inputs) as run:
        if run.up_to_date:
            return False
        for number in range(config.limit):
            with run.step(f"number-{number}") as step:
                if not step.done:
                    if number == fail_at:
                        raise RuntimeError("planted")
                    (run.path / f"{number}.txt").write_text(str(number))
                    step.counts["written"] = number
            run.counts[f"number-{number}"] = step.counts["written"]
        run.finish()
        return True
