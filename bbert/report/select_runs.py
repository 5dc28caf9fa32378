"""Which runs a report is about: those named with what they were made from, or all there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
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
    "finetune": {"model": "pretrain"},
    "pretrain": {"corpus": "corpus"},
    "probe": {"model": "pretrain", "transfer": "finetune", "runs": "finetune"},
}
"""stage → manifest key with the path or paths of what it was made from → the stage of that."""
_STAGES = {folder: stage for stage, folder in STAGE_FOLDERS.items()}
_WEIGHTS = ("model", "model-best")
"""Folders within a run."""
_MOST_NAMES = 8
"""Runs that an error message lists."""


def select_runs(work: Path, names: Sequence[str], planned: Collection[str] = ()) -> list[RunRecord]:
    """The records of a report, in the order corpus, model, transfer, the oldest first.

    Args:
        work: the folder of all runs.
        names: runs by name or folder; a name that several stages use means all of them. Empty: all
            complete runs, and a record with a `problem` for each one that is not.
        planned: those of the names that nobody typed; one that cannot be read becomes a record with
            a `problem` too.

    Raises:
        InputError: a named run does not exist or cannot be read; there is nothing to report.
    """
    records = _named(work, names, planned) if names else _all(work)
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


def upstream_paths(record: RunRecord) -> dict[Path, str]:
    """Folders of the runs that `record` was made from → their stages; none of a corpus or of an
    outside model."""
    found = {_folder(record, stage, written): stage for written, stage in _made_from(record)}
    return {path: stage for path, stage in found.items() if path is not None}


def upstream(record: RunRecord, records: Sequence[RunRecord]) -> RunRecord | None:
    """The record among `records` that `record` was made from; the first where it is several."""
    paths = upstream_paths(record)
    return next((r for r in records if r.resolved in paths), None)


def upstream_or_written(record: RunRecord, records: Sequence[RunRecord]) -> list[RunRecord | str]:
    """Everything that `record` was made from: the one of `records`, or what its manifest says."""
    known = {r.resolved: r for r in records}
    found: dict[object, RunRecord | str] = {}
    for written, stage in _made_from(record):
        path = _folder(record, stage, written)
        key = path or (stage, _run_of(written).name)
        found[key] = written if path is None else known.get(path, written)
    return list(found.values())


def _made_from(record: RunRecord) -> Iterator[tuple[str, str]]:
    """(path or name, stage) of what `record` was made from, as its manifest says it."""
    for key, stage in _MADE_FROM.get(record.stage, {}).items():
        written = record.manifest.get(key)
        for one in written if isinstance(written, list) else [written]:
            if isinstance(one, str) and one:
                yield one, stage
    if record.stage == "probe":  # probes that it read, and models beside, are among its inputs only
        for entry in record.manifest.get("inputs") or []:
            file = Path(str(entry.get("path")))
            run = _run_of(str(file.parent))
            within = file.name == "results.json" or run != file.parent
            if within and (stage := _STAGES.get(run.parent.name)):
                yield str(run), stage


def _run_of(written: str) -> Path:
    """The folder of a run, whose weights `written` may name."""
    folder = Path(written)
    within = folder.name in _WEIGHTS and folder.parent.name not in _STAGES
    return folder.parent if within else folder


def _folder(record: RunRecord, stage: str, written: str) -> Path | None:
    """The run that `written` names; None where there is none."""
    folder = _run_of(written)
    moved = record.resolved.parent.parent / STAGE_FOLDERS[stage] / folder.name
    for candidate in (folder, moved):  # a work folder may have been moved as a whole
        if (candidate / "manifest.json").is_file():
            return candidate.resolve()
    return None


def select_finished(work: Path, names: Sequence[str], further: Sequence[str]) -> list[RunRecord]:
    """Like `select_runs`, with those runs among `names` that are complete, and `further`.

    Raises:
        InputError: none of `names` is complete.
    """
    folders = [work / STAGE_FOLDERS[stage] for stage in ("finetune", "probe")]
    complete = [n for n in names if any((f / n / "manifest.json").is_file() for f in folders)]
    if not complete:
        raise InputError(f"none of the {len(names)} runs of the plan is complete in {work}")
    return select_runs(work, (*complete, *further), planned=set(complete).difference(further))


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


def _named(work: Path, names: Sequence[str], planned: Collection[str]) -> list[RunRecord]:
    found: dict[Path, RunRecord] = {}
    for name in names:
        waiting = []
        for path in _paths_of(work, name):
            stage = _STAGES.get(path.parent.name) if name in planned else None
            record = read_run_or_problem(path, stage) if stage else read_run(path)
            waiting.append(found.setdefault(path.resolve(), record))
        while waiting:
            for path, stage in upstream_paths(waiting.pop()).items():
                if path not in found:
                    found[path] = read_run_or_problem(path, stage)
                    waiting.append(found[path])
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
        if p.parent.suffix != ".partial" and not p.parent.name.startswith(".")
    )  # fmt: skip
    shown = ", ".join(known[:_MOST_NAMES]) or "none"
    further = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    raise InputError(
        f"no corpus, model, transfer run or probe {name!r} in {work} (there: {shown}{further})"
    )
