"""`bbert pretrain`: a corpus run becomes a model run.

    resolve → open the run → train from the newest good checkpoint → export → manifest

Every process of the run goes through `run_in_group`; the leading one alone opens the run directory,
holds its lock and writes, and tells the others what it found.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bbert.errors import InputError, RunFailed
from bbert.pretrain.checkpoint import CHECKPOINTS, newest_checkpoint
from bbert.pretrain.config import PretrainConfig, known
from bbert.pretrain.leave_behind import leave_behind
from bbert.pretrain.metrics import LossNotFinite
from bbert.pretrain.plan import (
    STAGE,
    Plan,
    make_plan,
    may_use_gpu,
    say_what_is_run,
    warn_of_slow_arithmetic,
)
from bbert.pretrain.process_group import (
    ProcessGroup,
    count_gpus,
    end_without_the_lost,
    launched_group,
    launched_here,
)
from bbert.pretrain.stop_request import stopped_at_once
from bbert.provenance import sha256
from bbert.run_directory import RunDirectory, open_run
from bbert.stage_config import DryRun

if TYPE_CHECKING:
    from bbert.pretrain.training import Training

logger = logging.getLogger(__name__)

_SECONDS_TO_HEAR_OF_A_DEATH = 3.0


@dataclass(frozen=True)
class _Orders:
    """What the leading process tells the others."""

    plan: Plan
    corpus_hash: str
    run_path: Path
    checkpoint: Path | None
    up_to_date: bool


def run(config: PretrainConfig) -> RunDirectory | DryRun | None:
    """Pretrain; None in the processes of a group that do not lead it.

    Raises:
        InputError: no corpus, or options that contradict it, each other or the machine.
    """
    group = launched_group()
    if config.dry_run:
        return _dry_run(config, group) if group is None or group.leads else None
    if group is not None:
        return run_in_group(config, group)
    plan = make_plan(config)
    processes = known(plan.config.processes)
    finished = RunDirectory.is_run(plan.final) and not (config.force or config.renew)
    if processes == 1 or finished:  # a finished run is up to date or refused: no workers for that
        return run_in_group(config, ProcessGroup())
    from bbert.pretrain.launch import run_workers

    run_workers(config, processes, known(plan.config.hidden))
    return RunDirectory(plan.final)


def _dry_run(config: PretrainConfig, group: ProcessGroup | None) -> DryRun:
    from bbert.pretrain.estimate import estimates

    plan = make_plan(config, group)
    warn_of_slow_arithmetic(plan.config)
    here = known(plan.config.processes) if group is None else launched_here(group)
    return DryRun(plan.config, plan.final, estimates(plan, here))


def run_in_group(
    config: PretrainConfig, group: ProcessGroup, rendezvous: str | None = None
) -> RunDirectory | None:
    """This process's part in a run; None where it does not lead.

    Args:
        rendezvous: where workers that bbert started meet; None under another launcher.

    Raises:
        SystemExit: in a process that does not lead, when the leading one refuses the run.
    """
    with stopped_at_once():
        if group.size == 1:
            return _lead(config, group)
        from bbert.pretrain.process_group import connect

        connect(group, "cuda" if may_use_gpu(config) and count_gpus() else "cpu", rendezvous)
        if rendezvous is not None:  # bbert's own workers, which have a supervisor
            return _take_part(config, group)
        with _lifeline(group):
            return _take_part(config, group)


@contextmanager
def _lifeline(group: ProcessGroup) -> Iterator[None]:
    """While entered, no process waits for a dead one, and the error names that one."""
    from bbert.pretrain.lifeline import Lifeline
    from bbert.pretrain.meeting import meeting_point

    lifeline = Lifeline(group, meeting_point()[0])
    try:
        yield
    except BaseException as error:
        cannot_tell = isinstance(error, RuntimeError) and not isinstance(error, RunFailed)
        lost = lifeline.lost(_SECONDS_TO_HEAR_OF_A_DEATH) if cannot_tell else None
        stopped = isinstance(error, SystemExit | KeyboardInterrupt)
        lifeline.end("it was stopped" if stopped else _first_line(lost or error))
        if lost is not None:
            end_without_the_lost()
            raise RunFailed(lost) from error
        raise
    lifeline.end()


def _first_line(error: object) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _take_part(config: PretrainConfig, group: ProcessGroup) -> RunDirectory | None:
    if group.leads:
        return _lead(config, group)
    _follow(group)
    return None


def _lead(config: PretrainConfig, group: ProcessGroup) -> RunDirectory:
    """Open the run, tell the others, train, export, finish."""
    told = False
    try:
        plan = make_plan(config, group)
        corpus_manifest = plan.corpus.path / "manifest.json"
        with open_run(STAGE, plan.name, plan.config, [corpus_manifest]) as opened:
            checkpoint = None
            if not opened.up_to_date:
                say_what_is_run(plan, config)
                checkpoint = newest_checkpoint(opened.path / CHECKPOINTS, plan.identity)
            orders = _Orders(
                plan, plan.identity["corpus"], opened.path, checkpoint, opened.up_to_date
            )
            group.broadcast(orders)
            told = True
            if opened.up_to_date:
                return opened.directory
            training = _train(orders, group)
            leave_behind(plan, opened, training)
            return opened.finish()
    finally:
        if not told:
            group.broadcast(None)


def _follow(group: ProcessGroup) -> None:
    """Do what the leading process says; its errors are not said twice."""
    logging.getLogger("bbert").setLevel(logging.ERROR)
    orders: _Orders | None = group.broadcast()
    if orders is None:
        raise SystemExit(2)
    if not orders.up_to_date:
        try:
            _train(orders, group)
        except InputError:  # the same in every process
            raise SystemExit(2) from None
        except LossNotFinite:
            raise SystemExit(1) from None


def _train(orders: _Orders, group: ProcessGroup) -> Training:
    """Train to the last step, in one of the processes."""
    from bbert.pretrain.assemble import assemble
    from bbert.pretrain.estimate import memory_budget
    from bbert.pretrain.out_of_memory import available_bytes
    from bbert.pretrain.process_group import connect, deepspeed_log

    device = orders.plan.config.device
    connect(group, device)
    # While nobody has weights yet: all meet in `_check_corpora` before they make them.
    memory = available_bytes(device, group.size_here())
    _check_corpora(orders, group)
    with deepspeed_log(orders.run_path / "deepspeed.log" if group.leads else None):
        training = assemble(orders.plan, orders.run_path, group)
        budget = memory_budget(orders.plan, training.source, training.rows, memory)
        if group.leads:
            budget.warn()
        if orders.checkpoint is not None:
            _resume(training, orders.checkpoint, group)
        with budget.explained():
            training.run()
    return training


def _resume(training: Training, path: Path, group: ProcessGroup) -> None:
    """Go on from a checkpoint, and let go of it: it is as large as weights and moments."""
    from bbert.pretrain.saving import read_in_all

    checkpoint = read_in_all(path, group)
    training.resume(checkpoint)
    logger.info("going on from step %s (%s)", f"{checkpoint.step:,}", checkpoint.path)


def _check_corpora(orders: _Orders, group: ProcessGroup) -> None:
    """Every process must see the leading one's corpus, on whatever machine it is."""
    path = orders.plan.corpus.path / "manifest.json"
    try:
        problem = None if sha256(path) == orders.corpus_hash else f"{path} is of another corpus"
    except OSError as error:
        problem = f"{path}: {error.strerror}"
    for rank, (host, found) in enumerate(group.gather((socket.gethostname(), problem))):
        if found is not None:
            raise InputError(
                f"process {rank} on {host}: {found}; share the work folder between the nodes "
                "or copy the corpus to the same path"
            )
