"""How processes on several machines find each other, though a port be taken.

The launcher (`deepspeed`, Slurm) names the leading process's host and a port. If another program
has that port, the leading process takes one of the next; the others try them in turn, until the one
that answers knows the run. What it answers is the port of torch's store, which the system chose.
Under `torchrun` the agent has done all this.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import sys
import time
from typing import Any

from bbert.errors import InputError, RunFailed
from bbert.pretrain.process_group import ProcessGroup
from bbert.pretrain.slurm import slurm_task

logger = logging.getLogger(__name__)

NUM_PORTS = 10
"""Ports that are tried, from the launcher's on."""
SECONDS_TO_MEET = 300.0

_SECONDS_TO_ANSWER = 3.0
_SECONDS_BETWEEN_ROUNDS = 0.2
_MAX_LINE_BYTES = 1000


def meeting_point() -> tuple[str, int]:
    """Host and port that the launcher names; raises InputError where it names none."""
    address, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    task = slurm_task()
    if address is None and task is not None:
        address = task.address
    if port is None and task is not None:
        port = str(task.port)
    if not address or port is None or not port.isdigit():
        raise InputError(
            "RANK and WORLD_SIZE are set, but MASTER_ADDR and MASTER_PORT (a number) are not: "
            "start bbert through torchrun, deepspeed or srun, or without these variables"
        )
    return address, int(port)


def meet(
    group: ProcessGroup, address: str, port: int, seconds: float = SECONDS_TO_MEET
) -> tuple[Any, str]:
    """A store of torch that all processes of `group` share, and this host's address towards them.

    Raises:
        RunFailed: not all came within `seconds`; names who is missing.
    """
    deadline, run = time.monotonic() + seconds, _run_key(group)
    try:
        if group.leads:
            return _wait_for_others(group, run, port, deadline)
        return _go_to_leader(group, run, address, port, deadline)
    except TimeoutError as error:
        raise RunFailed(
            f"{error} within {seconds:.0f} s\n"
            "start bbert on every node, and let its processes reach each other's ports"
        ) from None


def _wait_for_others(group: ProcessGroup, run: str, port: int, deadline: float) -> tuple[Any, str]:
    from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

    listener = _listener(port)
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    missing = set(range(1, group.size))
    local = "127.0.0.1"
    with listener:
        while missing:
            listener.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                guest, _ = listener.accept()
            except TimeoutError:
                numbers = ", ".join(map(str, sorted(missing)))
                raise TimeoutError(
                    f"process {numbers} of {group.size} did not come to port "
                    f"{listener.getsockname()[1]}"
                ) from None
            with guest:
                guest.settimeout(_SECONDS_TO_ANSWER)
                hello = read_message(guest)
                if hello.get("run") == run and hello.get("rank") in missing:
                    write_message(guest, {"store": store.port})
                    missing.discard(hello["rank"])
                    here = guest.getsockname()[0].removeprefix("::ffff:")
                    local = local if is_loopback(here) else here
    return store, local


def _listener(port: int) -> socket.socket:
    """A listening socket at `port` or, where that is taken, at one of the next."""
    for candidate in range(port, port + NUM_PORTS):
        try:
            listener = listen(candidate)
        except OSError as error:
            reason = error.strerror
            continue
        if candidate != port:
            logger.info("port %s is taken: meeting at port %s", port, candidate)
        return listener
    raise RunFailed(
        f"ports {port} to {port + NUM_PORTS - 1}: {reason}; give the launcher another port "
        "(MASTER_PORT, --master_port)"
    )


def listen(port: int) -> socket.socket:
    """A listening socket on all of this machine's addresses; port 0: the system chooses."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _go_to_leader(
    group: ProcessGroup, run: str, address: str, port: int, deadline: float
) -> tuple[Any, str]:
    from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

    problem = "no answer"
    while time.monotonic() < deadline:
        for candidate in range(port, port + NUM_PORTS):
            try:
                with socket.create_connection((address, candidate), _SECONDS_TO_ANSWER) as leader:
                    write_message(leader, {"run": run, "rank": group.rank})
                    answer = read_message(leader)
                    here = leader.getsockname()[0]
            except OSError as error:
                problem = error.strerror or str(error)
                continue
            if "store" in answer:
                return TCPStore(address, answer["store"], is_master=False), here
        time.sleep(_SECONDS_BETWEEN_ROUNDS)
    raise TimeoutError(
        f"process {group.rank} on {socket.gethostname()} did not find process 0 at {address}, "
        f"port {port} ({problem}),"
    )


def _run_key(group: ProcessGroup) -> str:
    """What the processes of one run have in common and those of another have not."""
    arguments = [argument for argument in sys.argv[1:] if "local_rank" not in argument]
    job = [os.environ.get(name) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID")]
    return hashlib.sha256(json.dumps([group.size, arguments, job]).encode()).hexdigest()


def write_message(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send it as one line of JSON."""
    connection.sendall(json.dumps(message).encode() + b"\n")


def read_message(connection: socket.socket) -> dict[str, Any]:
    """One line of JSON, and not a byte of what follows it; {} where a stranger says something else
    or, until the connection's timeout, nothing."""
    try:
        with connection.makefile("rb", buffering=0) as lines:
            content = json.loads(lines.readline(_MAX_LINE_BYTES))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_loopback(address: str) -> bool:
    """Whether only this machine itself is reached under `address`."""
    return address.startswith("127.") or address == "::1"


def interface_of(address: str) -> str | None:
    """The network interface of this machine that has `address`."""
    import psutil

    for name, addresses in psutil.net_if_addrs().items():
        if any(entry.address.split("%")[0] == address for entry in addresses):
            return name
    return None


def address_towards(host: str) -> str | None:
    """This machine's address on the way to `host`; None where there is no way or it is itself."""
    try:
        family, kind, _, _, target = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(target)  # sends nothing
            return probe.getsockname()[0]
    except OSError:
        return None
