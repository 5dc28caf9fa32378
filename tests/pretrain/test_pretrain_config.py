"""Options of `bbert pretrain`: their defaults, what they refuse, how rows are dealt out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbert.cli import parse
from bbert.errors import InputError
from bbert.pretrain.config import PretrainConfig, architecture_of
from bbert.pretrain.defaults import K2020, SAMPLE
from bbert.pretrain.resolve import Machine, resolve
from bbert.pretrain.row_shares import micro_batches, rows_of
from bbert.stage_config import identity

REAL, EMBEDDED = {"sample": None}, {"sample": "/somewhere/sample"}


def resolved(config: PretrainConfig, manifest: dict, gpus: int = 0) -> PretrainConfig:
    return resolve(config, "corpus", manifest, Machine(gpus))


def test_a_real_corpus_gets_the_published_settings():
    config = resolved(PretrainConfig(), REAL)
    assert architecture_of(config, 60_000).parameter_count() == 132_775_010
    assert (config.steps, config.warmup_steps, config.learning_rate) == (2_000_000, 10_000, 1e-4)
    assert (config.batch_size, config.seq_len, config.weight_decay) == (32, 128, 0.01)
    assert config.dropout == K2020.dropout
    assert (config.mlm_probability, config.whole_word_mask, config.mlm_random) == (
        0.15, True, "joint",
    )  # fmt: skip
    assert (config.nsp, config.nsp_negatives, config.batching) == (True, "any", "mixed")
    assert (config.lang_id, config.packing, config.masks) == (False, "two-segments", "fresh")


def test_the_optimiser_is_the_published_one():
    import torch

    from bbert.pretrain.optimizer import adamw

    optimizer = adamw(torch.nn.Linear(2, 2), weight_decay=0.01)
    for group, decay in zip(optimizer.param_groups, (0.01, 0.0), strict=True):
        assert (group["betas"], group["eps"]) == ((0.9, 0.999), 1e-6)
        assert group["weight_decay"] == decay


@pytest.mark.parametrize(
    ("options", "steps"),
    [({"nsp": True}, 2000), ({"nsp": False}, 3000), ({"nsp": False, "depth": 5}, 3000),
     ({"nsp": False, "depth": 6}, 2000)],
)  # fmt: skip
def test_what_a_small_model_finds_hard_gets_a_lower_rate(options: dict, steps: int):
    config = resolved(PretrainConfig(**options), EMBEDDED)
    assert (config.steps, config.learning_rate) == (steps, {2000: 1e-3, 3000: 3e-3}[steps])


def test_the_sample_keeps_its_sizes_when_only_the_depth_is_given():
    config = resolved(parse("pretrain", ["--depth", "12", "--no-nsp"]), EMBEDDED)
    assert (config.depth, config.nsp) == (12, False)
    assert (config.hidden, config.heads, config.seq_len) == (
        SAMPLE.hidden, SAMPLE.heads, SAMPLE.seq_len,
    )  # fmt: skip
    assert config.intermediate == 4 * SAMPLE.hidden


def test_nothing_is_left_open_but_what_may_stay_open():
    config = resolved(PretrainConfig(), EMBEDDED)
    open_options = {key for key, value in vars(config).items() if value is None}
    assert open_options == {"name", "config", "micro_batch_size", "preset"}


def test_execution_is_not_part_of_the_identity():
    one = resolved(PretrainConfig(), EMBEDDED)
    other = resolved(
        PretrainConfig(processes=4, micro_batch_size=2, zero_stage=2, save_every=3), EMBEDDED
    )
    assert identity(one) == identity(other)


def test_gpus_decide_device_precision_and_processes():
    config = resolved(PretrainConfig(), REAL, gpus=4)
    assert (config.device, config.precision, config.processes) == ("cuda", "bf16", 4)
    config = resolved(PretrainConfig(device="cpu"), REAL, gpus=4)
    assert (config.device, config.precision, config.processes) == ("cpu", "fp32", 1)
    assert resolved(PretrainConfig(batch_size=2), REAL, gpus=4).processes == 2


def test_a_preset_that_loses_says_so(caplog):
    """The sizes of a configuration file would make every row of a table the same model."""
    names = [f"k2020-table4-depth{depth}" for depth in (1, 12)]
    for name in names:
        resolved(PretrainConfig(preset=name, depth=12, hidden=768), REAL)
    with_its_own_sizes = resolved(PretrainConfig(preset=names[0]), REAL)
    assert (with_its_own_sizes.depth, with_its_own_sizes.hidden) == (1, 1656)
    words = f"--preset {names[0]}: depth 12, hidden 768 win over the preset's depth 1, hidden 1656"
    assert [record.getMessage() for record in caplog.records] == [words]


@pytest.mark.parametrize(
    ("device", "instructions", "precision"),
    [("cpu", True, "bf16"), ("cpu", False, "fp32"), ("cpu", None, "fp32"), ("cuda", False, "bf16")],
)
def test_fast_is_bf16_wherever_it_is_not_emulated(monkeypatch, device, instructions, precision):
    monkeypatch.setattr("bbert.pretrain.resolve.has_bf16", lambda: instructions)
    config = PretrainConfig(precision="fast", device=device)
    assert resolved(config, REAL, gpus=1).precision == precision


def test_a_short_run_warms_up_for_a_tenth_of_its_steps():
    assert resolved(PretrainConfig(steps=500), REAL).warmup_steps == 50


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"heads": 5, "hidden": 64}, ("--hidden 64", "--heads 5")),
        ({"seq_len": 513}, ("--seq-len 513", "512")),
        ({"processes": 9, "batch_size": 8}, ("--processes 9", "--batch-size 9")),
        ({"steps": 0}, ("--steps 0",)),
        ({"depth": -1}, ("--depth -1",)),
        ({"dropout": 1.0}, ("--dropout 1.0",)),
        ({"mlm_probability": 0.0}, ("--mlm-probability 0.0",)),
        ({"learning_rate": float("nan")}, ("--learning-rate nan",)),
        ({"warmup_steps": 11, "steps": 10}, ("--warmup-steps 11", "--steps 10")),
        ({"weight_decay": -1.0}, ("--weight-decay -1.0",)),
        ({"save_every": 0}, ("--save-every 0",)),
        (
            {"nsp": False, "nsp_negatives": "same-language"},
            ("--nsp-negatives same-language", "leave it out with --no-nsp"),
        ),
    ],
)
def test_bad_values_name_option_and_mend(options: dict, words: tuple[str, ...]):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are checked
        PretrainConfig(**options)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden": 66}, ("--hidden 66", "--heads 4")),
        ({"processes": 33}, ("--processes 33", "32 rows")),
        ({"device": "cuda"}, ("--device cuda", "--device cpu")),
        ({"steps": 10, "warmup_steps": 10, "micro_batch_size": 0}, ("--micro-batch-size 0",)),
    ],
)
def test_what_contradicts_a_default_is_refused_too(options: dict, words: tuple[str, ...]):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are checked
        resolved(PretrainConfig(**options), EMBEDDED)
    assert all(word in str(caught.value) for word in words)


def test_more_processes_than_gpus_are_refused():
    with pytest.raises(InputError, match="--processes 3: this machine has 2"):
        resolved(PretrainConfig(processes=3), REAL, gpus=2)


@given(st.integers(1, 70), st.integers(1, 9), st.none() | st.integers(1, 70))
def test_rows_are_dealt_out_once_and_in_order(batch: int, processes: int, micro: int | None):
    try:
        count = micro_batches(batch, processes, micro)
    except InputError:
        assert processes > batch or (micro == 1 and batch % processes)
        return
    parts = [part for r in range(processes) for part in rows_of(batch, processes, count, r)]
    assert [row for start, stop in parts for row in range(start, stop)] == list(range(batch))
    assert all(0 < stop - start <= (micro or batch) for start, stop in parts)
