"""Checkpoints of a run: written whole or not at all, read only when every byte is as written.

    checkpoints/step-00000500/state.safetensors   weights and both AdamW moments, by parameter name
    checkpoints/step-00000500/progress.json       step, identity of the run, unwritten metrics
    checkpoints/step-00000500/checksums.json      size and SHA-256 of the two
    checkpoints/latest                            name of the newest

The state is kept whole, not in each process's share, so that a run goes on with another number of
processes or another ZeRO stage, and as safetensors, so that nothing is unpickled. Learning rate,
data and masks are functions of the step: the step is all they need to go on.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    folder: Path, tensors: Mapping[str, torch.Tensor], progress: Mapping[str, Any], keep: int
) -> Path:
    """Write a checkpoint beside the others and remove all but the newest `keep`.

    Args:
        folder: the run's `checkpoints/`.
        tensors: contiguous CPU tensors.
        progress: JSON; `step` names the checkpoint.

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
        _write_synced(folder / f".{LATEST}", path.name.encode())
        (folder / f".{LATEST}").replace(folder / LATEST)
        _sync(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise OSError(
            error.errno, f"the checkpoint was not written: {error.strerror}", str(path)
        ) from error
    _prune(path, keep)
    return path


def newest_checkpoint(folder: Path, identity: Mapping[str, Any]) -> Path | None:
    """The newest checkpoint that is whole; damaged ones are named in the log and passed over.

    Args:
        identity: what the run is (configuration, corpus); must be that of the checkpoint.

    Raises:
        InputError: the newest whole checkpoint belongs to another run.
    """
    for path in reversed(list_checkpoints(folder)):
        damage = find_damage(path)
        if damage is not None:
            logger.warning("%s is damaged (%s): going back to the one before", path, damage)
        elif _read_progress(path)["identity"] != dict(identity):
            raise InputError(
                f"{path} belongs to another configuration or corpus; "
                "use --force to start again or --name for a new run"
            )
        else:
            return path
    return None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint that `newest_checkpoint` has found whole."""
    from safetensors.torch import load_file

    return Checkpoint(path, load_file(path / STATE), _read_progress(path))


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run, the oldest first; unfinished ones are not among them."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


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


def _prune(path: Path, keep: int) -> None:
    """Keep `path` and the `keep - 1` before it; newer ones are damaged, or it would not be."""
    checkpoints = list_checkpoints(path.parent)
    place = checkpoints.index(path)
    for other in checkpoints[: max(0, place + 1 - keep)] + checkpoints[place + 1 :]:
        shutil.rmtree(other)


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
