"""Every preset computes what transformers' BERT computes with the same weights."""

from __future__ import annotations

import pytest
import torch
from small_bert import inputs

from bbert.pretrain import model as model_module
from bbert.pretrain.architecture import Architecture
from bbert.pretrain.export import hugging_face_config, hugging_face_weights
from bbert.pretrain.model import BertForPretraining
from bbert.pretrain.presets import PRESETS

SIZES = sorted(
    {(p["depth"], p["heads"], p["hidden"], p.get("intermediate", 0)) for p in PRESETS.values()}
)


def case(sizes: tuple[int, int, int, int]):
    depth, heads, hidden, intermediate = sizes
    architecture = Architecture(depth, heads, hidden, intermediate or 4 * hidden, 97, 16)
    return pytest.param(architecture, id="-".join(map(str, sizes)))


@pytest.fixture(scope="module")
def noise() -> torch.Tensor:
    return torch.randn(11_500_000, generator=torch.Generator().manual_seed(4))


def filled(architecture: Architecture, noise: torch.Tensor, monkeypatch) -> BertForPretraining:
    """A model with made-up weights, quicker than with drawn ones; none is at its initial value."""
    monkeypatch.setattr(model_module, "initialise", lambda model, seed: None)
    model = BertForPretraining(architecture)
    with torch.no_grad():
        for number, (name, parameter) in enumerate(model.named_parameters()):
            begin = 7919 * number % (len(noise) - parameter.numel() + 1)
            values = noise[begin : begin + parameter.numel()].view_as(parameter)
            base = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            torch.add(values * (0.02 if parameter.dim() > 1 else 0.05), base, out=parameter.data)
    return model.eval()


def transformers_bert(model: BertForPretraining):
    """`transformers`' BERT around the very same tensors."""
    from transformers import BertConfig, BertForPreTraining

    with torch.device("meta"):
        bert = BertForPreTraining(BertConfig(**hugging_face_config(model.architecture)))
    bert.load_state_dict(hugging_face_weights(model), strict=False, assign=True)
    embeddings = bert.bert.embeddings
    embeddings.position_ids = torch.arange(model.architecture.max_positions)[None]
    embeddings.token_type_ids = torch.zeros(1, model.architecture.max_positions, dtype=torch.long)
    bert.tie_weights()
    assert not any(tensor.is_meta for tensor in (*bert.parameters(), *bert.buffers()))
    return bert.eval()


@pytest.mark.parametrize("architecture", map(case, SIZES))
def test_a_preset_equals_transformers(architecture, noise, monkeypatch):
    model = filled(architecture, noise, monkeypatch)
    arguments = inputs(architecture, rows=2, positions=12)
    ids, segment_ids = arguments["input_ids_BT"], arguments["segment_ids_BT"]
    mask = arguments["attention_mask_BT"]
    with torch.no_grad():
        expected = transformers_bert(model)(
            input_ids=ids, token_type_ids=segment_ids, attention_mask=mask.long()
        )
        last = model.encode(ids, segment_ids, mask)[-1]
        scores = model.mlm_head(last, model.embeddings.word.weight)
        pairs = model.nsp_head(last[:, 0])
    assert expected.prediction_logits.std() > 0.1
    assert (scores - expected.prediction_logits)[mask].abs().max() < 1e-4
    assert (pairs - expected.seq_relationship_logits).abs().max() < 1e-4
