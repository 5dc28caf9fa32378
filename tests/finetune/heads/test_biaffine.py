"""The parser: equal to its equations, safe against padding, and able to learn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bbert.finetune.batches import IGNORED, Batch, collate
from bbert.finetune.encoder import PieceIds
from bbert.finetune.encoding import EncodedExamples, encode_examples
from bbert.finetune.heads import HeadSettings, build_head
from bbert.finetune.heads.biaffine_scores import BiaffineScorer
from bbert.finetune.model_folder import find_model
from bbert.finetune.network import FinetunedNetwork, NetworkSettings, build_network
from bbert.finetune.tasks.parsing import TASK as PARSING
from bbert.finetune.tasks.task import Sentence
from bbert.finetune.tasks.trees import tree_fault
from bbert.finetune.training import TrainingSettings, train
from bbert.languages import Language

HERE = Path("file")
SIZE, RELATIONS = 6, 3


def scorer_with_weights(dropout: float = 0.0) -> BiaffineScorer:
    """A scorer away from where it starts."""
    torch.manual_seed(0)
    scorer = BiaffineScorer(SIZE, RELATIONS, arc_size=5, relation_size=4, dropout=dropout)
    with torch.no_grad():
        for parameter in scorer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return scorer.eval()


def reference(scorer: BiaffineScorer, words: np.ndarray, root: np.ndarray):
    """Scores of one sentence from the equations, pair by pair in float64: arcs and relations."""
    w = {name: p.detach().double().numpy() for name, p in scorer.named_parameters()}

    def layer(name: str, x: np.ndarray) -> np.ndarray:
        y = w[f"{name}.0.weight"] @ x + w[f"{name}.0.bias"]
        return np.where(y > 0, y, 0.1 * y)

    nodes = [root, *words]
    arcs = np.full((len(words), len(nodes)), -np.inf)
    relations = np.zeros((len(words), len(nodes), RELATIONS))
    size = w["relation_map.weight"].shape[1]
    bilinear = w["relation_map.weight"].reshape(RELATIONS, size, size)  # relation, head, dependent
    for d, word in enumerate(words):
        for h, node in enumerate(nodes):
            dependent = np.append(layer("arc_dependent", word), 1)
            if h != d + 1:
                arcs[d, h] = layer("arc_head", node) @ w["arc_map.weight"] @ dependent
            dependent = np.append(layer("relation_dependent", word), 1)
            head = np.append(layer("relation_head", node), 1)
            for r in range(RELATIONS):
                relations[d, h, r] = head @ bilinear[r] @ dependent
    return arcs, relations


def test_scores_are_those_of_the_equations():
    scorer = scorer_with_weights()
    words, root = torch.randn(2, 4, SIZE), torch.randn(2, SIZE)
    numbers = [4, 2]
    heads = torch.tensor([[2, 0, 1, 3], [0, 1, IGNORED, IGNORED]])
    with torch.inference_mode():
        scores = scorer(words, root, torch.tensor(numbers))
        relations = scorer.relation_scores(scores, heads, heads != IGNORED).numpy()
    rows = iter(relations)
    for sentence, number in enumerate(numbers):
        arcs, expected = reference(
            scorer, words[sentence, :number].double().numpy(), root[sentence].double().numpy()
        )
        found = scores.arcs_SWH[sentence].numpy()
        np.testing.assert_allclose(found[:number, : number + 1], arcs, atol=1e-4)
        assert (found[:, number + 1 :] == -np.inf).all()
        for word in range(number):
            head = int(heads[sentence, word])
            np.testing.assert_allclose(next(rows), expected[word, head], atol=1e-4)
    assert next(rows, None) is None


def a_head(**sizes: int) -> nn.Module:
    options = {"arc_size": 5, "relation_size": 4} | sizes
    settings = HeadSettings(SIZE, RELATIONS, 0.1, 0.02, nn.Identity(), **options)
    torch.manual_seed(1)
    return build_head("biaffine", settings)


def batch_of(numbers: list[int], heads: list[list[int]], relations: list[list[int]]) -> Batch:
    """A batch whose words are one piece each; position 0 is the special before them."""
    width = max(numbers)
    length = width + 2
    padded = [h + [IGNORED] * (width - len(h)) for h in heads]
    labels = [r + [IGNORED] * (width - len(r)) for r in relations]
    index = [[s * length + 1 + w if w < n else 0 for w in range(width)] for s, n in
             enumerate(numbers)]  # fmt: skip
    ids = torch.zeros(len(numbers), length, dtype=torch.int64)
    return Batch(ids, torch.ones_like(ids), None, torch.tensor(index), numbers,
                 torch.tensor(labels), torch.tensor(padded))  # fmt: skip


def test_the_loss_begins_as_that_of_a_guess_and_is_the_sum_of_both():
    head = a_head().eval()
    batch = batch_of([3, 1], [[2, 0, 2], [0]], [[0, 1, 2], [1]])
    fused = torch.randn(2, 5, SIZE)
    loss = head.loss(head(fused, batch), batch).item()
    # Three words have three possible heads each (not themselves), one has one; three relations.
    assert loss == pytest.approx(3 / 4 * math.log(3) + math.log(RELATIONS), rel=1e-5)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    arcs = [], []
    for sentence, number in enumerate([3, 1]):
        rows = fused[sentence].double().numpy()
        scores, relations = reference(head.scorer, rows[1 : 1 + number], rows[0])
        for word in range(number):
            gold, label = int(batch.heads_SW[sentence, word]), int(batch.labels[sentence, word])
            arcs[0].append(np.logaddexp.reduce(scores[word]) - scores[word, gold])
            at_gold = relations[word, gold]
            arcs[1].append(np.logaddexp.reduce(at_gold) - at_gold[label])
    expected = sum(map(np.mean, arcs))
    assert head.loss(head(fused, batch), batch).item() == pytest.approx(expected, rel=1e-4)


def test_decoding_gives_one_tree_a_sentence_with_relations_at_its_heads():
    head = a_head().eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(torch.randn_like(parameter))
    numbers = [7, 1, 4]
    batch = batch_of(numbers, [[0] * n for n in numbers], [[0] * n for n in numbers])
    fused = torch.randn(3, 9, SIZE)
    with torch.inference_mode():
        decoded = head.decode(head(fused, batch), batch)
    assert [len(tree) for tree in decoded] == numbers
    for sentence, tree in enumerate(decoded):
        heads = [h for h, _ in tree]
        assert tree_fault(heads) is None
        rows = fused[sentence].double().numpy()
        _, relations = reference(head.scorer, rows[1 : 1 + len(tree)], rows[0])
        assert [r for _, r in tree] == [
            int(relations[word, h].argmax()) for word, h in enumerate(heads)
        ]


def test_dropout_takes_the_same_features_from_all_words():
    scorer = scorer_with_weights(dropout=0.5).train()
    words = torch.ones(1, 50, SIZE)
    torch.manual_seed(3)
    out = scorer.arc_head(words)
    gone = out[:, :1] == 0
    assert ((out == 0) == gone).all()
    assert gone.any()
    assert not gone.all()
    assert not torch.equal(scorer.arc_head(words), out)


RELATION_NAMES = ("det", "nsubj", "obj", "punct", "root")
TREES = [
    Sentence(("Anna", "left", "Rome", "."), ("2 nsubj", "0 root", "2 obj", "2 punct"), HERE, 1),
    Sentence(("left",), ("0 root",), HERE, 6),
    Sentence(("the", "U.S.", "left"), ("2 det", "3 nsubj", "0 root"), HERE, 8),
    Sentence(("left",) * 90, ("0 root", *("1 obj",) * 89), HERE, 12),  # several windows
    Sentence(("Boris", "saw", "the", "old", "Rome"),
             ("2 nsubj", "0 root", "5 det", "5 det", "2 obj"), HERE, 110),
]  # fmt: skip


def network_of(folder: Path, **options) -> FinetunedNetwork:
    options = {"fusion": "last", "arc_size": 16, "relation_size": 8} | options
    settings = NetworkSettings("biaffine", len(RELATION_NAMES), **options)
    network = build_network(find_model(HERE, str(folder)), settings, 0)[0]
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network.eval()


def encoded(folder: Path, examples) -> EncodedExamples:
    pieces = PieceIds(find_model(HERE, str(folder)))
    return encode_examples(
        examples, Language.parse("en"), pieces, RELATION_NAMES, 48, arcs=True
    )  # fmt: skip


@pytest.mark.parametrize("fusion", ["last", "dlfa"])
@pytest.mark.parametrize("model", ["bert", "xlm_roberta"])
def test_company_in_a_batch_changes_no_tree(request, model: str, fusion: str):
    folder = request.getfixturevalue(model)
    layer = {"fusion_layer": 1} if fusion == "dlfa" else {}
    network, data = network_of(folder, fusion=fusion, **layer), encoded(folder, TREES)
    assert list(data.windows) == [3]
    with torch.inference_mode():
        batch = collate(data, np.arange(len(data)))
        together = network(batch)
        decoded = network.head.decode(together, batch)
        for row, sentence in enumerate(TREES):
            alone = collate(data, np.array([row]))
            number = len(sentence.words)
            scores = network(alone)
            torch.testing.assert_close(
                scores.arcs_SWH[0], together.arcs_SWH[row, :number, : number + 1],
                atol=1e-5, rtol=1e-4,
            )  # fmt: skip
            assert network.head.decode(scores, alone) == [decoded[row]]


def test_a_relation_that_is_new_in_a_test_set_is_counted_and_never_trained_on(bert: Path):
    new = Sentence(("Anna", "left"), ("2 vocative", "0 root"), HERE, 1)
    data = encoded(bert, [new, TREES[0]])
    assert data.counts["unknown_relations"] == 1
    assert data.labels[0].tolist() == [IGNORED, RELATION_NAMES.index("root")]
    network = network_of(bert)
    decoded = network.head.decode(network(collate(data, np.arange(2))), collate(data, np.arange(2)))
    assert [len(tree) for tree in decoded] == [2, 4]


def test_it_learns_a_small_treebank_by_heart(bert: Path):
    examples = [TREES[i] for i in (0, 1, 2, 4)] * 8
    folder = find_model(HERE, str(bert))
    settings = NetworkSettings(
        "biaffine", len(RELATION_NAMES), "last", dropout=0.1, arc_size=32, relation_size=32
    )
    network = build_network(folder, settings, 0)[0]
    data = encoded(bert, examples)
    rows = train(network, data, TrainingSettings(12, 8, 3e-3, 0.1, 0.0, 1e-8, "fp32"), 0)
    assert rows[-1]["loss"] < 0.3 * rows[0]["loss"]
    batch = collate(data, np.arange(4))
    with torch.inference_mode():
        decoded = network.head.decode(network(batch), batch)
    found = [[f"{head} {RELATION_NAMES[r]}" for head, r in tree] for tree in decoded]
    assert PARSING.score([e.labels for e in examples[:4]], found)["las"] > 0.95


def test_bfloat16_arithmetic_gives_trees_and_gradients(bert: Path):
    network, data = network_of(bert).train(), encoded(bert, TREES)
    batch = collate(data, np.arange(len(data)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = network(batch)
        loss = network.head.loss(scores, batch)
        trees = network.head.decode(scores, batch)
    assert scores.arcs_SWH.dtype == loss.dtype == torch.float32
    loss.backward()
    gradients = [p.grad for p in network.head.parameters()]
    assert all(g is not None and g.isfinite().all() and g.abs().sum() > 0 for g in gradients)
    assert all(tree_fault([head for head, _ in tree]) is None for tree in trees)
