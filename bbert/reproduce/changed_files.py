"""Runs of a plan that were made from files which have changed since.

The workflow follows the runs, not the files that they read: it would leave such a run as it is, and
put new ones, made from what the files hold now, beside it.
"""

from __future__ import annotations

import logging
from pathlib import Path

from bbert.errors import InputError
from bbert.json_files import read_json
from bbert.provenance import fingerprint
from bbert.reproduce.jobs import Job, Plan
from bbert.reproduce.written_plan import is_done
from bbert.run_directory import STAGE_FOLDERS

logger = logging.getLogger(__name__)

_MOST_NAMED = 10


def made_from_other_files(plan: Plan, work: Path) -> dict[str, Path]:
    """Key of a complete run → a file whose content is not that which the run was made from.

    Left out are files of other runs, which the workflow follows, and files that are gone.

    Raises:
        InputError: a damaged manifest.
    """
    of_runs = [(work / folder).resolve() for folder in STAGE_FOLDERS.values()]
    found: dict[str, str] = {}  # path → SHA-256 of what it holds now
    changed: dict[str, Path] = {}
    for key, job in plan.jobs.items():
        if not is_done(work, job):
            continue
        for entry in read_json(_folder(work, job) / "manifest.json").get("inputs", ()):
            path = Path(entry["path"])
            if any(path.is_relative_to(folder) for folder in of_runs) or not path.is_file():
                continue
            if str(path) not in found:
                found[str(path)] = fingerprint([path], known=[entry])[0]["sha256"]
            if found[str(path)] != entry["sha256"]:
                changed[key] = path
                break
    return changed


def refuse_changed_files(plan: Plan, work: Path, force: bool) -> list[Job]:
    """The jobs that have to be made again since their files have changed: none without `force`.

    Raises:
        InputError: there are some, and no `force`; names them with the files.
    """
    changed = made_from_other_files(plan, work)
    if not changed:
        if force:
            logger.info(
                "nothing to make again: no run here was made from files that have changed since; "
                "to make a run again all the same, remove its folder"
            )
        return []
    if not force:
        lines = [f"{_folder(work, plan.jobs[key])}: made from another {path}"
                 for key, path in changed.items()]  # fmt: skip
        more = len(lines) - _MOST_NAMED
        raise InputError(
            "\n".join([*lines[:_MOST_NAMED], *([f"and {more} more"] if more > 0 else []),
                       "--force makes these runs again, and what is made from them; or put the "
                       "files back, or give another --work"])
        )  # fmt: skip
    logger.info("%s runs were made from files that have changed; making them again", len(changed))
    return [plan.jobs[key] for key in changed]


def _folder(work: Path, job: Job) -> Path:
    return work / STAGE_FOLDERS[job.stage] / job.name
