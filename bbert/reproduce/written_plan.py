"""A plan as files: one YAML per command, one JSON for the workflow, one for the report.

    <work>/plans/<name>.json            tables, cells and claims: what `bbert report --plan` reads
    <work>/plans/<name>.jobs.json       commands with what they need: what the Snakefile reads
    <work>/plans/<stage>/<run>.yaml     options of one command

    <work>/done/<stage>/<run>           the workflow's mark that this command has ended well

A file is written only where its content changes: Snakemake runs anew what depends on a newer file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bbert.reproduce.jobs import Job, Plan
from bbert.run_directory import STAGE_FOLDERS


@dataclass(frozen=True)
class WrittenPlan:
    """Where the two JSON files lie."""

    tables: Path
    jobs: Path


def write_plan(
    plan: Plan,
    work: Path,
    name: str,
    threads: int,
    gpus: int,
    layout: Mapping[str, int] | None = None,
) -> WrittenPlan:
    """Write the plan below `work/plans`.

    Args:
        threads: processors of one command.
        gpus: GPUs of one command that runs a model; 0 on a machine without.
        layout: `nodes` and `tasks_per_node` of one pretraining; one process without it.
    """
    import yaml

    folder = work / "plans"
    folder.mkdir(parents=True, exist_ok=True)
    for job in plan.jobs.values():
        options = yaml.safe_dump({"name": job.name, **job.options}, sort_keys=False)
        write_file(folder / job.stage / f"{job.name}.yaml", options)
    jobs = {
        job.key: {
            "command": job.command,
            "needs": list(job.needs),
            "threads": threads,
            "gpus": 0 if job.stage == "corpus" else gpus,
        }
        for job in plan.jobs.values()
    }
    written = WrittenPlan(folder / f"{name}.json", folder / f"{name}.jobs.json")
    write_tables(plan, written.tables)
    write_file(written.jobs, _json({"jobs": jobs, **(layout or {})}))
    return written


def write_tables(plan: Plan, path: Path, failed: Sequence[str] = ()) -> None:
    """Write what the report reads; `failed` are the keys of runs that a report does without, though
    one of before may stand."""
    write_file(path, _json({"tables": plan.tables, "failed": sorted(failed)}))


def is_done(work: Path, job: Job) -> bool:
    """Whether the job's run is complete."""
    return (work / STAGE_FOLDERS[job.stage] / job.name / "manifest.json").is_file()


def mark_of(work: Path, job: Job) -> Path:
    """What the workflow touches when the job's command has ended well, and removes before it."""
    return work / "done" / job.key


def is_made(work: Path, job: Job) -> bool:
    """Whether the job's run is complete, and no command of it is missing or failed since."""
    return is_done(work, job) and mark_of(work, job).is_file()


def forget(work: Path, jobs: Iterable[Job]) -> None:
    """Let the workflow call the commands of `jobs`, whose logs say nothing more until then."""
    for job in jobs:
        mark_of(work, job).unlink(missing_ok=True)
        log_of(work, job).unlink(missing_ok=True)


def log_of(work: Path, job: Job) -> Path:
    """What the job's command printed."""
    return work / "logs" / job.stage / f"{job.name}.log"


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def write_file(path: Path, text: str) -> Path:
    """Write `text` whole or not at all, and not where it stands there already; returns `path`."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return path
