"""The stage contract: partial → complete, manifest, hashes, lock, resume.

A run is written as `<name>.partial/` and renamed to `<name>/` when complete; `manifest.json` is the
last file that is written before (`bbert.final_name`). Within a partial run every finished step
leaves a marker, so that the same command goes on where a killed one stopped.

    with open_run("corpus", name, config, inputs) as run:
        if not run.up_to_date:
            with run.step("sentences") as step:
                if not step.done:
                    step.counts["sentences"] = split(...)   # writes below run.path
            run.finish()
    return run.directory
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bbert.errors import InputError
from bbert.final_name import (
    MANIFEST,
    PARTIAL,
    RUN_FILE,
    STEPS,
    end_interrupted_finish,
    give_final_name,
    partial_of,
    remove_folder,
)
from bbert.json_files import read_json, write_json_atomically
from bbert.provenance import fingerprint, git_revision, package_versions
from bbert.run_differences import differences, refuse_if_different, replaces
from bbert.run_lock import locked
from bbert.stage_config import StageConfig, config_hash, given_options, identity, save_yaml

logger = logging.getLogger(__name__)

STAGE_FOLDERS = {
    "corpus": "corpora",
    "pretrain": "models",
    "finetune": "transfer",
    "probe": "probes",
    "report": "reports",
}


@dataclass(frozen=True)
class RunDirectory:
    """A complete run: a folder with its manifest."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's own name, also of "." and ".."."""
        return (self.path if self.path.name not in ("", "..") else self.path.resolve()).name

    @property
    def manifest(self) -> dict[str, Any]:
        """`manifest.json`; raises InputError where there is none or it is damaged."""
        return read_json(self.path / MANIFEST)

    @classmethod
    def is_run(cls, path: Path) -> bool:
        return (path / MANIFEST).is_file() and path.suffix != PARTIAL

    def is_of(self, config: StageConfig) -> bool:
        """Whether it was made with the options of `config`, as far as they can change a result."""
        before = self.manifest.get("config") or {}
        return given_options(before) == given_options(identity(config))


@dataclass
class Step:
    """One resumable step of a run; `counts` are kept with its marker."""

    done: bool
    counts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Run:
    """A run being written (or found complete, when `up_to_date`)."""

    stage: str
    name: str
    config: StageConfig
    inputs: list[dict[str, Any]]
    final: Path
    up_to_date: bool = False
    resumed: bool = False
    counts: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    git_revision: str | None = None
    """Of the code as it was when this process opened the run: what it computes with."""
    begun_git_revision: str | None = None
    """Of the code of an earlier process, where that was another."""

    @property
    def path(self) -> Path:
        """Where to write: the `.partial` folder."""
        return partial_of(self.final)

    @property
    def directory(self) -> RunDirectory:
        return RunDirectory(self.final)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """A step that is skipped (`step.done`) where an earlier process finished it."""
        marker = self.path / STEPS / f"{name}.json"
        if marker.is_file():
            yield Step(done=True, counts=read_json(marker))
            return
        step = Step(done=False)
        yield step
        marker.parent.mkdir(exist_ok=True)
        write_json_atomically(marker, step.counts)

    def finish(self) -> RunDirectory:
        """Write configuration and manifest, and give the folder its final name."""
        save_yaml(self.config, self.path / "config.yaml")
        finished = time.time()
        options = identity(self.config)
        manifest = {
            "stage": self.stage,
            "name": self.name,
            "config": options,
            "config_hash": config_hash(options),
            "inputs": self.inputs,
            "seed": self.config.seed,
            "versions": package_versions(),
            "git_revision": self.git_revision,
            "host": {
                "name": socket.gethostname(),
                "platform": platform.platform(),
                "processors": os.cpu_count(),
            },
            "started": timestamp(self.started),
            "finished": timestamp(finished),
            "seconds": round(finished - self.started, 3),
            "counts": self.counts,
            "metrics": self.metrics,
            **self.extra,
        }
        if self.begun_git_revision is not None:
            manifest["begun_git_revision"] = self.begun_git_revision
        # Until the manifest is there the run can be gone on with, from then on it is complete.
        write_json_atomically(self.path / MANIFEST, manifest)
        give_final_name(self.final)
        return self.directory


@contextmanager
def open_run(
    stage: str,
    name: str,
    config: StageConfig,
    inputs: Iterable[Path] = (),
    paths_count: bool = False,
) -> Iterator[Run]:
    """Open the run `name` of `stage` for writing, or find it up to date.

    Args:
        stage: a key of `STAGE_FOLDERS`.
        name: folder name below `<work>/<stage folder>/`.
        config: the resolved configuration.
        inputs: files that the result depends on; their SHA-256 goes into the manifest.
        paths_count: whether the result says where they are, so that the same content in another
            place is another input.

    Raises:
        InputError: the name is taken by a run of another configuration or of other inputs, another
            process is writing it, or the folder cannot be written.
    """
    final = config.work / STAGE_FOLDERS[stage] / name
    with locked(config.work, f"{stage}-{name}"):
        was_interrupted = end_interrupted_finish(final)
        run = Run(stage, name, config, [], final)
        previous = _read_record(final / MANIFEST) if RunDirectory.is_run(final) else None
        run.inputs = fingerprint(inputs, known=(previous or {}).get("inputs", ()))
        wanted = {"config": identity(config), "inputs": run.inputs, "paths_count": paths_count}
        # With --force too a run goes on that was interrupted, here with nothing left to do.
        goes_on = was_interrupted and previous and not differences(previous, wanted)
        if previous is not None and (goes_on or not replaces(config, previous, wanted)):
            refuse_if_different(previous, wanted, final)
            logger.info("%s is up to date", final)
            run.up_to_date = True
            yield run
            return
        if previous is None and (final.exists() or final.is_symlink()):
            raise InputError(f"{final} is in the way: it is not a bbert run; move it or use --name")
        run.git_revision = git_revision()
        created = _prepare_partial(run, wanted)
        try:
            yield run
        except InputError:
            if created:
                shutil.rmtree(run.path, ignore_errors=True)
            raise


def find_run(work: Path, stage: str, name_or_path: str | None) -> RunDirectory:
    """The run of `stage` that a `--corpus`, `--model` or RUN argument means.

    Args:
        name_or_path: a run's name, a path to its folder, or None for the newest complete run.

    Raises:
        InputError: there is no such run; names those that exist.
    """
    runs = list_runs(work, stage)
    folder = work / STAGE_FOLDERS[stage]
    if name_or_path is None:
        if not runs:
            raise InputError(
                f"no complete {stage} run in {folder}; run `bbert "
                f"{'corpus build' if stage == 'corpus' else stage}` first or give its folder"
            )
        return runs[-1]
    for candidate in (folder / name_or_path, Path(name_or_path)):
        if RunDirectory.is_run(candidate):
            found = RunDirectory(candidate)
            if found.manifest.get("stage") != stage:
                raise InputError(f"{candidate} is a {found.manifest.get('stage')} run, not {stage}")
            return found
    known = ", ".join(run.name for run in runs) or "none"
    if (folder / f"{name_or_path}{PARTIAL}").is_dir():
        raise InputError(f"{folder / name_or_path} is not complete; run its command again to go on")
    raise InputError(f"no {stage} run {name_or_path!r} in {folder} (there: {known})")


def list_runs(work: Path, stage: str) -> list[RunDirectory]:
    """All complete runs of a stage, the oldest first."""
    folder = work / STAGE_FOLDERS[stage]
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
    runs = [RunDirectory(path) for path in paths if RunDirectory.is_run(path)]
    return sorted(runs, key=lambda run: (run.manifest.get("finished", ""), run.name))


def timestamp(seconds: float) -> str:
    """UTC time in ISO 8601, to the millisecond (so that names sort by time)."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def _read_record(path: Path, *further: str) -> dict[str, Any]:
    """What a run was made of: a manifest, or the `run.json` of one that was begun.

    Raises:
        InputError: as `read_json`, or one of its keys is missing.
    """
    record = read_json(path)
    for key in ("config", "inputs", *further):
        if key not in record:
            raise InputError(f"{path}: {key!r} is missing, so it is damaged; remove that run")
    return record


def _prepare_partial(run: Run, wanted: dict[str, Any]) -> bool:
    """Make or resume the `.partial` folder; True where it is new."""
    state_file = run.path / RUN_FILE
    if run.path.exists():
        state = _read_record(state_file, "started") if state_file.is_file() else None
        if state is not None and not differences(state, wanted):
            run.resumed = True
            run.started = float(state["started"])
            logger.info("going on with %s", run.path)
            begun = state.get("git_revision", run.git_revision)
            if begun != run.git_revision:
                logger.warning("it was begun by other code: %s, now %s", begun, run.git_revision)
                run.begun_git_revision = begun
            return False
        if state is not None and not replaces(run.config, state, wanted):
            refuse_if_different(state, wanted, run.path)
        logger.info("starting anew: %s was begun with other options or files", run.path)
        remove_folder(run.path)
    run.path.mkdir(parents=True)
    begun = {"config": wanted["config"], "inputs": wanted["inputs"], "started": run.started,
             "git_revision": run.git_revision}  # fmt: skip
    write_json_atomically(state_file, begun)
    return True
