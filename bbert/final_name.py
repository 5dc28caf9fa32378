"""How a complete run gets its name, and what is left to do where that was interrupted.

    name.partial/manifest.json written    from here on the run is complete
    name/ → .name.replaced/               only under --force
    name.partial/ → name/
    .name.replaced/, .steps/, run.json    deleted, in this order

Killed before the first line, a run goes on after its last finished step. Killed after it, the next
command of that run does what is left: nothing is computed again, and no complete run is lost.
"""

from __future__ import annotations

import shutil
from pathlib import Path

MANIFEST = "manifest.json"
PARTIAL = ".partial"
STEPS = ".steps"
RUN_FILE = "run.json"


def partial_of(final: Path) -> Path:
    """Where a run is written until it is complete."""
    return final.with_name(final.name + PARTIAL)


def give_final_name(final: Path) -> None:
    """Rename a complete run, which takes the place of the one that is there, and tidy it."""
    if final.exists():  # only under --force
        remove_folder(_replaced(final), ignore_errors=True)
        final.rename(_replaced(final))
    partial_of(final).rename(final)
    remove_folder(_replaced(final), ignore_errors=True)
    _tidy(final)


def end_interrupted_finish(final: Path) -> bool:
    """Do what a killed process left to do; True where it left a complete run so."""
    if (partial_of(final) / MANIFEST).is_file():
        give_final_name(final)
        return True
    replaced = _replaced(final)
    if replaced.is_dir():
        if final.exists():
            remove_folder(replaced)
        else:  # left by an earlier version, or the new run was deleted by hand
            replaced.rename(final)
    was_interrupted = (final / MANIFEST).is_file() and (final / RUN_FILE).is_file()
    if was_interrupted:
        _tidy(final)
    return was_interrupted


def remove_folder(folder: Path, ignore_errors: bool = False) -> None:
    """Delete a folder; where it is a link to one, as of a run on another disk, the link alone."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=ignore_errors)


def _replaced(final: Path) -> Path:
    """Where a run is put aside that `--force` replaces."""
    return final.with_name(f".{final.name}.replaced")


def _tidy(final: Path) -> None:
    """Remove what only a run that goes on needs; `run.json` at last, the sign that all is done."""
    shutil.rmtree(final / STEPS, ignore_errors=True)
    (final / RUN_FILE).unlink(missing_ok=True)
