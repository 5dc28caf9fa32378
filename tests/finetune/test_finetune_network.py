"""The assembled network: what it starts from, what padding does, and what export keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from bbert.errors import InputError
from bbert.finetune.batches import collate
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import EncodedExamples, encode_examples
from bbert.finetune.export import export, load_network
from bbert.finetune.heads import HEADS
from bbert.finetune.model_folder import find_model
from bbert.finetune.network import FinetunedNetwork, NetworkSettings, build_network
from bbert.finetune.tasks.task import Sentence, TextPair
from bbert.languages import Language

LABELS = ("O", "B-PER", "I-PER")
HERE = Path("file")
SENTENCES = [
    Sentence(("Anna", "left", "Rome", "."), ("B-PER", "O", "O", "O"), HERE, 1),
    Sentence(("Boris",), ("B-PER",), HERE, 6),
    Sentence(("the", "old", "U.S.", "saw", "Anna", "."), ("O",) * 6, HERE, 8),
]
PAIRS = [
    TextPair("Anna left .", "Boris saw Rome .", ("O",), HERE, 1),
    TextPair("Anna", "left", ("B-PER",), HERE, 2),
]


def network_of(folder: Path, seed: int = 0, **options) -> FinetunedNetwork:
    options = {"head": "linear", "num_labels": 3, "fusion": "last"} | options
    return build_network(find_model(HERE, str(folder)), NetworkSettings(**options), seed)[0]


def encoded(folder: Path, examples) -> EncodedExamples:
    pieces = PieceIds(find_model(HERE, str(folder)))
    return encode_examples(examples, Language.parse("en"), pieces, LABELS, 64)


def scores_of(network: FinetunedNetwork, examples: EncodedExamples) -> list[torch.Tensor]:
    """Scores of every example, alone in its batch."""
    with torch.inference_mode():
        return [network(collate(examples, np.array([i])))[0] for i in range(len(examples))]


@pytest.mark.parametrize("model", ["bert", "xlm_roberta"])
@pytest.mark.parametrize("fusion", [{}, {"fusion": "dlfa", "fusion_layer": 1}])
@pytest.mark.parametrize(("head", "examples"), [("linear", SENTENCES), ("classifier", PAIRS)])
def test_company_in_a_batch_does_not_change_a_prediction(request, model, fusion, head, examples):
    folder = request.getfixturevalue(model)
    network = network_of(folder, head=head, **fusion).eval()
    data = encoded(folder, examples)
    alone = scores_of(network, data)
    with torch.inference_mode():
        together = network(collate(data, np.arange(len(data))))
    for row, scores in enumerate(alone):
        expected = together[row] if head == "classifier" else together[row, : len(scores)]
        torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-4)


def test_weights_come_from_the_seed(bert: Path):
    options = {"fusion": "dlfa", "fusion_layer": 1, "random_init": "2"}
    first, again, other = (network_of(bert, seed, **options) for seed in (0, 0, 1))
    weights = [dict(network.named_parameters()) for network in (first, again, other)]
    assert all(torch.equal(p, weights[1][name]) for name, p in weights[0].items())
    same = {name for name, p in weights[0].items() if torch.equal(p, weights[2][name])}
    drawn = {
        n for n in weights[0] if n.startswith(("fusion.", "head.linear", "encoder.encoder.layer.1"))
    }
    assert not {n for n in same & drawn if weights[0][n].ndim > 1}
    assert same >= set(weights[0]) - drawn


@pytest.mark.parametrize("model", ["bert", "xlm_roberta"])
@pytest.mark.parametrize(("head", "examples"), [("linear", SENTENCES), ("classifier", PAIRS)])
def test_last_layer_exports_load_with_the_auto_classes(request, tmp_path, model, head, examples):
    folder = request.getfixturevalue(model)
    settings = NetworkSettings(head=head, num_labels=3, fusion="last")
    network = build_network(find_model(HERE, str(folder)), settings, 0)[0].eval()
    tokenizer = PieceIds(find_model(HERE, str(folder))).tokenizer
    export(network, settings, LABELS, tokenizer, tmp_path / "model", {"task": "x"})
    auto = AutoModelForTokenClassification
    if head == "classifier":
        auto = AutoModelForSequenceClassification
    loaded, info = auto.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert not info["missing_keys"]
    assert loaded.config.id2label == dict(enumerate(LABELS))
    assert len(AutoTokenizer.from_pretrained(tmp_path / "model")) == len(tokenizer)
    data = encoded(folder, examples)
    for row, expected in enumerate(scores_of(network, data)):
        batch = collate(data, np.array([row]))
        inputs = {"input_ids": batch.input_ids_BT, "token_type_ids": batch.segment_ids_BT}
        with torch.inference_mode():
            logits = loaded(**{k: v for k, v in inputs.items() if v is not None}).logits[0]
        if head == "linear":
            assert batch.word_index_SW is not None
            logits = logits[batch.word_index_SW[0]]
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("model", ["bert", "xlm_roberta"])
@pytest.mark.parametrize(("head", "examples"), [("linear", SENTENCES), ("classifier", PAIRS)])
def test_fused_exports_load_again(request, tmp_path, model, head, examples):
    folder = request.getfixturevalue(model)
    settings = NetworkSettings(head=head, num_labels=3, fusion="dlfa", fusion_layer=1)
    network = build_network(find_model(HERE, str(folder)), settings, 0)[0]
    data = encoded(folder, examples)
    network.train()(collate(data, np.arange(len(data))))  # moves the running statistics
    network.eval()
    tokenizer = PieceIds(find_model(HERE, str(folder))).tokenizer
    export(network, settings, LABELS, tokenizer, tmp_path / "model", {"task": "x"})
    loaded, labels = load_network(tmp_path / "model")
    assert labels == LABELS
    for ours, theirs in zip(scores_of(network, data), scores_of(loaded, data), strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises(ValueError, match="trust_remote_code"):  # never half of it
        AutoConfig.from_pretrained(tmp_path / "model", trust_remote_code=False)
    with pytest.raises(InputError, match="no fused network"):
        load_network(folder)


def test_the_pooler_reads_the_fused_representation(bert: Path):
    network = network_of(bert, head="classifier", fusion="dlfa", fusion_layer=1).eval()
    batch = collate(encoded(bert, PAIRS), np.arange(2))
    with torch.inference_mode():
        fused = network.represent(batch)
        pooled = torch.tanh(network.head.pooler.dense(fused[:, 0]))
        torch.testing.assert_close(network.head.linear(pooled), network(batch))
        last = network.encoder(
            batch.input_ids_BT, batch.attention_mask_BT, batch.segment_ids_BT
        ).last_hidden_state
    assert not torch.allclose(fused, last)


def test_fusing_the_last_layer_equals_last(bert: Path):
    fused = network_of(bert, fusion="dlfa", fusion_layer=2).eval()
    plain = network_of(bert).eval()
    batch = collate(encoded(bert, SENTENCES), np.arange(3))
    with torch.inference_mode():
        assert torch.equal(fused.represent(batch), plain.represent(batch))


def test_heads_decode_one_label_per_word_or_pair(bert: Path):
    assert {"linear", "classifier"} <= set(HEADS)
    network, data = network_of(bert).eval(), encoded(bert, SENTENCES)
    batch = collate(data, np.arange(3))
    decoded = network.head.decode(network(batch), batch)
    assert [len(labels) for labels in decoded] == [4, 1, 6]
    network, data = network_of(bert, head="classifier").eval(), encoded(bert, PAIRS)
    batch = collate(data, np.arange(2))
    assert [len(labels) for labels in network.head.decode(network(batch), batch)] == [1, 1]
