"""Starts Snakemake on a written plan, shows how far it is, and stops it cleanly.

Snakemake is a program beside bbert (the extra `pipelines`), never imported. It holds a lock of the
work folder as long as it or one of the commands it waits for is alive.
"""

from __future__ import annotations

import fcntl
import importlib.util
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import IO

from bbert.errors import InputError, RunFailed
from bbert.reproduce.jobs import Job, Plan
from bbert.reproduce.profile import in_containers, is_cluster
from bbert.reproduce.warm_server import warm_server
from bbert.reproduce.watch import watch
from bbert.reproduce.written_plan import WrittenPlan, forget, is_made, log_of, write_file

logger = logging.getLogger(__name__)

OLDEST_SNAKEMAKE = "9.17"
"""Since when it keeps to the number of processors and GPUs that it is given."""
_NO_EXECUTOR = re.compile(r"argument --executor\S*: invalid choice: '([\w-]+)'")
_TRIES = 2
"""How often a command is tried before its cells count as failed."""


def run_workflow(
    plan: Plan,
    written: WrittenPlan,
    work: Path,
    snakefile: Path,
    cores: int | None,
    gpus: int,
    profile: Path | None = None,
    again: Collection[Job] = (),
) -> list[str]:
    """Run all jobs that are not done; returns the keys of those that did not come out, and of those
    that are made from them, though a run of before may stand.

    A run that was removed, or is among `again`, is made again. What was made from it is replaced
    where it came out differently. With a `profile`, `cores` None is as many as it says.

    Raises:
        InputError: Snakemake is not installed, or another workflow works in this folder.
    """
    contained = in_containers(profile)
    if contained:  # which see the work folder and nothing else of this machine
        snakefile = write_file(work / "plans" / "Snakefile", snakefile.read_text(encoding="utf-8"))
    with _lock(work) as lock, _fast_start(gpus, profile, contained) as program:
        log = work / "logs" / f"{written.jobs.stem}.snakemake.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = _command(written, work, snakefile, cores, gpus, profile, program, contained)
        forget(work, [*again, *(job for job in plan.jobs.values() if not is_made(work, job))])
        with log.open("wb") as output:
            with _interruptible():
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    pass_fds=[lock.fileno()], start_new_session=True, env=_environment(),
                )  # fmt: skip
            print(os.getpid(), process.pid, file=lock, flush=True)
            try:
                with _stopped_by_sigterm():
                    watch(plan, work, process)
            except BaseException:
                _stop(process, is_cluster(profile))
                raise
    failed: list[str] = []
    for key, job in plan.jobs.items():  # what is made from a failed run is of another one
        if not is_made(work, job) or any(before in failed for before in job.needs):
            failed.append(key)
    if failed and not any(log_of(work, plan.jobs[key]).is_file() for key in failed):
        last = "".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:])
        if absent := _NO_EXECUTOR.search(last):
            raise InputError(
                f"--profile {profile}: Snakemake has no executor {absent[1]!r} here; "
                f"pip install snakemake-executor-plugin-{absent[1]}"
            )
        raise InputError(f"Snakemake stopped before any command: {last}\nsee {log}")
    return failed


@contextmanager
def _fast_start(gpus: int, profile: Path | None, contained: bool) -> Iterator[str]:
    """How a shell calls a bbert command: by a warm server where all of them run here on cores."""
    if contained:
        yield "bbert"
        return
    if gpus or profile is not None:
        yield shlex.join([sys.executable, "-m", "bbert"])
        return
    with warm_server() as address:
        module = ["bbert"] if address is None else ["bbert.reproduce.warm_call", str(address)]
        yield shlex.join([sys.executable, "-m", *module])


def _command(
    written: WrittenPlan,
    work: Path,
    snakefile: Path,
    cores: int | None,
    gpus: int,
    profile: Path | None,
    program: str,
    contained: bool,
) -> Sequence[str]:
    _refuse_other_snakemake()
    engine = "bbert.reproduce.shared_volume" if contained else "snakemake"
    command = [
        sys.executable, "-m", engine, "--snakefile", str(snakefile.resolve()),
        "--directory", str(work.resolve()), "--keep-going", "--rerun-incomplete", "--nolock",
        "--retries", str(_TRIES - 1), "--rerun-triggers", "mtime",
    ]  # fmt: skip
    if profile is None:
        command += ["--cores", str(cores), "--resources", f"gpu={gpus}"]
        # No limit that matters here; but Snakemake looks for free places again after every such
        # span for every command that has ended, and its usual second costs a processor's share.
        command += ["--max-jobs-per-timespan", "1000/3s"]
        command += ["--scheduler", "greedy"]  # all commands are alike: there is nothing to solve
    else:
        command += ["--profile", str(profile.resolve())]
        command += [] if cores is None else ["--cores", str(cores)]  # wins over the profile's
    return [
        *command, "--config", f"plan={written.jobs.resolve()}", f"work={work.resolve()}",
        f"bbert={program}",
    ]  # fmt: skip


def _refuse_other_snakemake() -> None:
    """Before 9.17 a command that was the only one ready took no place, and gave one back."""
    from packaging.version import Version

    if importlib.util.find_spec("snakemake") is None:
        raise InputError("Snakemake is not installed; pip install 'bbert[pipelines]'")
    found = metadata.version("snakemake")
    if Version(found) < Version(OLDEST_SNAKEMAKE):
        raise InputError(
            f"Snakemake {found} starts more commands than there are processors or GPUs; "
            f"pip install 'snakemake>={OLDEST_SNAKEMAKE}'"
        )


def _environment() -> dict[str, str]:
    """The environment of the commands: no bars in their logs, and the same package as here."""
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TERM": "dumb"}


def _stop(process: subprocess.Popen[bytes], cluster: bool) -> None:
    """End Snakemake and the commands it started; they save what they have on SIGTERM.

    On SIGTERM Snakemake would wait for the jobs of a cluster to end by themselves; on SIGINT it
    cancels them.
    """
    if cluster:
        logger.info("stopping: cancelling the jobs; runs go on from their last checkpoints")
    else:
        logger.info("stopping: the commands that run save what they have")
    try:
        os.killpg(process.pid, signal.SIGINT if cluster else signal.SIGTERM)
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    except ProcessLookupError:
        pass


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let a process that starts here hear SIGINT, also where this one was started with `&` in a
    script, which has it ignored."""
    on_main_thread = threading.current_thread() is threading.main_thread()
    if not on_main_thread or signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the wait like an interruption; elsewhere than in the main thread, nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise RunFailed("stopped by SIGTERM; the same command goes on")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _lock(work: Path) -> Iterator[IO[str]]:
    folder = work / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "reproduce.lock").open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            who = re.fullmatch(r"(\d+) (\d+)\s*", stream.read())
            ids = f" (process {who[1]}; its Snakemake {who[2]})" if who else ""
            raise InputError(
                f"{work}: another `bbert reproduce`{ids}, or what it left running, works here; "
                "wait for it or use another --work"
            ) from None
        stream.truncate(0)  # who held it before
        yield stream
