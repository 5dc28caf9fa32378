"""Checkpoints of a run: written whole or not at all, read only when every byte is as written.

    checkpoints/step-00000500/state.safetensors   weights and both AdamW moments, by parameter name
    checkpoints/step-00000500/progress.json       step, identity of the run, unwritten metrics
    checkpoints/step-00000500/checksums.json      size and SHA-256 of the two
    checkpoints/latest                            name of the newest
    checkpoints/best                              name of the one with the lowest validation loss

The state is kept whole, not in each process's share, so that a run goes on with another number of
processes or another ZeRO stage, and as safetensors, so that nothing is unpickled. Learning rate,
data and masks are functions of the step: the step is all they need to go on.

Only folders of the run itself are read: a link to another place is none of its checkpoints.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bbert.errors import InputError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
STATE = "state.safetensors"
PROGRESS = "progress.json"
CHECKSUMS = "checksums.json"
LATEST = "latest"
BEST = "best"
_NAME = re.compile(r"step-(\d{8,})")
_PARTIAL = ".partial"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose checksums matched: its tensors (on the CPU) and its progress."""

    path: Path
    tensors: dict[str, torch.Tensor]
    progress: dict[str, Any]

    @property
    def step(self) -> int:
        return int(self.progress["step"])


def write_checkpoint(
    folder: Path,
    tensors: Mapping[str, torch.Tensor],
    progress: Mapping[str, Any],
    keep_last: int,
    keep_best: bool = False,
) -> Path:
    """Write a checkpoint beside the others and remove those that need not be kept.

    Args:
        folder: the run's `checkpoints/`.
        tensors: contiguous CPU tensors.
        progress: JSON; `step` names the checkpoint, `validation_loss` is that of its weights
            (absent or None where it was not measured).
        keep_last: how many of the newest stay.
        keep_best: the one with the lowest validation loss stays too.

    Raises:
        OSError: it could not be written (a full disk); the checkpoints there are untouched.
    """
    path = folder / f"step-{progress['step']:08d}"
    partial = path.with_name(path.name + _PARTIAL)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write_tensors(partial / STATE, tensors)
        _write_synced(partial / PROGRESS, json.dumps(progress).encode())
        sums = {name: _checksum(partial / name) for name in (STATE, PROGRESS)}
        _write_synced(partial / CHECKSUMS, json.dumps(sums, indent=2).encode())
        shutil.rmtree(path, ignore_errors=True)  # a damaged one, which this run has outlived
        partial.rename(path)
        _sync(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise OSError(
            error.errno, f"the checkpoint was not written: {error.strerror}", str(path)
        ) from error
    _prune(path, keep_last, keep_best)
    return path


def newest_checkpoint(folder: Path, identity: Mapping[str, Any]) -> Path | None:
    """The newest checkpoint that is whole; damaged ones are named in the log and passed over.

    None where no checkpoint was ever finished, so that the run begins at step 0.

    Args:
        identity: what the run is (configuration, corpus); must be that of the checkpoint.

    Raises:
        InputError: the newest whole checkpoint belongs to another run, or all are damaged.
    """
    checkpoints = list_checkpoints(folder)
    for path in reversed(checkpoints):
        damage = find_damage(path)
        if damage is not None:
            logger.warning("%s is damaged (%s): going back to the one before", path, damage)
        elif _read_progress(path)["identity"] != dict(identity):
            raise InputError(
                f"{path} belongs to another configuration or corpus\n"
                f"remove {folder} to start again at step 0, or use --name for a new run"
            )
        else:
            return path
    if checkpoints:
        raise InputError(
            f"all {len(checkpoints)} checkpoints in {folder} are damaged: nothing to go on from\n"
            "put back a copy of one of them, or remove that folder to start again at step 0"
        )
    return None


def best_checkpoint(folder: Path) -> Path | None:
    """The whole checkpoint with the lowest validation loss, or None where none has one."""
    return next(
        (path for path in _by_loss(list_checkpoints(folder)) if not find_damage(path)), None
    )


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint that `newest_checkpoint` has found whole."""
    from safetensors.torch import load_file

    return Checkpoint(path, load_file(path / STATE), _read_progress(path))


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run, the oldest first; unfinished ones are not among them."""
    if not folder.is_dir():
        return []
    found = [
        path
        for path in folder.iterdir()
        if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    ]
    return sorted(found, key=step_of)


def step_of(path: Path) -> int:
    """The step in a checkpoint's name."""
    return int(path.name.removeprefix("step-"))


def find_damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, or None."""
    try:
        sums = json.loads((path / CHECKSUMS).read_text(encoding="utf-8"))
        for name in (STATE, PROGRESS):
            if _checksum(path / name) != sums[name]:
                return f"{name} is not as it was written"
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).name} is missing"
    except (ValueError, TypeError, KeyError):
        return f"{CHECKSUMS} is not as it was written"
    except OSError as error:
        return str(error)
    return None


def _read_progress(path: Path) -> dict[str, Any]:
    return json.loads((path / PROGRESS).read_text(encoding="utf-8"))


def _prune(path: Path, keep_last: int, keep_best: bool) -> None:
    """Keep `path`, the `keep_last - 1` before it and the best; those after it have been outlived.

    A run that writes `path` has passed over everything newer, because it was damaged. What a
    killed process left unfinished goes too.
    """
    folder, checkpoints = path.parent, list_checkpoints(path.parent)
    place = checkpoints.index(path)
    for newer in checkpoints[place + 1 :]:
        shutil.rmtree(newer)
    for unfinished in folder.glob(f"step-*{_PARTIAL}"):
        shutil.rmtree(unfinished)
    kept = set(checkpoints[max(0, place + 1 - keep_last) : place + 1])
    _point(folder, LATEST, path)
    if keep_best:
        for best in _by_loss(checkpoints[: place + 1])[:1]:
            kept.add(best)
            _point(folder, BEST, best)
    for other in set(checkpoints[:place]) - kept:
        shutil.rmtree(other)


def _by_loss(checkpoints: list[Path]) -> list[Path]:
    """Those whose validation loss is known, the lowest first, of equals the newer."""
    measured = []
    for path in checkpoints:
        with suppress(OSError, ValueError):
            loss = _read_progress(path).get("validation_loss")
            if loss is not None and math.isfinite(loss):
                measured.append((loss, -len(measured), path))
    return [path for _, _, path in sorted(measured)]


def _point(folder: Path, name: str, path: Path) -> None:
    """Let the file `name`, which is for people, hold the name of the checkpoint `path`."""
    with suppress(OSError):  # a disk on which there is room for nothing more
        (folder / f".{name}").write_text(path.name)
        (folder / f".{name}").replace(folder / name)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an error of safetensors while it writes `path` into the OSError that it was."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:  # carries the system's error number in its text only
        number = re.search(r"(?:os error|code:) (\d+)", str(error))
        code = int(number.group(1)) if number else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from error


def _write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    from safetensors.torch import save_file

    with disk_errors(path):
        save_file(dict(tensors), path)
    _sync(path)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(path: Path) -> None:
    """Make a file or a folder's entries survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checksum(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"bytes": stream.tell(), "sha256": digest}
