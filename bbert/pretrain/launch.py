"""Starts the processes of a run on this machine, passes signals on and reports one error, not many.

`bbert pretrain --processes 2` is a supervisor without torch: it starts `bbert.pretrain.worker`
twice, forwards the signals of `stop_request`, and half a minute after a worker has failed ends
those that are left, which may wait for it forever. Under `torchrun`, `deepspeed` and Slurm this
module is not used.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bbert.errors import InputError, RunFailed
from bbert.json_files import read_json
from bbert.pretrain.config import PretrainConfig
from bbert.pretrain.metrics import LossNotFinite
from bbert.pretrain.process_group import loopback_interface
from bbert.pretrain.stop_request import signals_handled, stopping_exception
from bbert.processor_threads import SMALL_HIDDEN_SIZE
from bbert.stage_config import plain
from bbert.usable_processors import usable_processors

# More than elsewhere a process gets for the checkpoint at hand (`lifeline.SECONDS_TO_END`): after
# it a worker ends by itself, because the connection is gone.
_SECONDS_TO_FOLLOW_A_DEAD_WORKER = 30.0
_SECONDS_BETWEEN_LOOKS = 0.05
_KNOWN_ERRORS = {error.__name__: error for error in (InputError, LossNotFinite, RunFailed)}


@dataclass(frozen=True)
class _Worker:
    rank: int
    process: subprocess.Popen[bytes]
    outcome: Path


def run_workers(config: PretrainConfig, processes: int, hidden: int) -> None:
    """Run `config` in `processes` workers and wait for them.

    Args:
        hidden: size of the model, which decides how many threads each worker has.

    Raises:
        InputError, RunFailed, OSError, RuntimeError: what went wrong first in a worker.
        KeyboardInterrupt, SystemExit: the workers were stopped by a signal.
    """
    with tempfile.TemporaryDirectory(prefix="bbert-workers-") as folder:
        workers = _start(config, processes, hidden, Path(folder))
        killed: set[int] = set()
        try:
            with _signals_forwarded(workers) as received:
                _wait(workers)
        finally:
            for worker in workers:
                if worker.process.poll() is None:
                    killed.add(worker.rank)
                    worker.process.kill()
                    worker.process.wait()
        if received and any(worker.process.returncode for worker in workers):
            raise stopping_exception(received[0])
        _raise_first_error(workers, killed)


def _start(config: PretrainConfig, processes: int, hidden: int, folder: Path) -> list[_Worker]:
    specification = folder / "run.json"
    meeting_point = f"file://{folder / 'rendezvous'}"
    content = {"config": plain(config), "rendezvous": meeting_point}
    specification.write_text(json.dumps(content), encoding="utf-8")
    environment = dict(os.environ, WORLD_SIZE=str(processes))
    environment.setdefault("OMP_NUM_THREADS", str(threads_of_a_worker(hidden, processes)))
    interface = loopback_interface()
    if interface:  # gloo would look up the host's name, which may lead nowhere
        environment.setdefault("GLOO_SOCKET_IFNAME", interface)
    workers = []
    for rank in range(processes):
        outcome = folder / f"outcome-{rank}.json"
        process = subprocess.Popen(
            [*_worker_command(), str(specification), str(outcome)],
            env=dict(environment, RANK=str(rank), LOCAL_RANK=str(rank)),
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which passes it on
        )
        workers.append(_Worker(rank, process, outcome))
    return workers


def threads_of_a_worker(hidden: int, processes: int) -> int:
    """As `processor_threads.set_threads` has it, but the processors are shared out."""
    return 1 if hidden <= SMALL_HIDDEN_SIZE else max(1, usable_processors() // processes)


def _worker_command() -> list[str]:
    return [sys.executable, "-m", "bbert.pretrain.worker"]


@contextmanager
def _signals_forwarded(workers: list[_Worker]) -> Iterator[list[int]]:
    """Passes signals on while it is entered; yields the list of those that came."""
    received: list[int] = []

    def forward(number: int, frame: object) -> None:
        received.append(number)
        for worker in workers:
            if worker.process.poll() is None:
                worker.process.send_signal(number)

    with signals_handled(forward):
        yield received


def _wait(workers: list[_Worker]) -> None:
    """Until all have ended; a short while longer than the first that failed."""
    deadline = float("inf")
    while any(worker.process.poll() is None for worker in workers):
        if deadline == float("inf") and any(worker.process.poll() for worker in workers):
            deadline = time.monotonic() + _SECONDS_TO_FOLLOW_A_DEAD_WORKER
        if time.monotonic() > deadline:
            return
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _raise_first_error(workers: list[_Worker], killed: set[int]) -> None:
    """The cause: a worker that died without a word, else what was reported first.

    Args:
        killed: those that did not end by themselves, whose death is no cause; a report of theirs
            counts.
    """
    failed = [
        worker
        for worker in workers
        if worker.process.returncode and (worker.rank not in killed or worker.outcome.is_file())
    ]
    if not failed:
        return
    reports = {w.rank: read_json(w.outcome) for w in failed if w.outcome.is_file()}
    causes = sorted((r for r in reports.values() if not r.get("follows")), key=_time)
    signals = [report["signal"] for report in causes if "signal" in report]
    silent = [worker for worker in failed if worker.rank not in reports]
    if signals:
        raise stopping_exception(signals[0])
    if silent or not causes:  # the others have only lost the connection to it
        raise RunFailed(_how_it_died((silent or failed)[0]))
    raise _error(causes[0])


def _time(report: dict[str, Any]) -> float:
    return report["time"]


def _how_it_died(worker: _Worker) -> str:
    code = worker.process.returncode
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
    memory = " (out of memory? --micro-batch-size)" if code == -signal.SIGKILL else ""
    return f"worker {worker.rank} {how}{memory}; the same command goes on"


def _error(report: dict[str, Any]) -> Exception:
    """The exception that a worker reported."""
    if "errno" in report:
        return OSError(report["errno"], report["message"], report["filename"])
    known = _KNOWN_ERRORS.get(report["type"])
    if known is not None:
        return known(report["message"])
    return RuntimeError(f"{report['type']}: {report['message']}")
