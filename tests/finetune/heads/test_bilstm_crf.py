"""The BiLSTM against PyTorch's on packed sequences; the head on batches of any shape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bbert.finetune.batches import IGNORED, Batch
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import encode_examples
from bbert.finetune.export import export, load_network
from bbert.finetune.heads import HeadSettings, build_head
from bbert.finetune.heads.bilstm import BiLstm
from bbert.finetune.heads.head import Head
from bbert.finetune.model_folder import find_model
from bbert.finetune.network import NetworkSettings, build_network
from bbert.finetune.tasks.task import Sentence
from bbert.languages import Language

LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.integers(0, 3))
def test_it_equals_packed_sequences(lengths, padding):
    torch.manual_seed(sum(lengths))
    own = BiLstm(3, 4, num_layers=2, dropout=0.5).double().eval()
    reference = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True).double()
    state = {}
    for layer in range(2):
        for direction, suffix in ((own.forwards, ""), (own.backwards, "_reverse")):
            for name, weight in direction[layer].named_parameters():
                state[name.replace("l0", f"l{layer}{suffix}")] = weight.detach().clone()
    reference.load_state_dict(state)
    width = max(lengths) + padding
    words = torch.randn(len(lengths), width, 3, dtype=torch.float64)
    mine, theirs = (words.clone().requires_grad_() for _ in range(2))
    packed = pack_padded_sequence(theirs, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(reference(packed)[0], batch_first=True, total_length=width)
    found = own(mine, lengths)
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).unsqueeze(2)
    torch.testing.assert_close(found * mask, expected)
    weights = torch.randn_like(found)
    (found * mask * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad)
    for name, parameter in reference.named_parameters():
        layer = int(name.split("_l")[1][0])
        side = own.backwards if name.endswith("_reverse") else own.forwards
        plain = name.removesuffix("_reverse").replace(f"l{layer}", "l0")
        torch.testing.assert_close(side[layer].get_parameter(plain).grad, parameter.grad)


def a_head(dropout: float = 0.5) -> Head:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return build_head(
            "bilstm-crf", HeadSettings(6, 5, dropout, 0.02, nn.Identity(), lstm_size=8)
        )


def a_batch(words: list[torch.Tensor], labels: list[list[int]], padding: int = 0) -> Batch:
    """Sentences given by their words' vectors; what stands on padding is large."""
    lengths = [len(sentence) for sentence in words]
    width = max(lengths) + padding
    layer = torch.full((len(words), width, 6), 50.0)
    gold = torch.full((len(words), width), IGNORED)
    for row, (sentence, tags) in enumerate(zip(words, labels, strict=True)):
        layer[row, : len(sentence)] = sentence
        gold[row, : len(sentence)] = torch.tensor(tags)
    index = torch.arange(layer.shape[0] * width).view(-1, width)
    return Batch(torch.empty(0, 0), torch.ones(len(words), width), None, index, lengths, gold,
                 layers_BTE=(layer,))  # fmt: skip


def test_padding_and_company_change_nothing():
    head = a_head().eval()
    sentences = [torch.randn(number, 6) for number in (3, 1, 5)]
    labels = [[1, 2, 0], [3], [0, 1, 0, 3, 4]]
    losses, found = [], []
    for padding in (0, 4):
        batch = a_batch(sentences, labels, padding)
        scores = head(batch.layers_BTE[0], batch)
        losses.append(head.loss(scores, batch))
        found.append(head.decode(scores, batch))
    torch.testing.assert_close(losses[0], losses[1])
    assert found[0] == found[1]
    alone = [a_batch([s], [tags]) for s, tags in zip(sentences, labels, strict=True)]
    scores = [head(batch.layers_BTE[0], batch) for batch in alone]
    each = [head.loss(s, batch) for s, batch in zip(scores, alone, strict=True)]
    torch.testing.assert_close(sum(each), losses[0])  # a sum over sentences, as in the paper
    assert [head.decode(s, b)[0] for s, b in zip(scores, alone, strict=True)] == found[0]


def test_every_sequence_that_is_found_is_legal_whatever_the_scores():
    head = a_head().eval()
    for seed in range(20):
        torch.manual_seed(seed)
        with torch.no_grad():
            head.crf.transitions.normal_(std=5)
            head.linear.weight.normal_(std=5)
        sentences = [torch.randn(n, 6) for n in (1, 2, 7)]
        batch = a_batch(sentences, [[0] * len(s) for s in sentences])
        for path in head.decode(head(batch.layers_BTE[0], batch), batch):
            for before, label in zip([0, *path], path, strict=False):
                if LABELS[label].startswith("I-"):
                    assert LABELS[before][2:] == LABELS[label][2:]


def test_it_learns_from_a_batch_of_one():
    head = a_head(dropout=0.0).train()
    batch = a_batch([torch.randn(4, 6)], [[1, 2, 0, 3]])
    optimizer = torch.optim.Adam(head.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        head.loss(head(batch.layers_BTE[0], batch), batch).backward()
        optimizer.step()
    assert head.decode(head(batch.layers_BTE[0], batch), batch) == [[1, 2, 0, 3]]


TAG_WITHOUT_BBERT = """
import json, sys
sys.modules["bbert"] = None
import torch, transformers
folder, inputs = sys.argv[1], json.loads(sys.argv[2])
model = transformers.AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
print(json.dumps(model.tag(**{name: torch.tensor(value) for name, value in inputs.items()})))
"""


@pytest.mark.parametrize("fusion", ["scalar-mix", "dlfa"])
def test_the_exported_tagger_finds_the_same_where_bbert_is_not_installed(
    bert: Path, tmp_path: Path, fusion
):
    options = NetworkSettings(
        "bilstm-crf", 5, fusion, fusion_layer=1 if fusion == "dlfa" else None, freeze="all",
        lstm_size=6, dropout=0.5,
    )  # fmt: skip
    model = find_model(Path("."), str(bert))
    network, _ = build_network(model, options, seed=3)
    with torch.no_grad():
        network.head.linear.weight.normal_(std=5)
        network.head.crf.transitions.normal_(std=3)
    pieces = PieceIds(model)
    export(network, options, LABELS, pieces.tokenizer, tmp_path / "model", {})
    texts = [("Anna", "U.S.", "visited", "Rome"), ("the",)]
    sentences = [Sentence(words, ("O",) * len(words), Path("x"), 1) for words in texts]
    batch = encode_examples(sentences, Language.parse("en"), pieces, LABELS, 32).batch([0, 1])
    with torch.inference_mode():
        expected = network.head.decode(network(batch), batch)
        again, labels = load_network(tmp_path / "model")
        assert again.head.decode(again(batch), batch) == expected
    assert labels == LABELS
    starts = batch.word_index_SW - torch.arange(2)[:, None] * batch.input_ids_BT.shape[1]
    starts[1, 1:] = -1
    inputs = {"input_ids": batch.input_ids_BT.tolist(),
              "attention_mask": batch.attention_mask_BT.tolist(),
              "word_starts": starts.tolist()}  # fmt: skip
    environment = {**os.environ, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TAG_WITHOUT_BBERT, tmp_path / "model", json.dumps(inputs)],
        capture_output=True, text=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == [[LABELS[label] for label in row] for row in expected]
    assert {label for row in found for label in row} != {"O"}
