"""What `bbert pretrain --dry-run` says of disk and threads is what a run then does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_corpus import build_tiny_corpus

from bbert.pretrain import estimate, launch
from bbert.pretrain.config import PretrainConfig
from bbert.pretrain.memory import BYTES_PER_WEIGHT, MOMENTS, MemoryNeed
from bbert.pretrain.plan import make_plan
from bbert.pretrain.run import run
from bbert.stage_config import DryRun

WEIGHTS = 1_000 * BYTES_PER_WEIGHT
CHECKPOINT = (1 + MOMENTS) * WEIGHTS


@pytest.mark.parametrize(
    ("keep_best", "models", "checkpoints", "said"),
    [(False, 1, 3, "model and 2 checkpoints"),
     (True, 2, 4, "model, best model, 2 checkpoints and the best")],
)  # fmt: skip
def test_the_best_model_and_checkpoint_take_up_disk_too(
    keep_best: bool, models: int, checkpoints: int, said: str
):
    """One checkpoint more than is kept, while it is written."""
    needed, kept = estimate._disk(1_000, PretrainConfig(keep_best=keep_best))
    assert (needed, kept) == (models * WEIGHTS + checkpoints * CHECKPOINT, said)


@pytest.mark.parametrize(
    ("hidden", "processes", "threads"),
    [(64, 1, 1), (64, 2, 1), (65, 1, 9), (256, 2, 4), (256, 20, 1)],
)
def test_threads_are_those_of_the_workers(
    monkeypatch: pytest.MonkeyPatch, hidden: int, processes: int, threads: int
):
    """A small model has one, so that its sums do not depend on the machine's processors."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(launch, "usable_processors", lambda: 9)
    monkeypatch.setattr("bbert.processor_threads.usable_processors", lambda: 9)
    taken: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", taken.append)
    estimate._set_threads_of_a_process(hidden, processes)
    assert taken[-1] == threads
    assert processes == 1 or launch.threads_of_a_worker(hidden, processes) == threads


NEED = MemoryNeed(fixed=1e9, per_row=1e8)


def measured_rows(
    work: Path, monkeypatch: pytest.MonkeyPatch, memory: float, refused_from: int = 1000
) -> tuple[list[int], str]:
    """The rows of each try to measure 32 at once, and what is said of the time."""
    build_tiny_corpus(work)
    config = PretrainConfig(
        work=work, depth=1, heads=1, hidden=8, seq_len=16, batch_size=32, steps=10, device="cpu"
    )
    tries: list[int] = []

    def measure(plan: object, model: object, source: object, rows: int) -> tuple[float, float]:
        tries.append(rows)
        if rows >= refused_from:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 0.1, 0.05

    monkeypatch.setattr(estimate, "_FLOPS_TO_MEASURE", 1e18)  # a whole micro-batch, as on a GPU
    monkeypatch.setattr(estimate, "_measure", measure)
    monkeypatch.setattr(estimate, "need_of", lambda *_, **__: NEED)
    monkeypatch.setattr(estimate, "available_bytes", lambda *_: memory)
    said = estimate.estimates(make_plan(config), 1)
    assert said["memory"].startswith("about 4.2 GB a process with 32 rows at once")
    return tries, said["time"]


def test_no_more_rows_are_measured_than_memory_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert measured_rows(tmp_path / "a", monkeypatch, 1e11)[0] == [32]
    assert measured_rows(tmp_path / "b", monkeypatch, 2e9)[0] == [5]
    tries, time = measured_rows(tmp_path / "c", monkeypatch, 1.2e9)  # less than is wanted free
    assert tries == [1]
    assert time.startswith("about 32 s on cpu, 1 process (from a measurement")


def test_out_of_memory_halves_the_rows_and_then_leaves_the_time_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tries, time = measured_rows(tmp_path / "a", monkeypatch, 1e11, refused_from=5)
    assert tries == [32, 16, 8, 4]
    assert time.startswith("about 32 s")
    tries, time = measured_rows(tmp_path / "b", monkeypatch, 2e9, refused_from=1)
    assert tries == [5, 2, 1]
    assert time.startswith("not measured")
    tries, time = measured_rows(tmp_path / "c", monkeypatch, 1e9)
    assert tries == []
    assert time.startswith("not measured")


def test_other_errors_of_the_measurement_are_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    build_tiny_corpus(tmp_path)
    config = PretrainConfig(work=tmp_path, device="cpu", dry_run=True)

    def measure(*_: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(estimate, "_measure", measure)
    with pytest.raises(RuntimeError, match="mat1"):
        run(config)


def test_the_time_is_measured_on_real_rows(tmp_path: Path):
    build_tiny_corpus(tmp_path)
    planned = run(
        PretrainConfig(
            work=tmp_path, depth=1, heads=1, hidden=8, seq_len=16, batch_size=4, steps=10,
            device="cpu", dry_run=True,
        )
    )  # fmt: skip
    assert isinstance(planned, DryRun)
    assert "ms a row" in planned.estimates["time"]
