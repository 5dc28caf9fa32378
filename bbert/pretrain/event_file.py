"""TensorBoard's event files, written row by row.

The `tensorboard` package's own records, but without the thread of its writer: every row is on the
disk before the next step, so that a killed run loses none of it, and a run that goes on cuts the
older files back to its checkpoint. Each process of a run adds a file of its own; its first record
tells a TensorBoard that is watching to forget what was cut.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bbert.pretrain.waiting_file import WaitingFile

_PREFIX = "events.out.tfevents"
_LENGTH_BYTES, _CHECKSUM_BYTES = 8, 4
_VERSION = "brain.Event:2"


class EventFile:
    """The event file of this process; opening it cuts back those of earlier ones."""

    def __init__(self, folder: Path, first: int) -> None:
        """Drop the rows from step `first` on and begin a file."""
        folder.mkdir(exist_ok=True)
        older = sorted(folder.glob(f"{_PREFIX}.*"))
        for path in older:
            _cut_back(path, first)
        # The names order the files for TensorBoard, whatever a clock says.
        name = f"{_PREFIX}.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{len(older)}"
        self._protocol = _protocol()
        message = self._protocol.Event(wall_time=time.time(), file_version=_VERSION)
        self._file = WaitingFile(folder / name)
        self._file.add(_record(message))
        if older:
            message = self._protocol.Event(wall_time=time.time(), step=first)
            message.session_log.status = self._protocol.SessionLog.START
            self._file.add(_record(message))

    def write(self, row: Mapping[str, Any]) -> None:
        """Add every number of a row at its `step`; raises OSError where the disk is full."""
        event = self._protocol.Event(wall_time=time.time(), step=row["step"])
        for name, value in row.items():
            if name != "step":
                event.summary.value.add(tag=name, simple_value=value)
        self._file.add(_record(event))

    def close(self) -> None:
        """Write what a full disk did not take; raises OSError where it still does not."""
        self._file.close()


def _protocol() -> Any:
    """TensorBoard's message classes; imported here because it takes a moment."""
    from tensorboard.compat.proto import event_pb2

    return event_pb2


def _record(event: Any) -> bytes:
    """An event as it stands in a file."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    RecordWriter(stream).write(event.SerializeToString())
    return stream.getvalue()


def _cut_back(path: Path, first: int) -> None:
    """Drop the rows of an event file from step `first` on, and a record that was cut off."""
    end = 0
    with path.open("r+b") as stream:
        for offset, content in _records(stream.read()):
            event = _protocol().Event.FromString(content)
            if event.HasField("summary") and event.step >= first:
                break
            end = offset
        stream.truncate(end)
    if not end:
        path.unlink()


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Where each whole record ends, and what it holds."""
    begin = 0
    while True:
        start = begin + _LENGTH_BYTES + _CHECKSUM_BYTES
        if start > len(content):
            return
        (length,) = struct.unpack_from("<Q", content, begin)
        begin = start + length + _CHECKSUM_BYTES
        if begin > len(content):
            return
        yield begin, content[start : start + length]
