"""`python -m bbert.reproduce.warm_call SOCKET corpus build …`: one bbert command, run by a server
that has imported the libraries already; where no server answers, run here as usual.

Only the standard library is imported, and little of it: this program exists to start fast.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from types import FrameType

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def main(address: str, arguments: list[str]) -> int:
    """Run `bbert ARGUMENTS`, with this process's environment, folder and streams; its exit code."""
    try:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
    except OSError:
        os.execv(sys.executable, [sys.executable, "-m", "bbert", *arguments])
    request = {
        "arguments": arguments, "environment": dict(os.environ), "directory": os.getcwd()
    }  # fmt: skip
    content = json.dumps(request).encode("utf-8", "surrogateescape") + b"\n"
    replies = connection.makefile("r", encoding="ascii")
    with connection:
        socket.send_fds(connection, [content[:1]], [0, 1, 2])
        connection.sendall(content[1:])
        child = replies.readline()
        if not child:
            return 1

        def forward(number: int, frame: FrameType | None) -> None:
            os.kill(int(child), number)

        for number in FORWARDED:
            signal.signal(number, forward)
        code = replies.readline()  # Python goes on reading after a signal
    return int(code) if code else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))
