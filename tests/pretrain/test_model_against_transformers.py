"""The model equals transformers' BERT: hidden states, logits, losses and gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as functional
from small_bert import SMALL, inputs, perturbed, reference, slow_losses

from bbert.pretrain.architecture import Architecture

# Sizes as in K et al. 2020 at a small vocabulary: heads 1 to 24, head sizes up to 768.
SHAPES = [
    (1, 12, 1656, 6624),
    (2, 1, 768, 3072),
    (2, 24, 768, 3072),
    (24, 12, 60, 240),
    (36, 3, 48, 240),
    (3, 3, 120, 480),
    (2, 5, 35, 17),
]


@pytest.mark.parametrize(("depth", "heads", "hidden", "intermediate"), SHAPES)
@pytest.mark.parametrize("nsp", [True, False])
def test_hidden_states_and_logits_equal_the_reference(depth, heads, hidden, intermediate, nsp):
    architecture = Architecture(depth, heads, hidden, intermediate, 97, 40, nsp=nsp)
    model = perturbed(architecture).eval()
    arguments = inputs(architecture, rows=3)
    mask = arguments["attention_mask_BT"]
    with torch.no_grad():
        expected = reference(model)(
            input_ids=arguments["input_ids_BT"],
            token_type_ids=arguments["segment_ids_BT"],
            attention_mask=mask.long(),
            output_hidden_states=True,
        )
        hidden_states = model.encode(arguments["input_ids_BT"], arguments["segment_ids_BT"], mask)
        logits = model.mlm_head(hidden_states[-1], model.embeddings.word.weight)
    assert len(hidden_states) == depth + 1
    for ours, theirs in zip(hidden_states, expected.hidden_states, strict=True):
        assert (ours - theirs)[mask].abs().max() < 1e-4
    scores = expected.prediction_logits if nsp else expected.logits
    assert (logits - scores)[mask].abs().max() < 1e-4
    if nsp:
        ours = model.nsp_head(hidden_states[-1][:, 0])
        assert (ours - expected.seq_relationship_logits).abs().max() < 1e-4


@pytest.mark.parametrize("nsp", [True, False])
def test_losses_equal_a_slow_reference(nsp):
    architecture = replace(SMALL, nsp=nsp)
    model = perturbed(architecture)
    arguments = inputs(architecture)
    outputs, expected = model(**arguments), slow_losses(model, arguments)
    assert outputs.keys() == expected.keys()
    for name, value in outputs.items():
        assert torch.allclose(value, expected[name].float(), rtol=1e-5, atol=1e-5), name


def test_gradients_equal_a_slow_reference():
    model = perturbed(SMALL)
    arguments = inputs(SMALL)
    model(**arguments)["loss"].backward()
    ours = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    assert len(ours) == len(list(model.named_parameters()))

    bert = reference(model)
    outputs = bert(
        input_ids=arguments["input_ids_BT"],
        token_type_ids=arguments["segment_ids_BT"],
        attention_mask=arguments["attention_mask_BT"].long(),
    )
    row = torch.arange(6)[:, None].expand(6, 5)
    loss = functional.cross_entropy(
        outputs.prediction_logits[row, arguments["masked_positions_BK"]].flatten(0, 1),
        arguments["masked_labels_BK"].flatten(),
    )
    labels = arguments["next_sentence_labels_B"]
    (loss + functional.cross_entropy(outputs.seq_relationship_logits, labels)).backward()
    theirs = bert.bert.encoder.layer[1].attention
    fused = torch.cat([getattr(theirs.self, p).weight.grad for p in ("query", "key", "value")])
    pairs = [
        (ours["layers.1.attention.query_key_value.weight"], fused),
        (ours["layers.1.attention_norm.weight"], theirs.output.LayerNorm.weight.grad),
        (ours["mlm_head.bias"], bert.cls.predictions.bias.grad),
        (ours["nsp_head.pooler.weight"], bert.bert.pooler.dense.weight.grad),
    ]
    for our, their in pairs:
        assert torch.allclose(our, their, atol=1e-6)
    # [PAD] is a word like any other here, as in the original; transformers freezes its embedding.
    word = bert.bert.embeddings.word_embeddings.weight.grad
    assert torch.allclose(ours["embeddings.word.weight"][1:], word[1:], atol=1e-6)


@pytest.mark.parametrize("slots", [23, 24, 60])
def test_as_many_slots_as_positions_make_no_difference(slots: int):
    model, arguments = perturbed(SMALL), inputs(SMALL, slots=slots)
    outputs, expected = model(**arguments), slow_losses(model, arguments)
    for name, value in outputs.items():
        assert torch.allclose(value, expected[name].float(), rtol=1e-5, atol=1e-5), name
