"""RANDOM-INIT touches the named layers and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bbert.errors import InputError
from bbert.finetune.encoder import load_encoder
from bbert.finetune.layer_sets import parse_layers
from bbert.finetune.model_folder import find_model
from bbert.finetune.random_init import randomize


def weights(folder: Path):
    encoder = load_encoder(find_model(Path("none"), str(folder)), seed=0).module
    # A trained model has other LayerNorms and biases than a fresh one.
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.01)
    return encoder, {name: p.clone() for name, p in encoder.named_parameters()}


@pytest.mark.parametrize("model", ["bert", "xlm_roberta"])
@pytest.mark.parametrize("init", ["bert", "torch"])
@pytest.mark.parametrize(
    ("layers", "prefixes"),
    [("2", ("encoder.layer.1.",)), ("1-2", ("encoder.layer.",)), ("all", ("",))],
)
def test_exactly_the_named_layers_change(request, model, init, layers, prefixes):
    encoder, before = weights(request.getfixturevalue(model))
    count = randomize(encoder, layers, init, seed=3)
    changed = {n for n, p in encoder.named_parameters() if not torch.equal(p, before[n])}
    assert changed == {n for n in before if n.startswith(prefixes)}
    assert count == sum(before[name].numel() for name in changed)


def test_bert_draws_as_pretraining_starts_and_the_seed_decides(bert: Path):
    draws = []
    for seed in (1, 1, 2):
        encoder, _ = weights(bert)
        randomize(encoder, "all", "bert", seed)
        draws.append(torch.cat([p.flatten() for p in encoder.parameters()]))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    layer = encoder.encoder.layer[0]
    assert layer.intermediate.dense.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert not layer.intermediate.dense.bias.any()
    assert (layer.output.LayerNorm.weight == 1).all()
    assert not encoder.embeddings.word_embeddings.weight[0].any()  # [PAD]


def test_layers_that_do_not_exist_are_an_error(bert: Path):
    encoder, before = weights(bert)
    with pytest.raises(InputError, match="--random-init 2-3: the encoder has layers 1 to 2"):
        randomize(encoder, "2-3", "bert", 0)
    assert all(torch.equal(p, before[n]) for n, p in encoder.named_parameters())


@pytest.mark.parametrize("init", ["bert", "torch"])
def test_an_encoder_of_another_kind_is_an_error(bert: Path, init: str):
    class OwnNorm(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(32))

    encoder, _ = weights(bert)
    encoder.encoder.layer[0].output.LayerNorm = OwnNorm()
    with pytest.raises(InputError, match="how OwnNorm of this encoder begins is not known"):
        randomize(encoder, "1", init, 0)


def test_sets_of_layers():
    assert parse_layers("1-2") == [1, 2]
    assert parse_layers("5,1-3,2") == [1, 2, 3, 5]
    assert parse_layers("1+4") == [1, 4]
    for wrong in ("", "0", "0-1", "3-2", "a", "1-", "1,,2", "-1", "1-1001"):
        with pytest.raises(ValueError, match="no set of layers"):
            parse_layers(wrong)
