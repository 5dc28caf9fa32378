"""A batch cut into parts has the same gradient; padding, dropout, first weights and precision."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given, settings
from hypothesis import strategies as st
from small_bert import SMALL, inputs, perturbed

from bbert.pretrain.architecture import Architecture
from bbert.pretrain.masking import IGNORED
from bbert.pretrain.model import BertForPretraining, gelu_of_many_sizes


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("nsp", [True, False])
def test_the_last_layer_at_some_positions_is_that_of_all(depth: int, dropout: float, nsp: bool):
    architecture = replace(SMALL, depth=depth, dropout=dropout, nsp=nsp)
    model, arguments = perturbed(architecture).eval(), inputs(architecture)
    given = [arguments[f"{n}_BT"] for n in ("input_ids", "segment_ids", "attention_mask")]
    wanted = arguments["masked_positions_BK"]
    everywhere = model.encode(*given)
    some = model.encode(*given, last_at_BQ=wanted)
    for whole, part in zip(everywhere[:-1], some[:-1], strict=True):
        assert torch.equal(whole, part)
    assert some[-1].shape == (*wanted.shape, architecture.hidden)
    torch.testing.assert_close(some[-1], everywhere[-1][torch.arange(6)[:, None], wanted])


@settings(max_examples=15, deadline=None)
@given(
    edges=st.lists(st.integers(1, 7), max_size=4, unique=True).map(sorted),
    dropout=st.sampled_from([0.0, 0.1, 0.5]),
    nsp=st.booleans(),
)
def test_the_loss_does_not_depend_on_how_a_batch_is_cut(edges, dropout, nsp):
    architecture = replace(SMALL, dropout=dropout, nsp=nsp)
    model = perturbed(architecture)
    arguments = inputs(architecture, rows=8)

    def run(edges: list[int]) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
        model.zero_grad()
        loss, sums = torch.zeros(()), torch.zeros(2)
        for start, stop in zip([0, *edges], [*edges, 8], strict=True):
            part = {
                name: value if value is None or value.dim() == 0 else value[start:stop]
                for name, value in arguments.items()
            }
            outputs = model(**part)
            outputs["loss"].backward()
            loss += outputs["loss"].detach()
            sums += outputs["mlm_loss_L"]
        return loss, [p.grad.clone() for p in model.parameters()], sums

    whole, parts = run([]), run(edges)
    assert torch.allclose(whole[0], parts[0], rtol=1e-5)
    assert torch.allclose(whole[2], parts[2], rtol=1e-5)
    for one, other in zip(whole[1], parts[1], strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


def test_padding_changes_nothing():
    model = perturbed(SMALL).eval()
    arguments = inputs(SMALL)
    outputs = model(**arguments)
    changed = dict(arguments)
    mask = arguments["attention_mask_BT"]
    changed["input_ids_BT"] = torch.where(mask, arguments["input_ids_BT"], 3)
    positions = arguments["masked_positions_BK"] % mask.sum(1, keepdim=True)
    arguments["masked_positions_BK"] = changed["masked_positions_BK"] = positions
    outputs, others = model(**arguments), model(**changed)
    assert torch.allclose(outputs["loss"], others["loss"], atol=1e-6)


def test_full_rows_need_no_mask():
    model = perturbed(SMALL).eval()
    arguments = inputs(SMALL)
    masked = model(**(arguments | {"attention_mask_BT": torch.ones(6, 24, dtype=torch.bool)}))
    unmasked = model(**(arguments | {"attention_mask_BT": None}))
    assert torch.allclose(masked["loss"], unmasked["loss"], atol=1e-6)


def test_dropout_is_a_function_of_the_row_keys_and_off_in_evaluation():
    architecture = replace(SMALL, dropout=0.2)
    model, arguments = perturbed(architecture), inputs(architecture)
    first = model(**arguments)["loss"]
    torch.manual_seed(123)
    assert torch.equal(model(**arguments)["loss"], first)
    other = arguments | {"row_keys_B": arguments["row_keys_B"] + 1}
    assert not torch.equal(model(**other)["loss"], first)
    model.eval()
    still = model(**(arguments | {"row_keys_B": None}))["loss"]
    assert torch.equal(model(**arguments)["loss"], still)
    assert not torch.equal(still, first)


def test_dropout_leaves_the_expected_hidden_state_in_place():
    architecture = replace(SMALL, depth=1, dropout=0.1)
    model, arguments = perturbed(architecture), inputs(architecture, rows=1)
    ids, segment_ids = arguments["input_ids_BT"], arguments["segment_ids_BT"]
    with torch.no_grad():
        many = model.encode(
            ids.expand(4000, -1),
            segment_ids.expand(4000, -1),
            row_keys_B=torch.randint(-(2**62), 2**62, (4000,)),
        )[0]
        still = model.eval().encode(ids, segment_ids)[0]
    assert (many.mean(dim=0) - still[0]).abs().max() < 0.1


def test_rows_without_predictions_cost_nothing():
    model, arguments = perturbed(SMALL), inputs(SMALL)
    arguments["masked_labels_BK"] = torch.full_like(arguments["masked_labels_BK"], IGNORED)
    arguments["next_sentence_labels_B"] = torch.full((6,), IGNORED)
    outputs = model(**arguments)
    outputs["loss"].backward()
    assert outputs["loss"] == 0
    assert outputs["mlm_count_L"].tolist() == [0, 0]
    assert outputs["nsp_count"] == 0


def test_weights_start_as_in_bert_and_from_the_seed_alone():
    architecture = Architecture(2, 4, 64, 256, 500)
    model = BertForPretraining(architecture, seed=3)
    torch.manual_seed(99)
    again = dict(BertForPretraining(architecture, seed=3).named_parameters())
    other = dict(BertForPretraining(architecture, seed=4).named_parameters())
    deeper = dict(
        BertForPretraining(replace(architecture, depth=5, nsp=False), seed=3).named_parameters()
    )
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, again[name])
        if name in deeper:
            assert torch.equal(parameter, deeper[name])
        if parameter.dim() > 1:
            assert not torch.equal(parameter, other[name])
            deviation = 0.02 / (2 * parameter.numel()) ** 0.5
            assert parameter.std().item() == pytest.approx(0.02, abs=6 * deviation)
        else:
            constant = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            assert (parameter == constant).all()


@pytest.mark.parametrize("nsp", [True, False])
@pytest.mark.parametrize("sizes", [(2, 4, 32, 80), (3, 1, 20, 7)])
def test_the_architecture_counts_what_the_model_has(sizes, nsp):
    architecture = Architecture(*sizes, vocab_size=97, max_positions=33, nsp=nsp)
    model = BertForPretraining(architecture)
    assert architecture.parameter_count() == sum(p.numel() for p in model.parameters())


def test_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model = perturbed(replace(SMALL, dropout=0.3))
    model(**inputs(model.architecture))
    assert torch.equal(torch.rand(3), expected)


def test_a_few_steps_learn_a_constant_text():
    model = BertForPretraining(SMALL, num_languages=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    arguments = inputs(SMALL)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = model(**arguments)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_bf16_autocast_stays_near_fp32():
    architecture = replace(SMALL, dropout=0.1)
    model, arguments = perturbed(architecture), inputs(architecture)
    exact = model(**arguments)["loss"]
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model(**arguments)
    assert outputs["loss"].item() == pytest.approx(exact.item(), rel=0.01)
    assert outputs["loss"].dtype == outputs["mlm_loss_L"].dtype == torch.float32


@pytest.mark.slow
def test_compiled_it_computes_the_same_in_one_graph():
    architecture = replace(SMALL, depth=1, dropout=0.1)
    model, arguments = perturbed(architecture), inputs(architecture)
    model(**arguments)["loss"].backward()
    expected = [parameter.grad.clone() for parameter in model.parameters()]
    losses = model(**arguments)
    model.zero_grad()
    compiled = torch.compile(model, fullgraph=True)(**arguments)
    compiled["loss"].backward()
    for name, value in losses.items():
        assert torch.allclose(compiled[name], value, rtol=1e-5), name
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


@given(st.integers(0, 200), st.integers(1, 40), st.sampled_from([torch.float32, torch.bfloat16]))
@settings(max_examples=30, deadline=None)
def test_gelu_of_any_number_of_rows_is_the_same(rows: int, hidden: int, dtype):
    """Up to rounding: without AVX-512, the elements at the end are computed another way."""
    generator = torch.Generator().manual_seed(rows)
    plain = torch.randn(rows, hidden, generator=generator).to(dtype).requires_grad_()
    rounded = plain.detach().clone().requires_grad_()
    outputs = functional.gelu(plain), gelu_of_many_sizes(rounded)
    torch.testing.assert_close(*outputs)
    for output in outputs:
        output.square().sum().backward()
    torch.testing.assert_close(plain.grad, rounded.grad)
