"""What is left of a plan to run: time, disk, and files that have to be there first."""

from __future__ import annotations

import shutil
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bbert.errors import InputError
from bbert.reproduce.plan import Job, Plan
from bbert.reproduce.scale import NeededFiles
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


def cost_of(plan: Plan, work: Path, slots: int) -> Cost:
    """Time and disk of the jobs that are not done.

    Args:
        slots: commands that run side by side.
    """
    jobs = list(plan.jobs.values())
    pending = Counter(job.stage for job in jobs if not is_done(work, job))
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


def refuse_missing_data(plan: Plan, data: Path | None) -> None:
    """Raise InputError naming the files that the scale needs and that are not below `data`."""
    if not plan.scale.data:
        return
    if data is None:
        raise InputError(f"--scale {plan.scale.name} reads files: give their folder with --data")
    lines = [
        f"{' or '.join(str(data / path) for path in paths)} ({needed.size}): {needed.fetch}"
        for needed in plan.scale.data
        for paths in _paths(needed, plan.jobs.values())
        if not any(match for path in paths for match in data.glob(path))
    ]
    lines += [f"{data / path}: {says}" for path, says in _named_sets(plan.jobs.values()).items()
              if not (data / path).exists()]  # fmt: skip
    if not lines:
        return
    files = "1 file is" if len(lines) == 1 else f"{len(lines)} files are"
    raise InputError("\n".join([f"--scale {plan.scale.name}: {files} missing", *lines]))


def _paths(needed: NeededFiles, jobs: Iterable[Job]) -> Iterable[Sequence[str]]:
    """The patterns of one kind of file, for each language in which the plan needs it."""
    from bbert.languages import Language

    def source(language: str) -> str:
        return Language.parse(language).source

    languages: dict[str, None] = {}
    for job in jobs:
        if needed.task is not None and job.options.get("task") == needed.task:
            named = [part for lang in job.options["eval_langs"] for part in lang.split("-")]
            learned = job.options["train_lang"].split("+") if "train_lang" in job.options else []
            languages.update(dict.fromkeys(map(source, [*learned, *named])))
        elif (needed.as_text or needed.as_dump) and job.stage == "corpus":
            languages.update(dict.fromkeys(map(source, job.options["languages"])))
    return dict.fromkeys(
        tuple(path.format(language=language) for path in needed.patterns) for language in languages
    )


def _named_sets(jobs: Iterable[Job]) -> dict[Path, str]:
    """The further training and test sets of a plan, by their place in the data folder."""
    from bbert.finetune.evaluation_sets import parse_named_set

    sets = {}
    for job in jobs:
        learned = [job.options["train_set"]] if "train_set" in job.options else []
        for kind, texts in (("test", job.options.get("eval_set", ())), ("training", learned)):
            for found in map(parse_named_set, texts):
                says = f"a {kind} set in {found.language!r}, a file or a folder of task files"
                sets[found.path] = f"{says} ({found.name})"
    return sets
