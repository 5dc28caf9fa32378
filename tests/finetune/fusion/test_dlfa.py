"""DLFA against the equations of Chen et al. 2022, written out slowly in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bbert.finetune.fusion import DLFA, FUSIONS, FusionSettings, build_fusion
from bbert.finetune.fusion.dlfa import GATES, POOLS, MaskedBatchNorm

VARIANTS = [(gate, pool) for gate in GATES for pool in POOLS]


def reference(module: DLFA, lower, last, mask, training: bool) -> np.ndarray:
    """Eq. 1-4 with loops over sentences and word-pieces; batch norm from its definition."""
    parameters = {name: p.detach().numpy() for name, p in module.named_parameters()}
    buffers = {name: b.numpy().copy() for name, b in module.named_buffers()}
    batch, length, size = lower.shape

    def convolve(name, vector):
        return parameters[f"{name}.weight"] @ vector + parameters[f"{name}.bias"]

    def batch_norm(name, vectors):
        if training and len(vectors) > 1:
            mean, variance = np.mean(vectors, axis=0), np.var(vectors, axis=0)
        else:
            mean, variance = buffers[f"{name}.running_mean"], buffers[f"{name}.running_var"]
        weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
        return [weight * (v - mean) / np.sqrt(variance + 1e-5) + bias for v in vectors]

    def branch(name, vectors):
        hidden = batch_norm(f"{name}.down_norm", [convolve(f"{name}.down", v) for v in vectors])
        hidden = [np.maximum(v, 0) for v in hidden]
        return batch_norm(f"{name}.up_norm", [convolve(f"{name}.up", v) for v in hidden])

    mean_of_layers = (lower + last) / 2
    places = [(b, t) for b in range(batch) for t in range(length) if mask[b, t]]
    pooled = []
    for b in range(batch):
        counted = [t for t in range(length) if mask[b, t] or module.pool == "paper"]
        pooled.append(sum(mean_of_layers[b, t] for t in counted) / len(counted))
    global_weights = branch("global_branch", pooled)
    local_weights = dict(
        zip(places, branch("local_branch", [mean_of_layers[p] for p in places]), strict=True)
    )
    result = np.zeros((batch, length, size))
    for b, t in places:
        sigmoid = 1 / (1 + np.exp(-(global_weights[b] + local_weights[b, t])))
        aif = mean_of_layers[b, t] * sigmoid
        gate = aif if module.gate == "paper" else sigmoid
        result[b, t] = lower[b, t] * gate + last[b, t] * (1 - gate)
    return result


def random_case(batch: int, length: int, size: int, seed: int):
    """Two layers and a mask whose rows have at least one word-piece, all float64."""
    generator = torch.Generator().manual_seed(seed)
    lower, last = torch.randn(2, batch, length, size, generator=generator, dtype=torch.float64)
    lengths = torch.randint(1, length + 1, (batch,), generator=generator)
    mask = (torch.arange(length) < lengths[:, None]).long()
    return lower, last, mask


def random_module(size: int, gate: str, pool: str, seed: int = 0) -> DLFA:
    """A module in float64 whose every parameter and statistic is random."""
    torch.manual_seed(seed)
    module = DLFA(size, reduction=4, gate=gate, pool=pool).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter))
        for name, buffer in module.named_buffers():
            buffer.copy_(torch.rand_like(buffer) + (0.5 if "var" in name else 0))
    return module


@pytest.mark.parametrize(("gate", "pool"), VARIANTS)
@pytest.mark.parametrize("training", [True, False])
@settings(max_examples=15, deadline=None)
@given(batch=st.integers(1, 4), length=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_equals_the_equations(gate, pool, training, batch, length, seed):
    module = random_module(8, gate, pool, seed).train(training)
    lower, last, mask = random_case(batch, length, 8, seed)
    expected = reference(module, lower.numpy(), last.numpy(), mask.numpy(), training)
    result = module(lower, last, mask).detach().numpy()
    kept = mask.bool().numpy()
    np.testing.assert_allclose(result[kept], expected[kept], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("training", [True, False])
@settings(max_examples=20, deadline=None)
@given(batch=st.integers(1, 4), length=st.integers(1, 6), more=st.integers(1, 5),
       seed=st.integers(0, 10**6))  # fmt: skip
def test_padding_never_changes_a_masked_result(gate, training, batch, length, more, seed):
    lower, last, mask = random_case(batch, length, 8, seed)
    padded = [nn.functional.pad(t, (0, 0, 0, more), value=float("nan")) for t in (lower, last)]
    modules = [random_module(8, gate, "masked", seed).train(training) for _ in range(2)]
    plain = modules[0](lower, last, mask)
    wide = modules[1](*padded, nn.functional.pad(mask, (0, more)))[:, :length]
    torch.testing.assert_close(plain[mask.bool()], wide[mask.bool()])
    for name, buffer in modules[0].named_buffers():
        torch.testing.assert_close(buffer, dict(modules[1].named_buffers())[name])


def test_paper_pool_counts_padding():
    lower, last, mask = random_case(3, 5, 32, 1)
    module = DLFA(32, pool="paper").double().eval()
    wide = [nn.functional.pad(t, (0, 0, 0, 4)) for t in (lower, last)]
    plain = module(lower, last, mask)
    padded = module(*wide, nn.functional.pad(mask, (0, 4)))[:, :5]
    assert not torch.allclose(plain[mask.bool()], padded[mask.bool()])


@pytest.mark.parametrize(("gate", "pool"), VARIANTS)
@pytest.mark.parametrize("training", [True, False])
def test_fusing_the_last_layer_with_itself_is_an_identity(gate, pool, training):
    module = random_module(8, gate, pool).float().train(training)
    _, last, mask = random_case(3, 5, 8, 2)
    last = last.float()
    assert torch.equal(module(last, last, mask), last)


@pytest.mark.parametrize(("gate", "pool"), VARIANTS)
def test_a_batch_of_one_trains(gate, pool):
    module = DLFA(8, gate=gate, pool=pool).train()
    lower, last = torch.randn(2, 1, 1, 8)
    before = module.global_branch.down_norm.running_var.clone()
    module(lower, last, torch.ones(1, 1)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())
    assert torch.equal(module.global_branch.down_norm.running_var, before)


def test_sigmoid_gate_stays_between_the_layers():
    module = random_module(8, "sigmoid", "masked").train()
    lower, last, mask = random_case(4, 6, 8, 3)
    fused = module(lower, last, mask)[mask.bool()]
    low, high = torch.minimum(lower, last)[mask.bool()], torch.maximum(lower, last)[mask.bool()]
    assert ((fused >= low - 1e-12) & (fused <= high + 1e-12)).all()


def test_size_and_initialisation_of_the_paper():
    torch.manual_seed(0)
    module = DLFA(768, reduction=4)
    assert sum(p.numel() for p in module.parameters()) == 595_584
    for branch in (module.global_branch, module.local_branch):
        assert branch.down.weight.std().item() == pytest.approx(math.sqrt(2 / 768), rel=0.02)
        assert branch.up.weight.std().item() == pytest.approx(math.sqrt(2 / 192), rel=0.02)
        assert not branch.down.bias.any()
        assert not branch.up.bias.any()


def test_masked_batch_norm_equals_torch_on_full_batches():
    ours, theirs = MaskedBatchNorm(5), nn.BatchNorm1d(5)
    values = torch.randn(4, 7, 5)
    for _ in range(3):
        result = ours(values, torch.ones(4, 7, dtype=torch.bool))
        expected = theirs(values.flatten(0, 1)).view(4, 7, 5)
        torch.testing.assert_close(result, expected)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    torch.testing.assert_close(
        ours.eval()(values), theirs.eval()(values.flatten(0, 1)).view(4, 7, 5)
    )


def test_unknown_variants_are_refused():
    with pytest.raises(ValueError, match="gate 'softmax'"):
        DLFA(8, gate="softmax")
    with pytest.raises(ValueError, match="pool 'max'"):
        DLFA(8, pool="max")


@pytest.mark.parametrize("name", FUSIONS)
def test_every_fusion_of_the_table_builds_and_keeps_the_batch_shape(name):
    fusion = build_fusion(name, FusionSettings(hidden_size=8, depth=3, layer=2))
    layers = [torch.randn(2, 4, 8) for _ in fusion.layers]
    assert max(fusion.layers) <= 3
    assert fusion.module(*layers, torch.ones(2, 4)).shape == (2, 4, 8)
