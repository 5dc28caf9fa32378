"""How the processes of a run on several machines learn that one of them is gone.

A process that waits for a dead one in a collective operation waits for long: gloo until the system
closes the connection, nccl for ten minutes, both for half an hour where a machine has lost its
network. So every process keeps one connection to the leading one, on which nothing is said. The
system closes it when either dies, and keeps asking whether the other machine is still there. The
leading process tells the others whom they have lost; who does not end by itself is ended.

Workers that `bbert pretrain --processes` starts have a supervisor instead (`launch.py`).
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import selectors
import socket
import threading
from contextlib import suppress
from typing import Any

from bbert.pretrain.meeting import listen, read_message, write_message
from bbert.pretrain.process_group import ProcessGroup

logger = logging.getLogger(__name__)

SECONDS_OF_SILENCE = 30
"""After which a machine that does not answer counts as lost."""
SECONDS_TO_END = 20.0
"""What a process gets to end by itself, a checkpoint at hand included."""

_SECONDS_TO_CONNECT = 60.0
_PROBES = 5
_END = "the same command goes on from the last checkpoint"


class Lifeline:
    """This process's connections to the others; every process of the group makes one."""

    def __init__(self, group: ProcessGroup, address: str) -> None:
        """Connect; the group must be able to broadcast.

        Args:
            address: of the leading process's host.
        """
        self._group = group
        self._lost: str | None = None
        self._known = threading.Event()
        self._ended = threading.Event()
        self._others: dict[socket.socket, tuple[int, str]] = {}
        if group.leads:
            self._accept()
        else:
            self._join(address)
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def lost(self, seconds: float) -> str | None:
        """Who is gone, in words; waits that long for the news."""
        self._known.wait(seconds)
        return self._lost

    def end(self, failure: str | None = None) -> None:
        """This process ends; `failure` is what the others hear of it."""
        self._ended.set()
        for connection in self._others:  # who hears of an end in good order listens no more
            _send(connection, {"lost": self._lost} if self._lost else {"end": failure})

    def _accept(self) -> None:
        key = secrets.token_hex(16)
        with listen(0) as listener:
            listener.settimeout(_SECONDS_TO_CONNECT)
            own = listener.getsockname()[1]
            self._group.broadcast((own, key, socket.gethostname()))
            while len(self._others) < self._group.size - 1:
                connection, _ = listener.accept()
                connection.settimeout(_SECONDS_TO_CONNECT)
                hello = read_message(connection)
                if hello.get("key") == key:
                    _keep_alive(connection)
                    self._others[connection] = int(hello["rank"]), str(hello["host"])
                else:
                    connection.close()

    def _join(self, address: str) -> None:
        port, key, host = self._group.broadcast()
        connection = socket.create_connection((address, port), _SECONDS_TO_CONNECT)
        _send(connection, {"key": key, "rank": self._group.rank, "host": socket.gethostname()})
        _keep_alive(connection)
        self._others[connection] = 0, host

    def _watch(self) -> None:
        with selectors.DefaultSelector() as selector:
            for connection in self._others:
                selector.register(connection, selectors.EVENT_READ)
            while selector.get_map() and not self._known.is_set():
                for key, _ in selector.select():
                    connection: Any = key.fileobj
                    if self._hears(connection):
                        selector.unregister(connection)
        if not self._known.is_set():
            return
        for connection in self._others:
            _send(connection, {"lost": self._lost})
        if not self._ended.wait(SECONDS_TO_END):
            logger.error("%s", self._lost)  # the main thread waits for it, and cannot be woken
            os._exit(1)

    def _hears(self, connection: socket.socket) -> bool:
        """Read what came; True where nothing more will come in good order."""
        rank, host = self._others[connection]
        who = f"process {rank} on {host}"
        try:
            line = connection.recv(4096)
        except OSError:
            return self._has_lost(f"{who} no longer answers; {_END}")
        if not line:
            return self._has_lost(f"{who} has died; {_END}")
        message = _receive(line.splitlines()[0])
        if "lost" in message:
            return self._has_lost(str(message["lost"]))
        if message.get("end"):
            return self._has_lost(f"{who} failed: {message['end']}")
        return True

    def _has_lost(self, what: str) -> bool:
        self._lost = what
        self._known.set()
        return True


def _keep_alive(connection: socket.socket) -> None:
    """Let the system find out within `SECONDS_OF_SILENCE` that the other machine is gone."""
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    seconds = SECONDS_OF_SILENCE // (_PROBES + 1)
    for name, value in (
        ("TCP_KEEPIDLE", seconds),
        ("TCP_KEEPINTVL", seconds),
        ("TCP_KEEPCNT", _PROBES),
    ):
        if hasattr(socket, name):  # as Linux calls them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    with suppress(OSError):  # it is gone, which is no news
        write_message(connection, message)


def _receive(line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
