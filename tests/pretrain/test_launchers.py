"""Two processes under every launcher give the losses of one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from commands import Command
from tiny_corpus import build_tiny_corpus

import bbert.pretrain.launch as launch_module
from bbert.errors import InputError, RunFailed
from bbert.pretrain.config import PretrainConfig
from bbert.pretrain.lifeline import SECONDS_TO_END
from bbert.pretrain.metrics import LossNotFinite
from bbert.pretrain.metrics_log import read_metrics

OPTIONS = (
    "--depth", "2", "--heads", "2", "--hidden", "16", "--seq-len", "24", "--batch-size", "7",
    "--dropout", "0.1", "--steps", "20", "--log-every", "5", "--eval-every", "10",
    "--learning-rate", "0.01", "--device", "cpu",
)  # fmt: skip
BIN = Path(sys.executable).parent
Started = subprocess.Popen[str]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("launchers") / "work"
    build_tiny_corpus(work, documents=30)
    command = Command(work / "alone.log", *arguments(work, "alone"))
    assert command.wait() == 0, command.output
    return work


def arguments(work: Path, name: str, *more: str) -> list[str]:
    return ["pretrain", "--work", str(work), "--name", name, *OPTIONS, *more]


def launch(*command: str) -> subprocess.CompletedProcess[str]:
    # The deepspeed launcher looks for its own parts on the PATH.
    environment = dict(os.environ, PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def assert_like_alone(work: Path, name: str) -> None:
    rows = read_metrics(work / "models" / name / "metrics.jsonl")
    expected = read_metrics(work / "models" / "alone" / "metrics.jsonl")
    assert len(rows) == len(expected) == 4
    for row, other in zip(rows, expected, strict=True):
        for key in row.keys() - {"tokens_per_second", "peak_share", "probe_seconds"}:
            assert row[key] == pytest.approx(
                other[key], rel=1e-4 if key == "grad_norm" else 1e-6
            ), (row["step"], key)


def test_torchrun(work: Path):
    done = launch(
        str(BIN / "torchrun"), "--nproc-per-node", "2", "-m", "bbert",
        *arguments(work, "torchrun", "--zero-stage", "1"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("model torchrun") == 1
    assert_like_alone(work, "torchrun")


def test_deepspeed_launcher(work: Path):
    done = launch(
        str(BIN / "deepspeed"), "--num_gpus", "2", "--master_port", str(free_port()),
        "--module", "bbert",
        *arguments(work, "deepspeed", "--zero-stage", "2", "--micro-batch-size", "2"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("model deepspeed") == 1
    assert_like_alone(work, "deepspeed")


def test_a_signal_to_deepspeed_alone_saves_and_ends_its_processes(work: Path):
    options = ("--steps", "100000", "--save-every", "100000")
    environment = dict(os.environ, PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    launcher = subprocess.Popen(
        [str(BIN / "deepspeed"), "--num_gpus", "2", "--master_port", str(free_port()),
         "--module", "bbert", *arguments(work, "orphans", *options)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    rows = work / "models" / "orphans.partial" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (rows.exists() and rows.stat().st_size > 0):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = [worker for between in children(launcher.pid) for worker in children(between)]
    assert len(workers) == 2
    launcher.terminate()
    began = time.monotonic()
    output, _ = launcher.communicate(timeout=60)  # until the last process has closed its end
    assert time.monotonic() - began < 30
    assert "stopped by SIGTERM" in output
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    assert (rows.parent / "checkpoints" / "latest").exists()


def start_two(work: Path, name: str, variables: Sequence[str], *more: str) -> list[Started]:
    """Two processes that know of each other through the environment alone."""
    started = []
    for rank in range(2):
        environment = {key: value for key, value in os.environ.items() if key[:6] != "SLURM_"}
        for variable in variables:
            key, value = variable.format(rank=rank).split("=")
            environment[key] = value
        command = [str(BIN / "bbert"), *arguments(work, name, *more)]
        started.append(
            subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    return started


def test_slurm(work: Path):
    variables = ("SLURM_PROCID={rank}", "SLURM_NTASKS=2", "SLURM_LOCALID={rank}")
    step = ("SLURM_JOB_ID=77", "SLURM_STEP_ID=3", "SLURM_STEP_NUM_TASKS=2", "SLURM_NNODES=1")
    processes = start_two(work, "slurm", (*variables, *step), "--micro-batch-size", "2")
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert "".join(outputs).count("model slurm") == 1, outputs
    assert_like_alone(work, "slurm")


def test_a_taken_port_and_a_process_that_dies(work: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        variables = ("RANK={rank}", "WORLD_SIZE=2", "LOCAL_RANK={rank}", "MASTER_ADDR=127.0.0.1")
        options = ("--steps", "100000", "--save-every", "10")
        processes = start_two(work, "lost", (*variables, f"MASTER_PORT={port}"), *options)
        checkpoints = work / "models" / "lost.partial" / "checkpoints"
        deadline = time.monotonic() + 120
        while not (checkpoints / "latest").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    processes[1].kill()
    began = time.monotonic()
    output, _ = processes[0].communicate(timeout=60)
    assert time.monotonic() - began < 60
    assert processes[0].returncode == 1, output
    assert f"port {port} is taken: meeting at port {port + 1}" in output
    last = output.splitlines()[-1]
    assert last.startswith("bbert pretrain: process 1 on ")
    assert last.endswith("has died; the same command goes on from the last checkpoint")
    processes[1].communicate()
    alone = Command(work / "lost.log", *arguments(work, "lost", *options))
    alone.wait_until(lambda: "going on from step" in alone.output)
    alone.send(signal.SIGTERM)
    assert alone.wait() == 143


def test_a_dead_worker_ends_the_run_with_one_error(work: Path):
    options = ("--processes", "2", "--steps", "100000", "--save-every", "10")
    command = Command(work / "dead.log", *arguments(work, "dead", *options))
    rows = work / "models" / "dead.partial" / "metrics.jsonl"
    command.wait_until(lambda: rows.exists() and rows.stat().st_size > 0)
    workers = children(command.process.pid)
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    began = time.monotonic()
    assert command.wait() == 1
    assert time.monotonic() - began < 60
    errors = [line for line in command.output.splitlines() if line.startswith("bbert pretrain:")]
    assert errors == [command.output.strip().splitlines()[-1]]
    assert "was killed by SIGKILL" in errors[0]
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


STUB = """
import json, os, sys, time
reports = json.loads(os.environ["REPORTS"])
report = reports[int(os.environ["RANK"])]
if report is not None:
    json.dump(report, open(sys.argv[2], "w"))
    raise SystemExit(1)
"""


@pytest.mark.parametrize(
    ("reports", "error", "message"),
    [
        ([{"type": "InputError", "message": "so", "time": 1}, {"follows": True}], InputError, "so"),
        (
            [{"type": "RuntimeError", "message": "lost", "time": 2},
             {"type": "LossNotFinite", "message": "nan", "time": 1}],
            LossNotFinite, "nan",
        ),
        (
            [{"type": "OSError", "errno": 28, "message": "full", "filename": "f", "time": 1}, None],
            OSError, "full",
        ),
        ([{"type": "KeyError", "message": "'x'", "time": 1}, None], RuntimeError, "KeyError: 'x'"),
        ([{"signal": 2, "time": 3}, {"signal": 2, "time": 2}], KeyboardInterrupt, ""),
        ([{"signal": 15, "time": 3}, {"follows": True, "time": 1}], SystemExit, "143"),
    ],
)  # fmt: skip
def test_the_first_error_of_the_workers_is_raised(
    reports: list, error: type, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stub = tmp_path / "stub.py"
    stub.write_text(STUB)
    monkeypatch.setattr(launch_module, "_worker_command", lambda: [sys.executable, str(stub)])
    monkeypatch.setenv("REPORTS", json.dumps(reports))
    with pytest.raises(error) as caught:
        launch_module.run_workers(PretrainConfig(), 2, 64)
    assert message in str(caught.value)


HANGING = """
import json, os, sys, time
report = json.loads(os.environ["REPORTS"])[int(os.environ["RANK"])]
if report is not None:
    json.dump(report, open(sys.argv[2] + ".new", "w"))
    os.replace(sys.argv[2] + ".new", sys.argv[2])
if report is None or report.get("hangs"):
    time.sleep(60)
raise SystemExit(1)
"""


@pytest.mark.parametrize(
    "reports",
    [
        [{"type": "RunFailed", "message": "no memory", "time": 1}, None],
        [{"type": "RuntimeError", "message": "lost", "time": 2},
         {"type": "RunFailed", "message": "no memory", "time": 1, "hangs": True}],
    ],
)  # fmt: skip
def test_a_worker_that_had_to_be_killed_is_not_the_cause(
    reports: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It was in a long micro-batch, or could not end once it had said why."""
    stub = tmp_path / "stub.py"
    stub.write_text(HANGING)
    monkeypatch.setattr(launch_module, "_worker_command", lambda: [sys.executable, str(stub)])
    monkeypatch.setattr(launch_module, "_SECONDS_TO_FOLLOW_A_DEAD_WORKER", 0.5)
    monkeypatch.setenv("REPORTS", json.dumps(reports))
    with pytest.raises(RunFailed, match=r"^no memory$"):
        launch_module.run_workers(PretrainConfig(), 2, 64)


def test_a_supervisor_waits_for_a_checkpoint_at_hand():
    assert launch_module._SECONDS_TO_FOLLOW_A_DEAD_WORKER > SECONDS_TO_END


SHOW_THREADS = """
import os, pathlib
shown = pathlib.Path(os.environ["SHOWN"]) / os.environ["RANK"]
shown.write_text(os.environ["OMP_NUM_THREADS"])
"""


@pytest.mark.parametrize(
    ("hidden", "given", "threads"), [(64, None, "1"), (128, None, "3"), (128, "5", "5")]
)
def test_the_processors_are_shared_out_among_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: int, given: str | None, threads: str
):
    """Those that this process may use; a small model has one thread as it has alone."""
    stub = tmp_path / "stub.py"
    stub.write_text(SHOW_THREADS)
    monkeypatch.setattr(launch_module, "_worker_command", lambda: [sys.executable, str(stub)])
    monkeypatch.setattr(launch_module, "usable_processors", lambda: 7)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setenv("SHOWN", str(tmp_path))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    launch_module.run_workers(PretrainConfig(), 2, hidden)
    assert [(tmp_path / rank).read_text() for rank in "01"] == [threads] * 2


def children(pid: int | None) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return sorted(int(child) for child in text.split())


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
