"""What is left of a plan to run: time and disk."""

from __future__ import annotations

import shutil
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bbert.errors import InputError
from bbert.reproduce.plan import Job, Plan
from bbert.reproduce.written_plan import is_done
from bbert.run_directory import list_runs

_SPARE_BYTES = 200_000_000


@dataclass(frozen=True)
class Cost:
    """What a plan still costs on this machine.

    `measured` says that the seconds of at least one stage come from runs in the work folder; else
    they are the scale's own figures.
    """

    pending: Counter[str]
    done: int
    seconds: float
    bytes: int
    measured: bool


def cost_of(plan: Plan, work: Path, slots: int, again: Iterable[Job] = ()) -> Cost:
    """Time and disk of the jobs that are not done.

    Args:
        slots: commands that run side by side.
        again: jobs that are done and will be made again from other files; what is made from them
            counts too. A run that was removed comes out as it was, and what was made from it stays.
    """
    jobs = list(plan.jobs.values())
    changed = {job.key for job in again}
    for job in jobs:  # in this order: what a job needs comes before it
        if not changed.isdisjoint(job.needs):
            changed.add(job.key)
    pending = Counter(job.stage for job in jobs if job.key in changed or not is_done(work, job))
    seconds = 0.0
    measured = False
    for stage, count in pending.items():
        ours = {job.name for job in jobs if job.stage == stage}
        spent = [run.manifest["seconds"] for run in list_runs(work, stage) if run.name in ours]
        measured |= bool(spent)
        seconds += count * (statistics.fmean(spent) if spent else plan.scale.seconds[stage])
    size = sum(count * plan.scale.megabytes[stage] * 1e6 for stage, count in pending.items())
    return Cost(pending, len(jobs) - pending.total(), seconds / max(1, slots), int(size), measured)


def refuse_too_little_disk(cost: Cost, work: Path) -> None:
    """Raise InputError where the plan does not fit on the disk of `work`."""
    place = work
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if cost.bytes + _SPARE_BYTES > free:
        raise InputError(
            f"{work}: {free / 1e9:.1f} GB free, the plan needs about {cost.bytes / 1e9:.1f} GB\n"
            "free some space, name fewer tables, or give another folder with --work"
        )
