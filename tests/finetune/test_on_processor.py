"""Dropout and attention for processors: the same as torch's, in distribution or to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from bbert.finetune.model_folder import find_model
from bbert.finetune.network import NetworkSettings, build_network
from bbert.finetune.on_processor import (
    QuickDropout,
    attention_by_products,
    quick_dropout,
    quick_on_processor,
)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.floats(0, 1),
    st.sampled_from([torch.float32, torch.bfloat16]),
)
def test_elements_are_zero_or_scaled_up(shape: list[int], p: float, dtype: torch.dtype):
    dropped = quick_dropout(torch.ones(shape, dtype=dtype), p)
    assert dropped.shape == tuple(shape)
    assert dropped.dtype == dtype
    kept = dropped[dropped != 0]
    if p < 0.999:
        torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_the_share_is_that_of_torch_and_neighbours_are_independent(p: float):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        zero = quick_dropout(torch.ones(400_003), p) == 0  # not a multiple of four
    spread = (p * (1 - p) / len(zero)) ** 0.5
    assert abs(zero.float().mean() - p) < 5 * spread + 2**-16
    for distance in (1, 2, 3, 4):  # within one 64-bit number and beyond it
        both = (zero[distance:] & zero[:-distance]).float().mean()
        assert abs(both - p * p) < 0.004


def test_nothing_and_everything():
    values = torch.randn(5, 3)
    assert quick_dropout(values, 0.0) is values
    assert quick_dropout(values, 1.0).count_nonzero() == 0
    assert torch.equal(QuickDropout(0.5).eval()(values), values)


def test_the_gradient_goes_through_what_was_kept():
    values = torch.randn(64, 8, requires_grad=True)
    dropped = quick_dropout(values, 0.25)
    dropped.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad != 0, dropped != 0)
    assert torch.allclose(values.grad[dropped != 0], torch.tensor(1 / 0.75))


def test_a_seed_repeats():
    drawn = []
    for seed in (1, 1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            drawn.append(quick_dropout(torch.ones(1000), 0.5))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("kind", ["none", "bool", "added"])
def test_attention_is_that_of_torch(kind: str, monkeypatch: pytest.MonkeyPatch):
    from bbert.finetune import on_processor

    monkeypatch.setattr(on_processor, "quick_dropout", lambda values, p: values)
    query, key, value = torch.randn(3, 2, 4, 7, 8).unbind(0)
    mask = None
    if kind != "none":
        mask = torch.rand(2, 1, 1, 7) < 0.7
        mask[..., 0] = True
        if kind == "added":
            mask = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    mixed, weights = attention_by_products(nn.Module(), query, key, value, mask, dropout=0.1)
    expected = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    assert weights is None
    torch.testing.assert_close(mixed, expected.transpose(1, 2))


@pytest.mark.parametrize("masked", [False, True])
def test_in_bf16_attention_goes_by_products(masked: bool, monkeypatch: pytest.MonkeyPatch):
    """Also without dropout: the fused kernel's backward pass is slow in bf16."""
    import transformers.integrations.sdpa_attention as fused

    monkeypatch.setattr(fused, "sdpa_attention_forward", None)  # would fail where it is called
    torch.manual_seed(0)
    inputs = [part.requires_grad_() for part in torch.randn(3, 2, 4, 7, 8).unbind(0)]
    mask = None
    if masked:
        mask = torch.rand(2, 1, 1, 7) < 0.7
        mask[..., 0] = True
    expected = nn.functional.scaled_dot_product_attention(*inputs, attn_mask=mask)
    exact = torch.autograd.grad(expected.square().sum(), inputs)
    rounded = [part.detach().bfloat16().requires_grad_() for part in inputs]
    mixed, _ = attention_by_products(nn.Module(), *rounded, mask)
    found = torch.autograd.grad(mixed.float().square().sum(), rounded)
    assert mixed.dtype == torch.bfloat16
    tolerance = {"rtol": 0.05, "atol": 0.05}
    torch.testing.assert_close(mixed.float(), expected.transpose(1, 2), **tolerance)
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one.float(), other, **tolerance)


@pytest.mark.parametrize("model", ["bert", "xlm_roberta"])
def test_the_encoder_is_as_before_afterwards(request, model: str):
    folder = find_model(Path("."), str(request.getfixturevalue(model)))
    network, _ = build_network(folder, NetworkSettings("linear", 3, "last"), seed=0)
    before = [type(module) for module in network.modules()]
    config: Any = network.encoder.config
    implementation = config._attn_implementation
    network.train()
    with pytest.raises(RuntimeError, match="stop"), quick_on_processor(network, network.encoder):
        inside = [module for module in network.modules() if isinstance(module, QuickDropout)]
        assert inside
        assert not any(type(module) is nn.Dropout for module in network.modules())
        assert config._attn_implementation != implementation
        network.eval()
        raise RuntimeError("stop")
    assert [type(module) for module in network.modules()] == before
    assert not any(module.training for module in network.modules())
    assert config._attn_implementation == implementation


class OwnEncoder(nn.Module):
    """As a folder may bring it along: of no library, and sure of what its parts are."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.mixed = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(0.1)

    def forward(self, states_BTE: Tensor) -> Tensor:
        attend = {"sdpa": nn.functional.scaled_dot_product_attention}
        mixed_BTE = self.mixed(attend[str(self.config._attn_implementation)](*[states_BTE] * 3))
        return nn.functional.dropout(mixed_BTE, self.dropout.p, inplace=self.dropout.inplace)


class OwnBert(BertModel):
    """One that starts from the library's."""


@pytest.mark.parametrize("kind", [OwnEncoder, OwnBert])
def test_an_encoder_with_code_of_its_own_is_left_alone(kind: type[nn.Module]):
    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=8, attn_implementation="sdpa")  # fmt: skip
    encoder = kind(config)
    network = nn.ModuleList([encoder, nn.Dropout(0.5)]).train()
    before = list(network.modules())
    with quick_on_processor(network, encoder):
        assert list(network.modules()) == before
        assert config._attn_implementation == "sdpa"
        given = torch.randn(2, 3, 8) if kind is OwnEncoder else torch.ones(2, 3, dtype=torch.long)
        encoder(given)
    assert list(network.modules()) == before
    library = BertModel(config)
    with quick_on_processor(nn.ModuleList([library]), library):
        assert config._attn_implementation != "sdpa"


@pytest.mark.parametrize("model", ["bert", "xlm_roberta"])
def test_without_dropout_training_computes_what_the_library_computes(request, model: str):
    folder = find_model(Path("."), str(request.getfixturevalue(model)))
    network, _ = build_network(folder, NetworkSettings("linear", 3, "last", dropout=0.0), seed=0)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    ids = torch.randint(8, 40, (3, 9))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    network.train()
    plain = network.encoder(ids, attention_mask=mask).last_hidden_state
    for module in network.modules():  # so small that nothing is dropped, so that products are used
        if isinstance(module, nn.Dropout):
            module.p = 2**-18
    with quick_on_processor(network, network.encoder):
        quick = network.encoder(ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(quick[mask == 1], plain[mask == 1], rtol=1e-4, atol=1e-5)
