"""The memory formula counts what torch keeps, and running out of memory names the mend."""

from __future__ import annotations

import re
import resource
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from commands import Command
from small_bert import inputs
from tiny_corpus import build_tiny_corpus

from bbert.errors import RunFailed
from bbert.pretrain import memory
from bbert.pretrain.architecture import Architecture
from bbert.pretrain.attention import kernel_draws_dropout
from bbert.pretrain.memory import MemoryNeed, memory_need, shown_bytes
from bbert.pretrain.model import BertForPretraining
from bbert.pretrain.out_of_memory import MemoryBudget, available_bytes

SHAPE = Architecture(3, 4, 128, 512, vocab_size=500, max_positions=128, nsp=False)
NEED = MemoryNeed(fixed=1e9, per_row=1e7)


def kept_bytes(architecture: Architecture, rows: int, positions: int, bf16: bool) -> float:
    """What the forward pass keeps for the backward pass, per row."""
    model = BertForPretraining(architecture, num_languages=2)
    arguments = inputs(architecture, rows, positions, slots=1) | {"attention_mask_BT": None}
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    shapes = {parameter.shape for parameter in model.parameters()}
    shapes |= {shape[::-1] for shape in shapes}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        address = tensor.untyped_storage().data_ptr()
        if address not in own and tensor.shape not in shapes:  # nor autocast's copy of a weight
            kept[address] = tensor
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=bf16),
    ):
        model(**arguments)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values()) / rows


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize(("heads", "positions"), [(4, 32), (1, 96), (8, 96)])
def test_the_formula_counts_what_the_forward_pass_keeps(
    heads: int, positions: int, dropout: float, bf16: bool
):
    architecture = replace(SHAPE, heads=heads, dropout=dropout)
    need = memory_need(architecture, positions, 1, bf16=bf16)
    assert kept_bytes(architecture, 8, positions, bf16) == pytest.approx(
        need.per_row / memory._FRAGMENTS, rel=0.2
    )


def test_zero_shares_out_moments_and_then_gradients():
    weights = 4 * SHAPE.parameter_count()
    needs = [memory_need(SHAPE, 32, 4, gpu=True, processes=4, zero_stage=z) for z in (0, 1, 2)]
    assert [need.fixed / weights for need in needs] == [4, 2.5, 1.75]
    assert len({need.per_row for need in needs}) == 1


def test_as_many_rows_fit_as_the_formula_allows():
    assert NEED.of(50) == 1.5e9
    rows = NEED.rows_within(2e9)
    assert NEED.of(rows) <= 0.75 * 2e9 < NEED.of(rows + 1)
    assert NEED.rows_within(1e9) < 1


def test_the_mend_is_the_largest_micro_batch_that_fits(caplog: pytest.LogCaptureFixture):
    MemoryBudget(NEED, 50, 2e9).warn()
    assert not caplog.text
    tight = MemoryBudget(NEED, 500, 2e9)
    tight.warn()
    assert "6.0 GB" in caplog.text
    assert "--micro-batch-size 50" in caplog.text
    with pytest.raises(RunFailed, match="--micro-batch-size 50 "), tight.explained():
        raise torch.OutOfMemoryError("CUDA out of memory")
    with (
        pytest.raises(RunFailed, match="--micro-batch-size 25 "),
        tight.__class__(
            NEED,
            50,
            2e9,  # the formula was too hopeful: half of what did not fit
        ).explained(),
    ):
        raise MemoryError
    with pytest.raises(RunFailed, match="not even one row"), replace(tight, limit=1e9).explained():
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to")


def test_the_result_is_only_called_the_same_where_it_is():
    assert "(the result is the same)" in MemoryBudget(NEED, 500, 2e9).mend(500)
    mend = MemoryBudget(NEED, 500, 2e9, other_dropout=True).mend(500)
    assert "the result is the same" not in mend
    assert "--micro-batch-size 50 (" in mend
    assert SHAPE.dropout > 0
    assert kernel_draws_dropout(SHAPE, "cuda")
    assert not kernel_draws_dropout(SHAPE, "cpu")
    assert not kernel_draws_dropout(replace(SHAPE, dropout=0.0), "cuda")
    assert not kernel_draws_dropout(replace(SHAPE, hidden=1030, heads=2), "cuda")


def test_other_errors_pass():
    with (
        pytest.raises(RuntimeError, match="something else"),
        MemoryBudget(NEED, 5, 2e9).explained(),
    ):
        raise RuntimeError("something else")


def test_what_is_available_is_shared():
    alone, shared = available_bytes("cpu"), available_bytes("cpu", 4)
    assert shared < alone <= psutil.virtual_memory().total
    assert (shown_bytes(1.5e9), shown_bytes(2.5e6)) == ("1.5 GB", "2.5 MB")


def limit_memory() -> None:
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + 700_000_000, resource.RLIM_INFINITY))


def test_a_run_out_of_memory_says_the_micro_batch_that_fits(tmp_path: Path):
    build_tiny_corpus(tmp_path, documents=60)
    options = (
        "pretrain", "--work", str(tmp_path), "--depth", "4", "--heads", "8", "--hidden", "64",
        "--seq-len", "64", "--batch-size", "1600", "--steps", "1", "--no-probe", "--no-nsp",
        "--dropout", "0.1", "--device", "cpu",
    )  # fmt: skip
    failed = Command(tmp_path / "failed.log", *options, prepare=limit_memory)
    assert failed.wait() == 1, failed.output
    last = failed.output.splitlines()[-2:]
    assert last[0].startswith("bbert pretrain: out of memory with 1600 rows at once")
    assert last[1].startswith("the same command with it goes on")
    found = re.search(r"use --micro-batch-size (\d+)", last[0])
    assert found is not None
    again = Command(
        tmp_path / "again.log", *options, "--micro-batch-size", found[1], prepare=limit_memory
    )
    assert again.wait() == 0, again.output
