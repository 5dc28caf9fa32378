"""The engine's step is that of a plain loop, to the last bit; its state survives a move."""

from __future__ import annotations

import commands  # noqa: F401 - sets DeepSpeed's accelerator
import pytest
import torch
from tiny_corpus import build_tiny_corpus
from transformers import get_linear_schedule_with_warmup

from bbert.errors import InputError
from bbert.pretrain import memory
from bbert.pretrain.architecture import Architecture
from bbert.pretrain.batches import BatchSettings, BatchSource
from bbert.pretrain.compiling import wants_compiling
from bbert.pretrain.config import ADAM_BETAS, ADAM_EPSILON, MAX_GRADIENT_NORM
from bbert.pretrain.engine import Engine, EngineSettings, deepspeed_config
from bbert.pretrain.model import BertForPretraining
from bbert.pretrain.optimizer import learning_rate, parameter_groups
from bbert.pretrain.process_group import ProcessGroup, connect

ARCHITECTURE = Architecture(2, 2, 16, 64, vocab_size=80, max_positions=32, dropout=0.1)
STEPS = 6


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> BatchSource:
    corpus = build_tiny_corpus(tmp_path_factory.mktemp("engine"), documents=30)
    settings = BatchSettings(batch_size=6, seq_len=24)
    return BatchSource(corpus, ["enfake", "en"], settings, seed=3)


def new_engine(
    micro_batches: int = 1, zero_stage: int = 0, precision: str = "fp32", seed: int = 1
) -> Engine:
    group = ProcessGroup()
    connect(group, "cpu")
    model = BertForPretraining(ARCHITECTURE, num_languages=2, seed=seed)
    settings = EngineSettings(
        micro_batches, 6 // micro_batches, 0.01, zero_stage, precision, "cpu", "off", STEPS, seed
    )
    return Engine(model, settings, group)


def train(engine: Engine, source: BatchSource, steps: range, parts: int = 1) -> list[float]:
    norms = []
    size = 6 // parts
    for step in steps:
        batch = source.batch(step - 1)
        tensors = [batch.slice(i * size, (i + 1) * size).tensors() for i in range(parts)]
        _, norm = engine.train_step(tensors, learning_rate(step, 0.01, 2, STEPS), step)
        norms.append(float(norm))
    return norms


def weights(engine: Engine) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in engine.state().items() if name.startswith("weight/")}


def test_a_plain_loop_gives_the_same_weights_to_the_last_bit(source: BatchSource):
    engine = new_engine()
    norms = train(engine, source, range(1, STEPS + 1))
    model = BertForPretraining(ARCHITECTURE, num_languages=2, seed=1)
    matrices = [p for n, p in model.named_parameters() if "norm" not in n and "bias" not in n]
    others = [p for n, p in model.named_parameters() if "norm" in n or "bias" in n]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
        lr=0.01, betas=ADAM_BETAS, eps=ADAM_EPSILON, fused=True,
    )  # fmt: skip
    schedule = get_linear_schedule_with_warmup(optimizer, 2, STEPS)
    expected = []
    for step in range(STEPS):
        model(**source.batch(step).tensors())["loss"].backward()
        expected.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)))
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    assert MAX_GRADIENT_NORM == 1.0
    assert norms == expected
    state = weights(engine)
    for name, parameter in model.named_parameters():
        assert torch.equal(state[f"weight/{name}"], parameter), name


@pytest.mark.parametrize(("micro_batches", "zero_stage"), [(3, 0), (1, 1), (2, 2)])
def test_micro_batches_and_zero_change_only_the_rounding(
    source: BatchSource, micro_batches: int, zero_stage: int
):
    plain, other = new_engine(), new_engine(micro_batches, zero_stage)
    norms = train(plain, source, range(1, STEPS + 1))
    assert train(other, source, range(1, STEPS + 1), micro_batches) == pytest.approx(norms, 1e-4)
    expected = weights(plain)
    for name, tensor in weights(other).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=2e-5, msg=name)


@pytest.mark.parametrize("zero_stage", [1, 2])
def test_the_size_of_the_buckets_changes_nothing(
    source: BatchSource, zero_stage: int, monkeypatch: pytest.MonkeyPatch
):
    """Matrices larger than a bucket, and several buckets a step."""
    whole = new_engine(2, zero_stage)
    monkeypatch.setattr(memory, "_SMALLEST_BUCKET", 700)
    several = new_engine(2, zero_stage)
    sizes = [e._deepspeed.zero_reduce_bucket_size() for e in (whole, several)]
    assert sizes[1] == 1000 < max(p.numel() for p in several.model.parameters()) < sizes[0]
    norms = train(whole, source, range(1, STEPS + 1), 2)
    assert train(several, source, range(1, STEPS + 1), 2) == norms
    expected = whole.state()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in several.state().items())


def test_a_bucket_holds_a_small_part_of_a_large_model():
    """One that holds all of it lets no gradient go before the end of the backward pass."""
    settings = EngineSettings(1, 1, 0.0, 2, "fp32", "cpu", "off", 1, 0)
    model = torch.nn.Linear(8_000, 8_000, bias=False, device="meta")
    zero = deepspeed_config(settings, ProcessGroup(), model)["zero_optimization"]
    assert zero["reduce_bucket_size"] == zero["allgather_bucket_size"] == 4_000_000


def test_a_state_on_a_cpu_is_no_copy(source: BatchSource):
    """It would take 12 bytes a parameter that a training could have spared, but not its end."""
    engine = new_engine()
    train(engine, source, range(1, 2))
    state, optimizer = engine.state(), engine._deepspeed.basic_optimizer
    for name, parameter in engine.model.named_parameters():
        own = {"weight": parameter, **optimizer.state[parameter]}
        for kind in ("weight", "exp_avg", "exp_avg_sq"):
            assert state[f"{kind}/{name}"].data_ptr() == own[kind].data_ptr(), (kind, name)
    assert engine.state_bytes == 0
    parameters = sum(parameter.numel() for parameter in engine.model.parameters())
    assert new_engine(zero_stage=1).state_bytes == 8 * parameters


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("second", [0, 1, 2])
def test_state_moves_between_zero_stages(source: BatchSource, first: int, second: int):
    before = new_engine(zero_stage=first)
    train(before, source, range(1, 4))
    state = before.state()
    after = new_engine(zero_stage=second, seed=99)
    after.load_state(state, step=3)
    again = after.state()
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in state.items())
    train(before, source, range(4, STEPS + 1))
    train(after, source, range(4, STEPS + 1))
    exact = first == second
    for name, tensor in weights(after).items():
        tolerance = {"rtol": 0, "atol": 0} if exact else {"rtol": 1e-3, "atol": 2e-5}
        torch.testing.assert_close(tensor, before.state()[name], **tolerance)


def test_bf16_stays_close_to_fp32(source: BatchSource):
    exact, rough = new_engine(), new_engine(precision="bf16")
    norms = train(exact, source, range(1, STEPS + 1))
    assert train(rough, source, range(1, STEPS + 1)) == pytest.approx(norms, 0.1)
    assert all(tensor.dtype == torch.float32 for tensor in rough.state().values())


@pytest.mark.parametrize("zero_stage", [1, 2])
def test_zero_does_not_round_gradients_in_bf16(source: BatchSource, zero_stage: int):
    # One part's gradients come out of bfloat16 as they are: only a sum can be rounded.
    plain, other = new_engine(3, precision="bf16"), new_engine(3, zero_stage, "bf16")
    norms = train(plain, source, range(1, 3), parts=3)
    assert train(other, source, range(1, 3), parts=3) == pytest.approx(norms, 1e-5)
    expected, state = plain.state(), other.state()
    for name, tensor in expected.items():
        if name.startswith("exp_avg/"):
            torch.testing.assert_close(state[name], tensor, rtol=1e-4, atol=1e-7, msg=name)


def test_a_state_of_another_architecture_is_refused():
    state = {"weight/other": torch.zeros(3)}
    with pytest.raises(InputError, match="another architecture"):
        new_engine().load_state(state, 1)


def test_only_matrices_decay():
    model = BertForPretraining(ARCHITECTURE)
    decayed, plain = parameter_groups(model.named_parameters(), 0.5)
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.5, 0.0)
    names = {id(p): n for n, p in model.named_parameters()}
    assert {names[id(p)].rsplit(".", 1)[-1] for p in decayed["params"]} == {"weight"}
    assert all("norm" in names[id(p)] or "bias" in names[id(p)] for p in plain["params"])


def test_compiling_is_for_long_runs_on_a_gpu_with_a_compiler(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def settings(device: str, wish: str, steps: int) -> EngineSettings:
        return EngineSettings(1, 1, 0.0, 0, "fp32", device, wish, steps, 0)  # type: ignore[arg-type]

    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert wants_compiling(settings("cuda", "auto", 1000))
    assert not wants_compiling(settings("cuda", "auto", 999))
    assert not wants_compiling(settings("cuda", "off", 5000))
    assert not wants_compiling(settings("cpu", "auto", 5000))
    assert wants_compiling(settings("cpu", "on", 5))
    assert not caplog.text
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert not wants_compiling(settings("cuda", "auto", 5000))
    assert not wants_compiling(settings("cpu", "on", 5))
    assert "without torch.compile" in caplog.text
