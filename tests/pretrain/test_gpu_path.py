"""What a GPU's training does otherwise than a CPU's, as far as a CPU can tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import commands  # noqa: F401 - sets DeepSpeed's accelerator
import pytest
import torch
from small_bert import SMALL, inputs, perturbed
from tiny_corpus import build_tiny_corpus
from torch.utils._python_dispatch import TorchDispatchMode

from bbert.cli import parse
from bbert.errors import InputError
from bbert.pretrain.architecture import Architecture
from bbert.pretrain.attention import SelfAttention
from bbert.pretrain.batches import BatchSettings, BatchSource
from bbert.pretrain.compiling import compile_options, wants_compiling, wants_graphs
from bbert.pretrain.engine import Engine, EngineSettings
from bbert.pretrain.export import from_hugging_face, to_hugging_face
from bbert.pretrain.feed import parts_made_ahead
from bbert.pretrain.metrics import LossTable
from bbert.pretrain.model import BertForPretraining
from bbert.pretrain.process_group import ProcessGroup, connect
from bbert.pretrain.resolve import Machine, resolve
from bbert.pretrain.stop_request import StopRequest

ARCHITECTURE = Architecture(2, 2, 16, 64, vocab_size=80, max_positions=32, dropout=0.1)
STEPS = 4


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_corpus(tmp_path_factory.mktemp("gpu-path"), documents=30)


@pytest.fixture(scope="module")
def source(corpus: Path) -> BatchSource:
    return BatchSource(corpus, ["enfake", "en"], BatchSettings(batch_size=6, seq_len=24), seed=3)


def new_engine(vocab_multiple: int = 1, zero_stage: int = 0, precision: str = "fp32") -> Engine:
    group = ProcessGroup()
    connect(group, "cpu")
    model = BertForPretraining(ARCHITECTURE, 2, 1, vocab_multiple)
    settings = EngineSettings(1, 6, 0.01, zero_stage, precision, "cpu", "off", STEPS, 1)
    return Engine(model, settings, group)


def train(engine: Engine, source: BatchSource, steps: range) -> list[float]:
    losses = []
    for step, parts in zip(steps, parts_made_ahead(source, steps, [(0, 6)], "cpu"), strict=True):
        trained = engine.train_step(parts, 0.01, step + 1)
        assert trained is not None
        losses.append(float(trained[0][0]["loss"]))
    return losses


@pytest.mark.parametrize("zero_stage", [0, 2])
def test_room_in_the_vocabulary_changes_no_loss_and_is_not_stored(
    source: BatchSource, zero_stage: int
):
    plain, roomy = new_engine(1, zero_stage), new_engine(128, zero_stage)
    assert (plain.model.vocab_room, roomy.model.vocab_room) == (80, 128)
    losses = train(plain, source, range(STEPS))
    assert train(roomy, source, range(STEPS)) == pytest.approx(losses, rel=1e-6)
    stored, expected = roomy.state(), plain.state()
    assert stored.keys() == expected.keys()
    for name, tensor in stored.items():
        assert tensor.shape == expected[name].shape
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-6, msg=name)
    assert not roomy.model.embeddings.word.weight[80:].any()
    assert not roomy.model.mlm_head.bias[80:].any()


def test_a_run_moves_between_rooms(source: BatchSource):
    whole, first, second = new_engine(), new_engine(64), new_engine(7)
    expected = train(whole, source, range(STEPS))
    losses = train(first, source, range(2))
    second.load_state(first.state(), 2)
    assert losses + train(second, source, range(2, STEPS)) == pytest.approx(expected, rel=1e-5)


def test_a_model_starts_the_same_with_room_and_is_exported_without(corpus: Path, tmp_path: Path):
    roomy = BertForPretraining(ARCHITECTURE, seed=4, vocab_multiple=128)
    plain = BertForPretraining(ARCHITECTURE, seed=4)
    for name, model in (("roomy", roomy), ("plain", plain)):
        to_hugging_face(model, corpus / "tokenizer", tmp_path / name, {})
    files = [tmp_path / name / "model.safetensors" for name in ("roomy", "plain")]
    assert files[0].read_bytes() == files[1].read_bytes()
    hidden = torch.ones(2, 90, 16)
    assert roomy.mlm_head(hidden, roomy.embeddings.word.weight).shape == (2, 90, 80)
    again = from_hugging_face(tmp_path / "roomy")
    assert torch.equal(again.embeddings.word.weight, plain.embeddings.word.weight)


class _Operations(TorchDispatchMode):
    """Takes down what torch does."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.add(str(func.overloadpacket))
        return func(*args, **(kwargs or {}))


# Operations whose result, or its size, the host has to wait for.
WAITING = {"aten._local_scalar_dense", "aten.item", "aten.nonzero", "aten.masked_select"}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_step_reads_from_the_device(source: BatchSource, precision: str):
    engine, group = new_engine(128, precision=precision), ProcessGroup()
    table = LossTable(2, True, STEPS, group, "cpu")
    feed = parts_made_ahead(source, range(STEPS), [(0, 6)], "cpu")
    train(engine, source, range(1))  # the optimiser's state is made

    def step() -> set[str]:
        with _Operations() as operations, StopRequest(group) as stop:
            trained = engine.train_step(next(feed), 0.01, 2, stop.requested)
            assert trained is not None
            table.add_outputs(trained[0][0])
            table.end_line(trained[1])
            assert not stop.requested()
        return operations.seen

    engine.model.static_shapes = True  # as on a GPU
    seen = step()
    assert {"aten.embedding", "aten._fused_adamw_", "aten.embedding_dense_backward"} <= seen
    assert not seen & WAITING
    engine.model.static_shapes = False
    assert step() & WAITING == {"aten.nonzero"}


def test_masking_on_the_device_reads_nothing_from_it(source: BatchSource):
    with _Operations() as operations:
        from bbert.pretrain.feed import _masked_parts
        from bbert.pretrain.masks_on_device import DeviceMasking

        masking = DeviceMasking.on("cpu", source.masking)
        _masked_parts(source, 0, [(0, 6)], "cpu", masking)
    assert "aten.sort" in operations.seen
    assert not operations.seen & WAITING


@pytest.mark.parametrize("nsp", [True, False])
def test_static_shapes_change_no_loss(nsp: bool):
    model = perturbed(replace(SMALL, nsp=nsp))
    arguments = inputs(model.architecture)
    expected = model(**arguments)
    model.static_shapes = True
    for name, value in model(**arguments).items():
        assert torch.allclose(value, expected[name], rtol=1e-5, atol=1e-6), name


@pytest.mark.parametrize("heads", [1, 2, 12])
@pytest.mark.parametrize("padding", [True, False])
def test_both_forms_of_attention_compute_the_same(heads: int, padding: bool, monkeypatch):
    architecture = Architecture(1, heads, 768, 4, 10, 40, dropout=0.0)
    attention = SelfAttention(architecture)
    hidden = torch.randn(2, 20, 768, generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(20) < torch.tensor([[20], [13]]))[:, None, None, :] if padding else None
    results = []
    for by_products in (True, False):
        monkeypatch.setattr(attention, "_by_products", lambda value, form=by_products: form)
        results.append(attention(hidden, mask, None))
    assert torch.allclose(*results, atol=1e-5)


def test_graphs_need_one_micro_batch_and_whole_gradients(caplog: pytest.LogCaptureFixture):
    def settings(**changes) -> EngineSettings:
        base = EngineSettings(1, 8, 0.0, 0, "bf16", "cuda", "graphs", 10, 0)
        return replace(base, **changes)

    assert wants_graphs(settings())
    assert not caplog.text
    assert not wants_graphs(settings(micro_batches=2))
    assert not wants_graphs(settings(zero_stage=1))
    assert caplog.text.count("going on with torch.compile alone") == 2
    assert not wants_graphs(settings(compile="on"))
    assert wants_compiling(settings(steps=1))
    assert compile_options(graphs=True) == {"dynamic": False, "mode": "reduce-overhead"}
    assert compile_options(graphs=False) == {"dynamic": False}


def test_graphs_on_a_cpu_are_refused():
    config = parse("pretrain", ["--compile", "graphs", "--device", "cpu"])
    with pytest.raises(InputError, match=r"--compile graphs.*use --compile on"):
        resolve(config, "corpus", {"sample": None}, Machine())
