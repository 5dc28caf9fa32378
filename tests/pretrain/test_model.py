"""The model equals transformers' BERT, and a batch's gradient is the sum of that of its parts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.pretrain.architecture import Architecture
from bbert.pretrain.export import hugging_face_config, hugging_face_weights
from bbert.pretrain.masking import IGNORED
from bbert.pretrain.model import BertForPretraining, gelu_of_many_sizes

SMALL = Architecture(2, 4, 32, 80, 97, max_positions=40, dropout=0.0)
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


def perturbed(architecture: Architecture, num_languages: int = 2) -> BertForPretraining:
    """A model whose weights are all away from their initial values, LayerNorm and biases too."""
    model = BertForPretraining(architecture, num_languages, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.05 * noise if parameter.dim() == 1 else 0.02 * noise)
    return model


def inputs(architecture: Architecture, rows: int = 6, positions: int = 24, slots: int = 5, seed=0):
    """Random arguments of `forward`; some slots and pairs do not count, some positions are pad."""
    generator = torch.Generator().manual_seed(seed)

    def integers(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(high, shape, generator=generator)

    used = torch.rand(rows, slots, generator=generator) < 0.8
    labels = torch.where(used, integers(architecture.vocab_size, rows, slots), IGNORED)
    lengths = 1 + integers(positions, rows)
    pairs = integers(2, rows)
    pairs[-1] = IGNORED
    return {
        "input_ids_BT": integers(architecture.vocab_size, rows, positions),
        "segment_ids_BT": integers(2, rows, positions),
        "attention_mask_BT": torch.arange(positions) < lengths[:, None],
        "masked_positions_BK": integers(positions, rows, slots),
        "masked_labels_BK": labels,
        "masked_languages_BK": integers(2, rows, slots),
        "next_sentence_labels_B": pairs if architecture.nsp else None,
        "row_keys_B": torch.randint(-(2**62), 2**62, (rows,), generator=generator),
        "num_masked": torch.tensor(float(used.sum())),
        "num_pairs": torch.tensor(float(rows - 1)),
    }


def reference(model: BertForPretraining):
    """`transformers`' BERT with the same weights."""
    from transformers import BertConfig, BertForMaskedLM, BertForPreTraining

    config = BertConfig(**hugging_face_config(model.architecture))
    kind = BertForPreTraining if model.architecture.nsp else BertForMaskedLM
    bert = kind(config)
    missing, unexpected = bert.load_state_dict(hugging_face_weights(model), strict=False)
    assert not unexpected
    assert set(missing) <= {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    bert.tie_weights()
    return bert.train(model.training)


def slow_losses(model: BertForPretraining, arguments) -> dict[str, torch.Tensor]:
    """What `forward` should return, from the reference and one prediction at a time."""
    outputs = reference(model)(
        input_ids=arguments["input_ids_BT"],
        token_type_ids=arguments["segment_ids_BT"],
        attention_mask=arguments["attention_mask_BT"].long(),
    )
    logits = outputs.prediction_logits if model.architecture.nsp else outputs.logits
    sums, counts = torch.zeros(model.num_languages), torch.zeros(model.num_languages)
    for row, slots in enumerate(arguments["masked_labels_BK"]):
        for slot, label in enumerate(slots):
            if label != IGNORED:
                language = arguments["masked_languages_BK"][row, slot]
                position = arguments["masked_positions_BK"][row, slot]
                sums[language] += functional.cross_entropy(logits[row, position], label)
                counts[language] += 1
    expected = {"mlm_loss_L": sums, "mlm_count_L": counts, "loss": sums.sum() / counts.sum()}
    if model.architecture.nsp:
        labels, scores = arguments["next_sentence_labels_B"], outputs.seq_relationship_logits
        used = labels != IGNORED
        expected["nsp_loss"] = functional.cross_entropy(scores[used], labels[used]) * used.sum()
        expected["nsp_count"] = used.sum()
        expected["nsp_correct"] = (scores.argmax(1) == labels)[used].sum()
        expected["loss"] = expected["loss"] + expected["nsp_loss"] / used.sum()
    return expected


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


@pytest.mark.parametrize("slots", [23, 24, 60])
def test_as_many_slots_as_positions_make_no_difference(slots: int):
    model, arguments = perturbed(SMALL), inputs(SMALL, slots=slots)
    outputs, expected = model(**arguments), slow_losses(model, arguments)
    for name, value in outputs.items():
        assert torch.allclose(value, expected[name].float(), rtol=1e-5, atol=1e-5), name


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
