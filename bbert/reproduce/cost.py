"""What is left of a plan to run: time and disk.

A scale says what a run of each stage takes. Of pretrainings that is one of its usual size; others
count by their steps, rows, layers and width. The time of a layer grows with its width at first and
with its square later: as `h (h + 128)`, which was within 40 % of what was measured from 12 layers
of 36 to one of 256, and too little for narrower ones (docs/lab-log.md, 2026-11-30).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.reproduce.jobs import Job, Plan
from bbert.reproduce.scale import Scale
from bbert.reproduce.written_plan import is_done
from bbert.run_directory import list_runs

_SPARE_BYTES = 200_000_000
_WIDE = 128
"""Hidden size from which on a layer's time grows rather with the square of its width."""
_START = 0.1
"""Share of a usual pretraining that even the smallest takes."""


@dataclass(frozen=True)
class Cost:
    """What a plan still costs on this machine.

    `measured` says that the seconds of at least one stage that runs a model come from runs in the
    work folder; else they are the scale's own figures.
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
    for stage in pending:
        expected = {j.name: expected_seconds(plan.scale, j) for j in jobs if j.stage == stage}
        left = sum(
            expected[job.name]
            for job in jobs
            if job.stage == stage and (job.key in changed or not is_done(work, job))
        )
        spent = [(run.manifest["seconds"], expected[run.name])
                 for run in list_runs(work, stage) if run.name in expected]  # fmt: skip
        if spent:  # this machine's seconds for one of the scale's
            measured |= stage != "corpus"  # which says nothing of the others
            left *= sum(found for found, _ in spent) / sum(said for _, said in spent)
        seconds += left
    size = sum(count * plan.scale.megabytes[stage] * 1e6 for stage, count in pending.items())
    return Cost(pending, len(jobs) - pending.total(), seconds / max(1, slots), int(size), measured)


def expected_seconds(scale: Scale, job: Job) -> float:
    """What the scale expects one run to take, by the size of the model where it pretrains one."""
    seconds = scale.seconds[job.stage]
    if job.stage != "pretrain":
        return seconds
    return seconds * max(_START, _work(scale, job.options) / _work(scale, scale.pretrain))


def _work(scale: Scale, options: Mapping[str, Any]) -> float:
    """How much a pretraining computes, in a unit of its own."""
    from bbert.pretrain.defaults import K2020, SAMPLE
    from bbert.pretrain.presets import preset_options

    usual = asdict(K2020 if scale.data else SAMPLE)
    size = {**usual, **preset_options(options.get("preset")), **options}
    positions = size["steps"] * size["batch_size"] * size["seq_len"]
    return positions * size["depth"] * size["hidden"] * (size["hidden"] + _WIDE)


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
