"""Finished transfer and probe runs as the other probes read them: JSON only, checked.

A run that was named must be usable. Of all the runs of a work folder those that cannot be used are
left out, each with the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.json_files import read_json
from bbert.run_directory import STAGE_FOLDERS, RunDirectory, find_run
from bbert.stage_config import given_options

_NO_PART_OF_A_SETTING = frozenset({"seed", "seeds", "eval_langs", "eval_set"})
_TRANSFER_KEYS = (
    "task", "metric", "model", "train_language", "fusion", "random_init", "seeds", "languages",
    "cross_lingual_gap",
)  # fmt: skip
_SCORE_KEYS = ("n", "values", "mean", "chance")
_PROBE_KEYS = ("probe", "variant", "model", "languages", "measurements")


@dataclass(frozen=True)
class FinishedRun:
    """A complete run: its folder, manifest and results."""

    path: Path
    manifest: dict[str, Any]
    results: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def file(self) -> Path:
        return self.path / "results.json"


@dataclass(frozen=True)
class Finished:
    """Runs that can be used, and name → why not of the others."""

    runs: list[FinishedRun]
    problems: dict[str, str]


def transfer_runs(work: Path, names: Sequence[str], task: str | None) -> Finished:
    """The transfer runs called `names`, or all of `task` (None: of any).

    Raises:
        InputError: a named run that is not there, not complete or of an older schema; none at all.
    """
    found = _finished(work, "finetune", names)
    runs = [run for run in found.runs if names or task is None or run.results["task"] == task]
    if not runs:
        of = f" of task {task}" if task else ""
        raise InputError(
            f"no usable transfer run{of} in {work / STAGE_FOLDERS['finetune']}{_why(found)}; "
            "run `bbert finetune` first, or name runs with --runs"
        )
    return Finished(runs, found.problems)


def probe_runs(work: Path, names: Sequence[str], probe: str) -> Finished:
    """The probe runs called `names`, or all of `probe`.

    Raises:
        InputError: as `transfer_runs`.
    """
    found = _finished(work, "probe", names)
    runs = [run for run in found.runs if names or run.results["probe"] == probe]
    if not runs:
        raise InputError(
            f"no usable probe run of {probe} in {work / STAGE_FOLDERS['probe']}{_why(found)}; "
            f"run `bbert probe {probe}` first"
        )
    return Finished(runs, found.problems)


def score_of(run: FinishedRun, language: str) -> dict[str, Any]:
    """The scores of a transfer run on one of its languages."""
    return run.results["languages"][language]


def setting_of(run: FinishedRun, work: Path) -> str:
    """What a transfer run was made with, its seeds and test sets apart, as a short hash.

    Runs of one setting repeat each other: all options of the fine-tuning, of the pretraining and of
    the corpus are the same. A model that is no run of this work folder is known by its name.
    """
    config = given_options(run.manifest.get("config") or {})
    config["model"] = _options(work, "pretrain", config.get("model") or run.results["model"])
    kept = {key: value for key, value in config.items() if key not in _NO_PART_OF_A_SETTING}
    canonical = json.dumps(kept, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def _options(work: Path, stage: str, name: str) -> Any:
    """The options of a model or corpus without its seed; its name where there is no such run."""
    path = work / STAGE_FOLDERS[stage] / name
    if not RunDirectory.is_run(path):
        return name
    config = given_options(RunDirectory(path).manifest.get("config") or {"name": name})
    config.pop("seed", None)
    if isinstance(config.get("corpus"), str):
        config["corpus"] = _options(work, "corpus", config["corpus"])
    return config


def _finished(work: Path, stage: str, names: Sequence[str]) -> Finished:
    if names:
        return Finished([_read(find_run(work, stage, name).path, stage) for name in names], {})
    runs: list[FinishedRun] = []
    problems: dict[str, str] = {}
    folder = work / STAGE_FOLDERS[stage]
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.is_dir() or path.name.startswith("."):
            continue
        if path.suffix == ".partial":
            problems[path.name] = "not complete: run its command again to go on"
            continue
        try:
            runs.append(_read(path, stage))
        except InputError as error:
            problems[path.name] = str(error).splitlines()[0]
    usable = [run for run in runs if "layers" in run.results or stage != "probe"]
    return Finished(usable, problems)


def _read(path: Path, stage: str) -> FinishedRun:
    manifest = read_json(path / "manifest.json")
    results = read_json(path / "results.json")
    required = _TRANSFER_KEYS if stage == "finetune" else ("probe",)
    if stage == "probe" and "layers" in results:
        required = _PROBE_KEYS
    for key in required:
        if key not in results:
            raise InputError(
                f"{path / 'results.json'}: no {key!r}: made by an older version; run it again"
            )
    if stage == "finetune":
        for language, score in results["languages"].items():
            for key in _SCORE_KEYS:
                if key not in score:
                    raise InputError(f"{path / 'results.json'}: {language!r} has no {key!r}")
    return FinishedRun(path, manifest, results)


def _why(found: Finished) -> str:
    if not found.problems:
        return ""
    name, problem = next(iter(found.problems.items()))
    return f" ({name}: {problem})"
