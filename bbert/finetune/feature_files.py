"""Features of a frozen encoder on disk: one file of halves per layer, written once, then mapped.

    <work>/features/<key>/layer-04.f16   (positions, hidden size) in float16, little-endian
    <work>/features/<key>/index.json     what they are features of

The key is a hash of everything that they depend on, so that runs, seeds and the cells of a grid
that read the same texts with the same encoder share them, and layers one by one. A layer's file has
its name only when it is complete: what is being written is called `.partial`, and `progress.json`
says how many rows of it are safe on disk, from where the same command goes on. The folder holds
nothing that a run needs afterwards; it may be removed at any time when none is running.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import fsync
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bbert.errors import InputError
from bbert.json_files import read_json, write_json_atomically

logger = logging.getLogger(__name__)

FOLDER = "features"
DTYPE = np.dtype("<f2")
ROWS_PER_BLOCK = 256
"""Rows that are computed and made safe together. It decides which sentences share a batch, and with
that the last bit of a feature: the same for every set of layers."""

_PROGRESS, _INDEX = "progress.json", "index.json"

Halves = npt.NDArray[np.float16]
Block = tuple[int, int]
"""First row and the row after the last."""


def features_key(description: Mapping[str, Any], arrays: Iterable[npt.NDArray[Any]]) -> str:
    """The name of a folder of features, from what they depend on."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for array in arrays:
        digest.update(str((array.dtype.str, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:24]


@dataclass(frozen=True)
class FeatureFolder:
    """The layers of one set of texts.

    Attributes:
        path: the folder.
        starts: first position of every row, and the number of all positions after the last.
        hidden_size: values of a position.
    """

    path: Path
    starts: npt.NDArray[np.int64]
    hidden_size: int

    @property
    def bytes_per_layer(self) -> int:
        return int(self.starts[-1]) * self.hidden_size * DTYPE.itemsize

    def missing(self, layers: Iterable[int]) -> list[int]:
        """Those of `layers` that are not complete."""
        return [layer for layer in dict.fromkeys(layers) if not self._is_complete(layer)]

    def read(self, layer: int) -> Halves:
        """The features of a layer (positions, hidden size), mapped into memory."""
        shape = (int(self.starts[-1]), self.hidden_size)
        return np.asarray(np.memmap(self._file(layer), DTYPE, "r", shape=shape))

    def write(
        self,
        layers: Sequence[int],
        compute: Callable[[int, int], Sequence[Halves]],
        about: Mapping[str, Any],
    ) -> None:
        """Write layers block by block, going on after the last block that is safe.

        Args:
            layers: that are missing.
            compute: (first row, row after the last) → features of these rows, a layer each.
            about: kept in index.json, for people.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        done = self._begin(layers)
        with ExitStack() as stack:
            files = [stack.enter_context(self._partial(layer).open("r+b")) for layer in layers]
            for file in files:
                file.truncate(self._offset(done))
                file.seek(self._offset(done))
            for first, end in blocks(len(self.starts) - 1, done):
                for file, features in zip(files, compute(first, end), strict=True):
                    assert features.shape == (self.starts[end] - self.starts[first],
                                              self.hidden_size)  # fmt: skip
                    file.write(features.astype(DTYPE, copy=False).tobytes())
                    file.flush()
                    fsync(file.fileno())
                write_json_atomically(self.path / _PROGRESS, {"layers": list(layers), "rows": end})
        write_json_atomically(
            self.path / _INDEX,
            {**about, "dtype": "float16", "byteorder": "little", "rows": len(self.starts) - 1,
             "positions": int(self.starts[-1]), "hidden_size": self.hidden_size},
        )  # fmt: skip
        for layer in layers:
            self._partial(layer).replace(self._file(layer))
        (self.path / _PROGRESS).unlink()

    def rows_done(self, layers: Sequence[int]) -> int:
        """Rows of `layers` that an earlier process wrote."""
        state = read_json(self.path / _PROGRESS) if (self.path / _PROGRESS).is_file() else {}
        rows = int(state.get("rows", 0))
        safe = state.get("layers") == list(layers) and all(
            self._partial(layer).is_file()
            and self._partial(layer).stat().st_size >= self._offset(rows)
            for layer in layers
        )
        return rows if safe else 0

    def _begin(self, layers: Sequence[int]) -> int:
        """Rows that are there; where there are none, empty files and no remains."""
        done = self.rows_done(layers)
        if not done:
            (self.path / _PROGRESS).unlink(missing_ok=True)
            for file in self.path.glob("*.partial"):  # of a pass over other layers, too
                file.unlink()
            for layer in layers:
                self._partial(layer).touch()
        return done

    def _offset(self, row: int) -> int:
        return int(self.starts[row]) * self.hidden_size * DTYPE.itemsize

    def _is_complete(self, layer: int) -> bool:
        file = self._file(layer)
        return file.is_file() and file.stat().st_size == self.bytes_per_layer

    def _file(self, layer: int) -> Path:
        return self.path / f"layer-{layer:02d}.f16"

    def _partial(self, layer: int) -> Path:
        return self._file(layer).with_suffix(".f16.partial")


def blocks(num_rows: int, done: int = 0) -> list[Block]:
    """The blocks after the first `done` rows."""
    starts = range(done, num_rows, ROWS_PER_BLOCK)
    return [(start, min(start + ROWS_PER_BLOCK, num_rows)) for start in starts]


def check_room(num_bytes: int, folder: Path) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        InputError: how much is needed, how much is free, and the mend.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise InputError(
            f"the encoder's features need {size_text(num_bytes)} in {folder}, where "
            f"{size_text(free)} are free\nfree some room, give --work on another disk, or take "
            "fewer layers (--fusion last) or examples (--max-train-examples)"
        )


def size_text(num_bytes: float) -> str:
    """Bytes as "1.2 GB" or "34.5 MB"."""
    return f"{num_bytes / 1e9:,.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:,.1f} MB"


@contextmanager
def only_writer(work: Path, key: str) -> Iterator[None]:
    """Keep other processes from writing the same features; waits for them."""
    from filelock import FileLock, Timeout

    folder = work / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"features-{key}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("another process writes the same features; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
