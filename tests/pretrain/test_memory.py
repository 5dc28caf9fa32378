"""The memory formula counts what torch keeps, and running out of memory names the mend."""

from __future__ import annotations

import re
import resource
from dataclasses import replace
from functools import partial
from pathlib import Path

import plants
import psutil
import pytest
import torch
from commands import Command
from small_bert import inputs
from tiny_corpus import build_tiny_corpus

from bbert.errors import RunFailed
from bbert.pretrain import memory, run
from bbert.pretrain.architecture import Architecture
from bbert.pretrain.attention import kernel_draws_dropout
from bbert.pretrain.config import PretrainConfig
from bbert.pretrain.memory import MemoryNeed, memory_need, shown_bytes
from bbert.pretrain.model import BertForPretraining
from bbert.pretrain.out_of_memory import MemoryBudget, available_bytes, saving_explained
from bbert.pretrain.plan import make_plan
from bbert.pretrain.process_group import ProcessGroup, launched_here
from bbert.provenance import sha256

SHAPE = Architecture(3, 4, 128, 512, vocab_size=500, max_positions=128, nsp=False)
LARGE = Architecture(4, 8, 512, 2048, vocab_size=30_000, max_positions=128, nsp=False)
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


def weights_needed(processes: int, zero_stage: int, gpu: bool) -> float:
    """Bytes that do not grow with the rows, over those of the weights, without libraries."""
    need = memory_need(LARGE, 32, 4, gpu=gpu, processes=processes, zero_stage=zero_stage)
    assert need.per_row == memory_need(LARGE, 32, 4, gpu=gpu).per_row
    return (need.fixed - (0 if gpu else memory._LIBRARIES)) / (4 * LARGE.parameter_count())


@pytest.mark.parametrize("gpu", [False, True])
def test_several_processes_add_up_gradients_in_a_copy(gpu: bool):
    assert weights_needed(1, 0, gpu) == 4
    assert weights_needed(2, 0, gpu) == weights_needed(16, 0, gpu) == 5


def test_zero_shares_out_moments_and_then_gradients_on_gpus():
    """Weights, AdamW's own share of them, moments; gradients; two buckets of a sixteenth."""
    bucket = 2 / 16
    assert weights_needed(8, 1, gpu=True) == pytest.approx(1 + 3 / 8 + 1 + 1 / 8 + bucket, abs=0.01)
    assert weights_needed(8, 2, gpu=True) == pytest.approx(1 + 3 / 8 + 3 / 8 + bucket, abs=0.01)


def test_zero_saves_no_memory_of_two_processes_on_a_cpu():
    assert all(weights_needed(2, z, gpu=False) > weights_needed(2, 0, gpu=False) for z in (1, 2))
    assert weights_needed(8, 2, gpu=False) < weights_needed(8, 0, gpu=False)
    small = memory_need(SHAPE, 32, 4, gpu=True, processes=4, zero_stage=2)  # one bucket holds all
    assert small.fixed / (4 * SHAPE.parameter_count()) < 1 + 3 / 4 + 3 / 4 + 2 + 0.01


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


def test_zero_is_a_mend_on_gpus_only():
    few = MemoryBudget(NEED, 500, 1e9)
    assert "not even one row fits" in few.mend(500)
    assert "--zero-stage" not in few.mend(500)
    assert replace(few, gpu=True).mend(500).endswith("or --zero-stage 2 on several GPUs")


def test_one_row_that_did_not_fit_is_not_recommended():
    roomy = MemoryBudget(NEED, 1, 1e12)
    with pytest.raises(RunFailed, match="not even one row fits"), roomy.explained():
        raise MemoryError


def test_a_checkpoint_out_of_memory_is_not_blamed_on_the_rows():
    """Also within what explains a step; the cause is a MemoryError in both."""
    budget = MemoryBudget(NEED, 1, 2e9)
    last = Path("checkpoints/step-00000010")
    for num_bytes, newest, words in (
        (3e8, last, ["about 300.0 MB beside the training", f"goes on from {last}"]),
        (0.0, None, ["was made; use a smaller --hidden", "there is no checkpoint yet"]),
    ):
        with (
            pytest.raises(RunFailed, match="the checkpoint of step 1,200 was made") as caught,
            budget.explained(),
            saving_explained(1200, num_bytes, newest),
        ):
            raise MemoryError
        assert "row" not in str(caught.value)
        assert all(part in str(caught.value) for part in words)
        assert len(str(caught.value).splitlines()) == 2
    with pytest.raises(RuntimeError, match="else"), saving_explained(1, 0.0, None):
        raise RuntimeError("something else")


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


def test_files_that_a_container_has_read_leave_their_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its `memory.current` counts them: after a corpus was built, nothing would seem left."""
    monkeypatch.setattr("bbert.container_memory.CONTROL_GROUP", tmp_path)
    (tmp_path / "memory.max").write_text("100000000\n")
    (tmp_path / "memory.current").write_text("95000000\n")
    assert available_bytes("cpu") == 5_000_000
    (tmp_path / "memory.stat").write_text("anon 15000000\ninactive_file 60000000\nshmem 0\n")
    assert available_bytes("cpu") == 65_000_000
    (tmp_path / "memory.current").write_text("170000000\n")  # its maximum was lowered
    assert available_bytes("cpu") == 0


def test_a_machines_memory_is_that_of_its_own_processes(monkeypatch: pytest.MonkeyPatch):
    group = ProcessGroup(1, 5, 1)
    monkeypatch.setattr(ProcessGroup, "gather", lambda self, host: [host, "b", host, "b", "b"])
    assert group.size_here() == 2


@pytest.mark.parametrize(
    ("variable", "here"),
    [("LOCAL_WORLD_SIZE=8", 8), ("LOCAL_SIZE=4", 4), ("SLURM_STEP_TASKS_PER_NODE=8(x2)", 8),
     ("LOCAL_SIZE=many", 16), ("OTHER=3", 16), ("LOCAL_SIZE=99", 16)],
)  # fmt: skip
def test_a_launcher_may_say_how_many_processes_are_here(
    variable: str, here: int, monkeypatch: pytest.MonkeyPatch
):
    for name in ("LOCAL_WORLD_SIZE", "LOCAL_SIZE", "SLURM_STEP_TASKS_PER_NODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(*variable.split("="))
    assert launched_here(ProcessGroup(0, 16)) == here


def test_memory_is_looked_at_before_there_are_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What is needed counts them: seen after they were made, they would count twice."""
    corpus = build_tiny_corpus(tmp_path)
    seen: list[str] = []

    def assemble(*_: object) -> None:
        seen.append("weights")
        raise KeyboardInterrupt

    def available(device: str, here: int) -> float:
        seen.append(f"{device} for {here}")
        return 1e9

    monkeypatch.setattr("bbert.pretrain.assemble.assemble", assemble)
    monkeypatch.setattr("bbert.pretrain.out_of_memory.available_bytes", available)
    plan = make_plan(PretrainConfig(work=tmp_path, device="cpu"))
    orders = run._Orders(plan, sha256(corpus / "manifest.json"), tmp_path, None, False)
    with pytest.raises(KeyboardInterrupt):
        run._train(orders, ProcessGroup())
    assert seen == ["cpu for 1", "weights"]


def test_a_run_without_memory_for_a_checkpoint_says_so(tmp_path: Path):
    build_tiny_corpus(tmp_path)
    options = (
        "pretrain", "--work", str(tmp_path), "--depth", "2", "--heads", "2", "--hidden", "16",
        "--seq-len", "24", "--batch-size", "1", "--steps", "5", "--save-every", "2", "--device",
        "cpu", "--no-probe",
    )  # fmt: skip
    failed = Command(tmp_path / "log", *options, prepare=partial(plants.no_memory_for_state, 4))
    assert failed.wait() == 1, failed.output
    last = failed.output.splitlines()[-2:]
    assert last[0].startswith("bbert pretrain: out of memory while the checkpoint of step 4 was")
    assert last[1].endswith("step-00000002")
    assert "row" not in "".join(last)


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
