"""What `bbert pretrain --dry-run` says of disk and threads is what a run then does."""

from __future__ import annotations

import pytest
import torch

from bbert.pretrain import estimate, launch
from bbert.pretrain.config import PretrainConfig
from bbert.pretrain.memory import BYTES_PER_WEIGHT, MOMENTS

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
