"""How far a plan is while Snakemake runs it, in percent of the time that the scale expects."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from bbert.progress import progress
from bbert.reproduce.cost import expected_seconds
from bbert.reproduce.jobs import Plan
from bbert.reproduce.written_plan import is_made, log_of

_POLL_SECONDS = 0.5
_MOST_OF_ONE = 0.95
"""Share of a run that counts at most before it is complete."""


def watch(plan: Plan, work: Path, process: subprocess.Popen[bytes]) -> None:
    """Show progress until the process ends.

    A complete run counts as long as the scale expects it to take, one that runs as long as it has
    run, but never whole: pretrainings take hours, and a rate of complete runs alone would say
    nothing until the first of them ends.
    """
    expected = {key: expected_seconds(plan.scale, job) for key, job in plan.jobs.items()}
    percent = 100 / sum(expected.values())
    pending = {key: job for key, job in plan.jobs.items() if not is_made(work, job)}
    shown = percent * sum(expected[key] for key in plan.jobs if key not in pending)
    started: dict[str, float] = {}
    with progress(f"{len(plan.jobs)} runs", total=100, unit="%", start=shown) as advance:
        while True:
            ended = process.poll() is not None
            now = time.monotonic()
            pending = {key: job for key, job in pending.items() if not is_made(work, job)}
            for key, job in pending.items():
                if key not in started and log_of(work, job).is_file():  # those of before are gone
                    started[key] = now
            running = sum(
                min(now - started[key], _MOST_OF_ONE * expected[key])
                for key in started.keys() & pending.keys()
            )
            complete = sum(expected[key] for key in plan.jobs if key not in pending)
            found = percent * (complete if ended else complete + running)
            if found > shown:  # a run that failed and starts again takes nothing back
                advance(found - shown)
                shown = found
            if ended:
                return
            time.sleep(_POLL_SECONDS)
