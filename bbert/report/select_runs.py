"""Which runs a report is about: those named with what they were made from, or all there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bbert.errors import InputError
from bbert.report.records import (
    CONTENT_FILES,
    RunRecord,
    read_run,
    read_run_or_problem,
)
from bbert.run_directory import STAGE_FOLDERS

_MADE_FROM = {
    "finetune": ("model", "pretrain"),
    "pretrain": ("corpus", "corpus"),
    "probe": ("model", "pretrain"),
}
"""stage → (manifest key with the path of what it was made from, the stage of that)."""
_MOST_NAMES = 8
"""Runs that an error message lists."""


def select_runs(work: Path, names: Sequence[str]) -> list[RunRecord]:
    """The records of a report, in the order corpus, model, transfer, the oldest first.

    Args:
        work: the folder of all runs.
        names: runs by name or folder; a name that several stages use means all of them. Empty: all
            complete runs, and a record with a `problem` for each one that is not.

    Raises:
        InputError: a named run does not exist or cannot be read; there is nothing to report.
    """
    records = _named(work, names) if names else _all(work)
    if not any(record.problem is None for record in records):
        first = next((r.problem for r in records if r.problem), None)
        why = f" ({first})" if first else ""
        raise InputError(
            f"no complete run to report in {work}{why}\n"
            "run `bbert demo` or `bbert corpus build` first, or name the folder with --work"
        )
    order = list(CONTENT_FILES)
    records.sort(key=lambda r: (order.index(r.stage), str(r.manifest.get("finished", "~")), r.name))
    seen: Counter[tuple[str, str]] = Counter()
    for index, record in enumerate(records):
        seen[record.stage, record.name] += 1
        records[index] = replace(record, ordinal=seen[record.stage, record.name])
    return records


def upstream_path(record: RunRecord) -> Path | None:
    """Folder of the run that `record` was made from; None for a corpus or an outside model."""
    if record.stage not in _MADE_FROM:
        return None
    key, stage = _MADE_FROM[record.stage]
    written = record.manifest.get(key)
    if not isinstance(written, str) or not written:
        return None
    folder = Path(written)
    if stage == "pretrain" and folder.name == "model":  # the weights' folder within the run
        folder = folder.parent
    moved = record.resolved.parent.parent / STAGE_FOLDERS[stage] / folder.name
    for candidate in (folder, moved):  # a work folder may have been moved as a whole
        if (candidate / "manifest.json").is_file():
            return candidate.resolve()
    return None


def upstream(record: RunRecord, records: Sequence[RunRecord]) -> RunRecord | None:
    """The record among `records` that `record` was made from."""
    path = upstream_path(record)
    return next((r for r in records if path is not None and r.resolved == path), None)


def select_finished(work: Path, names: Sequence[str], further: Sequence[str]) -> list[RunRecord]:
    """Like `select_runs`, with those runs among `names` that are complete, and `further`.

    Raises:
        InputError: none of `names` is complete.
    """
    folders = [work / STAGE_FOLDERS[stage] for stage in ("finetune", "probe")]
    complete = [n for n in names if any((f / n / "manifest.json").is_file() for f in folders)]
    if not complete:
        raise InputError(f"none of the {len(names)} runs of the plan is complete in {work}")
    return select_runs(work, (*complete, *further))


def _all(work: Path) -> list[RunRecord]:
    records = []
    for stage in CONTENT_FILES:
        folder = work / STAGE_FOLDERS[stage]
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not path.is_dir() or path.name.startswith("."):
                continue
            if path.suffix == ".partial":
                problem = "not complete: run its command again to go on"
                records.append(RunRecord(stage, path, problem=problem))
            elif (path / "manifest.json").is_file():
                records.append(read_run_or_problem(path, stage))
    return records


def _named(work: Path, names: Sequence[str]) -> list[RunRecord]:
    found: dict[Path, RunRecord] = {}
    for name in names:
        for path in _paths_of(work, name):
            record: RunRecord | None = found.setdefault(path.resolve(), read_run(path))
            while record is not None and (path_before := upstream_path(record)) is not None:
                stage = _MADE_FROM[record.stage][1]
                record = found.setdefault(path_before, read_run_or_problem(path_before, stage))
    return list(found.values())


def _paths_of(work: Path, name: str) -> list[Path]:
    folders = [work / STAGE_FOLDERS[stage] for stage in CONTENT_FILES]
    paths = [f / name for f in folders if (f / name / "manifest.json").is_file()]
    if paths:
        return paths
    for candidate in (Path(name), work / name):
        if (candidate / "manifest.json").is_file():
            return [candidate]
    for folder in folders:
        partial = folder / f"{name}.partial"
        if partial.is_dir():
            raise InputError(f"{partial} is not complete; run its command again to go on")
    if Path(name).is_dir():
        raise InputError(f"{name} is no complete run: it has no manifest.json")
    known = sorted(
        p.parent.name for folder in folders for p in folder.glob("*/manifest.json")
        if p.parent.suffix != ".partial"
    )  # fmt: skip
    shown = ", ".join(known[:_MOST_NAMES]) or "none"
    further = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    raise InputError(
        f"no corpus, model or transfer run {name!r} in {work} (there: {shown}{further})"
    )
