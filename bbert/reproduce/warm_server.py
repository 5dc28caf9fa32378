"""A process that has imported what bbert's commands import, and becomes each command by a fork.

A table at sample scale is a hundred short commands, and a command spends about five seconds of
processor time on importing torch, transformers and DeepSpeed before it does anything. The server
imports them once; every command is a child of its own, with the caller's environment, folder and
standard streams, and does what `python -m bbert` would do. The server holds no lock, no data and no
thread, and it is not used where there is a GPU, whose driver does not survive a fork.

`warm_call` is the other side. A child is told to stop when its caller is gone, killed or not, and
when the server is.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

_STAGES = ("bbert.corpus", "bbert.pretrain", "bbert.finetune")
_NOT_IMPORTED = ("exported_code", "worker")
_LIBRARIES = ("deepspeed", "transformers.models.bert.modeling_bert", "rich.console", "tyro", "yaml")
_MAX_REQUEST = 1 << 22
_SECONDS_TO_START = 120.0
_SET_PARENT_DEATH_SIGNAL = 1


@dataclass
class _Running:
    connection: socket.socket
    child: int
    child_ended: int
    """A file descriptor that can be read once the child has ended."""


@contextmanager
def warm_server() -> Iterator[str | None]:
    """Start a server for the time of the block; yields its address, None where there cannot be one.

    Needs Linux: elsewhere commands start as usual.
    """
    if not hasattr(os, "pidfd_open") or not sys.platform.startswith("linux"):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bbert-warm-") as folder:
        address = str(Path(folder) / "socket")
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, address],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True,
        )  # fmt: skip
        try:
            yield address if _answers(process, address) else None
        finally:
            assert process.stdin is not None
            process.stdin.close()  # the server ends when nobody holds the other end any more
            process.wait()


def _answers(process: subprocess.Popen[bytes], address: str) -> bool:
    end = time.monotonic() + _SECONDS_TO_START
    while process.poll() is None and time.monotonic() < end:
        if os.path.exists(address):
            return True
        time.sleep(0.05)
    return False


def serve(address: str) -> int:
    """Answer calls until standard input closes; a child never returns from here."""
    _import_all()
    gc.freeze()  # what was imported is not looked at again: its pages stay shared
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address + ".new")
    listening.listen(64)
    os.rename(address + ".new", address)  # whoever sees it can connect
    with selectors.DefaultSelector() as selector:
        selector.register(listening, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj == 0:
                    return 0
                if key.fileobj is listening:
                    request = _accept(listening, selector)
                    if request is not None:  # this is the child
                        selector.close()
                        listening.close()
                        _leave(_become(request))
                else:
                    _end(key.data, key.fd, selector)


def _import_all() -> None:
    from bbert.processor_threads import let_waiting_threads_sleep

    let_waiting_threads_sleep()
    for stage in _STAGES:
        package = importlib.import_module(stage)
        for module in pkgutil.walk_packages(package.__path__, f"{stage}."):
            if not any(part in module.name for part in _NOT_IMPORTED):
                importlib.import_module(module.name)
    for library in _LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(library)


def _accept(
    listening: socket.socket, selector: selectors.BaseSelector
) -> tuple[dict[str, Any], Sequence[int]] | None:
    """Fork for one call; returns the call and its streams in the child, None in the server."""
    connection, _ = listening.accept()
    content, streams, _, _ = socket.recv_fds(connection, _MAX_REQUEST, 3)
    while content and not content.endswith(b"\n"):
        content += connection.recv(_MAX_REQUEST)
    if not content:
        connection.close()
        return None
    child = os.fork()
    if child == 0:
        connection.close()
        return json.loads(content.decode("utf-8", "surrogateescape")), streams
    for stream in streams:
        os.close(stream)
    running = _Running(connection, child, os.pidfd_open(child))
    with contextlib.suppress(OSError):
        connection.sendall(f"{child}\n".encode())
    selector.register(connection, selectors.EVENT_READ, running)
    selector.register(running.child_ended, selectors.EVENT_READ, running)
    return None


def _end(running: _Running, descriptor: int, selector: selectors.BaseSelector) -> None:
    """The caller is gone: stop its command. Or the command has ended: say with which code."""
    if descriptor == running.child_ended:
        _, status = os.waitpid(running.child, 0)
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(OSError):
            running.connection.sendall(f"{code if code >= 0 else 128 - code}\n".encode())
        selector.unregister(running.child_ended)
        os.close(running.child_ended)
        with contextlib.suppress(KeyError):
            selector.unregister(running.connection)
        running.connection.close()
    else:
        os.kill(running.child, signal.SIGTERM)
        selector.unregister(running.connection)


def _become(request: tuple[dict[str, Any], Sequence[int]]) -> int:
    call, streams = request
    _end_with_the_server()
    os.setpgid(0, 0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(call["directory"])
    os.environ.clear()
    os.environ.update(call["environment"])
    _take_threads(call["environment"].get("OMP_NUM_THREADS", ""))
    sys.argv = ["bbert", *call["arguments"]]
    from bbert.cli import main

    return main(call["arguments"])


def _leave(code: int) -> NoReturn:
    """End like a program, without taking the imported libraries apart, which takes seconds."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def _end_with_the_server() -> None:
    server = os.getppid()
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != server:
        os.kill(os.getpid(), signal.SIGTERM)


def _take_threads(given: str) -> None:
    """What OMP_NUM_THREADS says is read where the libraries are loaded: before the fork."""
    if given.isdigit() and int(given) > 0:
        import torch

        torch.set_num_threads(int(given))


if __name__ == "__main__":
    raise SystemExit(serve(sys.argv[1]))
