"""What each fusion does to the layers it reads, against its definition."""

from __future__ import annotations

import pytest
import torch

from bbert.finetune.fusion import DLFA, FUSIONS, FusionSettings, build_fusion

SETTINGS = FusionSettings(hidden_size=8, depth=3, layer=2)


def layers_of(fusion, batch: int = 2, length: int = 5):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(batch, length, 8, generator=generator) for _ in fusion.layers]


@pytest.mark.parametrize("name", FUSIONS)
def test_padding_never_changes_a_result(name):
    """Whatever the padded positions hold, NaN too."""
    fusion = build_fusion(name, SETTINGS)
    fusion.module.eval()
    short = layers_of(fusion, length=3)
    padded = [torch.cat([layer, torch.full((2, 4, 8), torch.nan)], dim=1) for layer in short]
    mask = torch.tensor([[1, 1, 1, 0, 0, 0, 0]] * 2)
    expected = fusion.module(*short, mask[:, :3])
    torch.testing.assert_close(fusion.module(*padded, mask)[:, :3], expected)


@pytest.mark.parametrize("name", FUSIONS)
def test_a_batch_of_one_trains(name):
    fusion = build_fusion(name, SETTINGS)
    fusion.module.train()
    layers = [layer.requires_grad_() for layer in layers_of(fusion, batch=1, length=1)]
    fused = fusion.module(*layers, torch.ones(1, 1))
    fused.sum().backward()
    assert torch.isfinite(fused).all()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in fusion.module.parameters())


@pytest.mark.parametrize("name", ["dlfa", "dlfa-global", "dlfa-local", "mean"])
def test_fusing_a_layer_with_itself_changes_nothing(name):
    """D_12 of a 12-layer encoder: L1 = L2, so L = L2."""
    fusion = build_fusion(name, SETTINGS)
    layer = torch.randn(2, 5, 8)
    torch.testing.assert_close(fusion.module(layer, layer, torch.ones(2, 5)), layer, rtol=0, atol=0)


@pytest.mark.parametrize("branches", ["global", "local"])
def test_the_ablations_have_two_copies_of_one_branch(branches):
    torch.manual_seed(0)
    whole, ablated = DLFA(32), DLFA(32, branches=branches)
    sizes = [sum(p.numel() for p in module.parameters()) for module in (whole, ablated)]
    assert sizes[0] == sizes[1]
    first, second = (child for _, child in ablated.named_children())
    assert not torch.equal(first.down.weight, second.down.weight)
    # Two equal copies must weigh every position like twice one branch.
    second.load_state_dict(first.state_dict())
    ablated.eval()
    lower, last = torch.randn(2, 2, 5, 32)
    mean, mask = (lower + last) / 2, torch.ones(2, 5, dtype=torch.bool)
    one = first(mean, mask) if branches == "local" else first(mean.mean(dim=1)).unsqueeze(1)
    gate = torch.sigmoid(2 * one)
    torch.testing.assert_close(ablated(lower, last, mask), last + gate * (lower - last))


def test_the_ablations_differ_in_what_they_see():
    torch.manual_seed(0)
    lower, last = torch.randn(2, 1, 6, 8)
    order = torch.tensor([3, 1, 0, 2, 5, 4])
    for branches in ("global", "local"):
        module = DLFA(8, branches=branches).eval()
        gates = (module(lower, last) - last) / (lower - last)
        same_everywhere = torch.allclose(gates, gates[:, :1].expand_as(gates), atol=1e-4)
        assert same_everywhere == (branches == "global")
        shuffled = module(lower[:, order], last[:, order])
        torch.testing.assert_close(shuffled, module(lower, last)[:, order])


def test_mean():
    fusion = build_fusion("mean", SETTINGS)
    lower, last = layers_of(fusion)
    assert fusion.layers == (2, 3)
    torch.testing.assert_close(fusion.module(lower, last, None), 0.5 * lower + 0.5 * last)


def test_concat_starts_as_the_last_layer_and_reads_both():
    fusion = build_fusion("concat", SETTINGS)
    lower, last = layers_of(fusion)
    torch.testing.assert_close(fusion.module(lower, last, None), last)
    with torch.no_grad():
        fusion.module.linear.weight.copy_(torch.randn(8, 16))
    weight, bias = fusion.module.linear.weight, fusion.module.linear.bias
    expected = lower @ weight[:, :8].T + last @ weight[:, 8:].T + bias
    torch.testing.assert_close(fusion.module(lower, last, None), expected)


def test_scalar_mix_is_the_weighted_mean_of_all_layers_without_embeddings():
    fusion = build_fusion("scalar-mix", SETTINGS)
    layers = layers_of(fusion)
    assert fusion.layers == (1, 2, 3)
    torch.testing.assert_close(fusion.module(*layers, None), sum(layers) / 3)
    with torch.no_grad():
        fusion.module.weights.copy_(torch.tensor([1.0, 2.0, 3.0]))
        fusion.module.scale.fill_(0.5)
    powers = [torch.e**k for k in (1, 2, 3)]
    expected = 0.5 * sum(w * layer for w, layer in zip(powers, layers, strict=True)) / sum(powers)
    torch.testing.assert_close(fusion.module(*layers, None), expected)
