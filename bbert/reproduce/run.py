"""A paper's tables → plan → workflow → report."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bbert.errors import InputError, RunFailed
from bbert.reproduce.changed_files import made_from_other_files, refuse_changed_files
from bbert.reproduce.chosen_tables import chosen_tables, of_rows, of_tasks
from bbert.reproduce.config import ReproduceConfig
from bbert.reproduce.cost import Cost, cost_of, refuse_too_little_disk
from bbert.reproduce.jobs import Plan
from bbert.reproduce.listing import listing
from bbert.reproduce.missing_files import refuse_missing_data
from bbert.reproduce.plan import make_plan
from bbert.reproduce.profile import in_containers, is_cluster
from bbert.reproduce.recipe import load_recipes
from bbert.reproduce.rehearsal import FOLDER as REHEARSAL_FOLDER
from bbert.reproduce.rehearsal import rehearsed
from bbert.reproduce.scale import load_scale
from bbert.reproduce.shipped import pipelines_folder
from bbert.reproduce.workflow import run_workflow
from bbert.reproduce.written_plan import log_of, write_plan, write_tables
from bbert.run_differences import OTHER_OPTIONS
from bbert.run_directory import STAGE_FOLDERS, RunDirectory
from bbert.stage_config import DryRun, joined_name
from bbert.usable_processors import usable_processors

if TYPE_CHECKING:
    from rich.console import RenderableType

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reproduced:
    """The report of the reproduced tables, the log of every run that failed, and how many runs
    were not started because they need one of those."""

    report: RunDirectory
    failed: Mapping[str, Path]
    num_waiting: int = 0

    @property
    def exit_code(self) -> int:
        """1 where a run failed: its cells are empty."""
        return 1 if self.failed or self.num_waiting else 0

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        from bbert.report.run import tables_of

        tables = {table.identifier: table for table in tables_of(self.report)}
        shown = [t for key, t in tables.items() if key.startswith("reproduced-")]
        claims = [t for key, t in tables.items() if key.startswith("claims-")]
        shown += [tables["claims"]] if "claims" in tables else claims
        lines = [line for key, log in self.failed.items() for line in _why(key, log)]
        lines += [f"{self.num_waiting} runs that need them were not started"] * bool(
            self.num_waiting
        )
        lines += ["the same command tries the failed runs again"] if lines else []
        lines += [f"page: {self.report.path / 'report.html'}"]
        return Group(*(table.to_rich() for table in shown),
                     *(Text(line, no_wrap=True, overflow="ignore") for line in lines))  # fmt: skip


def run(config: ReproduceConfig) -> Reproduced | DryRun | RenderableType:
    """Plan, run and report the tables that `config` names."""
    folder = pipelines_folder()
    scale = load_scale(folder / "scales", config.scale).with_seeds(config.seed, config.seeds)
    if config.rehearse:
        scale = rehearsed(scale)
        config = replace(config, work=config.work / REHEARSAL_FOLDER)
    recipes = load_recipes(folder / "recipes", scale)
    chosen = chosen_tables(recipes, config.paper, config.table)
    chosen = of_rows(of_tasks(chosen, config.task), config.rows)
    for part, names in (("tasks", config.task), ("rows", config.rows)):
        if names:
            scale = replace(scale, says=f"{scale.says}; of its {part} {', '.join(names)} alone")
    if config.list:
        return listing(chosen, scale, config.work, config.data)
    data = None if config.data is None else config.data.resolve()
    plan = make_plan(chosen, scale, data)
    of_cluster = is_cluster(config.profile)
    if config.nodes * config.tasks_per_node > 1 and not of_cluster:
        raise InputError(
            f"--nodes and --tasks-per-node need srun, --profile {config.profile} is of this "
            "machine; give a cluster's, or leave them out: the GPUs here are shared out anyway"
        )
    if config.cores and of_cluster:
        raise InputError(
            f"--cores {config.cores} is of this machine, --profile {config.profile} of a cluster; "
            "leave --cores out and set the jobs' processors in the profile"
        )
    gpus = visible_gpus() if scale.gpu else 0
    cores = config.cores or usable_processors()
    forced = config.force or config.renew
    again = refuse_changed_files(plan, config.work, force=True) if forced else []
    cost = cost_of(plan, config.work, gpus or cores, again)
    lacks_gpu = scale.gpu and not gpus and config.profile is None
    estimates = _estimates(plan, cost, lacks_gpu, 1 if of_cluster else gpus or cores)
    name = config.name or default_name(config)
    final = config.work / STAGE_FOLDERS["report"] / name
    if config.dry_run:
        return DryRun(config, final, estimates)
    if config.nodes * config.tasks_per_node > 1 and in_containers(config.profile):
        raise InputError("--nodes and --tasks-per-node need srun; a container has one process")
    refuse_missing_data(plan, data)
    if not forced:
        refuse_changed_files(plan, config.work, force=False)
    refuse_too_little_disk(cost, config.work)
    for quantity, value in estimates.items():
        logger.info("%s: %s", quantity, value)
    threads = max(1, cores // gpus) if gpus else 1
    each = 1 if scale.gpu and (gpus or config.profile) else 0  # a cluster has GPUs of its own
    layout = {"nodes": config.nodes, "tasks_per_node": config.tasks_per_node}
    written = write_plan(plan, config.work, name, threads, each, layout)
    failed = run_workflow(
        plan, written, config.work, folder / "Snakefile",
        cores if config.profile is None else config.cores, gpus, config.profile, again,
    )  # fmt: skip
    logs = {key: log for key in failed if (log := log_of(config.work, plan.jobs[key])).is_file()}
    if made_from_other_files(plan, config.work).keys() - set(failed):  # a job writes the sample
        refuse_changed_files(plan, config.work, force=False)
    write_tables(plan, written.tables, failed)
    report = _report(config, name, written.tables, logs)
    return Reproduced(report, logs, num_waiting=len(failed) - len(logs))


def _why(key: str, log: Path) -> Iterator[str]:
    """That a run failed, where to look, and the mend that its own command cannot know."""
    yield f"failed: {key}: see {log}"
    if OTHER_OPTIONS in log.read_text(encoding="utf-8", errors="replace"):
        stage, name = key.split("/")
        yield (f"  remove the folder {STAGE_FOLDERS[stage]}/{name}, or {name}.partial beside it: "
               "it was made with other options")  # fmt: skip


def default_name(config: ReproduceConfig) -> str:
    """The report's folder: paper, tables and figures, scale, tasks and rows if not all, seeds if
    not the scale's own, rehearsal."""
    tables = [name for name in dict.fromkeys(config.table) if not name.startswith("figure")]
    figures = [name for name in dict.fromkeys(config.table) if name not in tables]
    asked_for = [f"table{'+'.join(tables)}"] * bool(tables) + figures
    parts = [config.paper or "all", *asked_for, config.scale]
    parts += ["+".join(dict.fromkeys(names)) for names in (config.task, config.rows)]
    parts += [f"{key}{value}" for key in ("seeds", "seed") if (value := getattr(config, key))]
    parts += ["rehearsal"] * config.rehearse  # the title of its page
    return joined_name([part.replace("/", "_") for part in parts if part])


def visible_gpus() -> int:
    """GPUs of this machine that may be used; 0 where there is no driver."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([part for part in visible.split(",") if part.strip() not in ("", "-1")])
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def _report(
    config: ReproduceConfig, name: str, plan: Path, failed: Mapping[str, Path]
) -> RunDirectory:
    from bbert.report.config import ReportConfig
    from bbert.report.run import run as write_report

    try:
        report = write_report(
            ReportConfig(work=config.work, name=name, plan=plan, quiet=config.quiet)
        )
    except InputError as error:
        first, log = next(iter(failed.items()), ("the workflow", config.work / "logs"))
        others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise RunFailed(f"{error}\n{first}{others} failed: see {log}") from None
    assert isinstance(report, RunDirectory)
    return report


def _estimates(plan: Plan, cost: Cost, lacks_gpu: bool, slots: int) -> dict[str, str]:
    stages = ", ".join(f"{count} {stage}" for stage, count in sorted(cost.pending.items()))
    origin = "from the runs that are there" if cost.measured else "from the scale's own figures"
    if lacks_gpu and not cost.measured:
        origin = "on GPUs, and there is none here: many times that; --scale laptop needs none"
    at_once = max(1, min(slots, cost.pending.total()))
    memory = "not measured at this scale; `--dry-run` of a stage tells its own"
    if (each := plan.scale.memory_gb) is not None:
        memory = f"about {each * at_once:,.1f} GB at most ({at_once} at a time)"
    tables = ", ".join(f"{table['paper']} {table['table']}" for table in plan.tables)
    return {
        "tables": tables,
        "runs": f"{cost.pending.total()} to do ({stages or 'none'}), {cost.done} done",
        "time": f"about {_clock(cost.seconds)} ({origin})",
        "memory": memory,
        "disk": f"about {cost.bytes / 1e6:,.0f} MB",
    }


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
