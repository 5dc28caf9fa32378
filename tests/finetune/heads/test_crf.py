"""The CRF against enumeration of all tag sequences; BIOUL against the readers' conversion."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.finetune.heads.bioul import BioulTags, constraints, num_tags
from bbert.finetune.heads.crf import LinearChainCrf
from bbert.finetune.tasks.tagging_schemes import illegal_tags, to_bioul, to_iob2


def random_crf(num_tags: int, seed: int, with_ends: bool, legal: float = 0.7) -> LinearChainCrf:
    """Random constraints under which the first tag is always legal."""
    generator = torch.Generator().manual_seed(seed)

    def allowed(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator) < legal

    transitions, starts, ends = allowed(num_tags, num_tags), allowed(num_tags), allowed(num_tags)
    transitions[0, 0] = starts[0] = ends[0] = True
    crf = LinearChainCrf(transitions, starts, ends, with_ends).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(2 * torch.randn(parameter.shape, generator=generator).double())
    return crf


def score(crf: LinearChainCrf, scores_WC: torch.Tensor, tags: tuple[int, ...]) -> float:
    """The score of one sequence, written out."""
    total = sum(scores_WC[word, tag] for word, tag in enumerate(tags))
    total += sum(crf.transitions[a, b] for a, b in itertools.pairwise(tags))
    if crf.starts is not None and crf.ends is not None:
        total += crf.starts[tags[0]] + crf.ends[tags[-1]]
    return float(total.detach())


def is_legal(crf: LinearChainCrf, tags: tuple[int, ...]) -> bool:
    return bool(
        crf.starts_allowed_C[tags[0]]
        and crf.ends_allowed_C[tags[-1]]
        and all(crf.transitions_allowed_CC[a, b] for a, b in itertools.pairwise(tags))
    )


cases = st.tuples(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),  # words of the sentences
    st.integers(2, 4),  # tags
    st.integers(0, 10_000),  # seed
    st.booleans(),  # scores for the ends
)


@settings(max_examples=40, deadline=None)
@given(cases)
def test_log_likelihood_is_that_of_all_sequences(case):
    lengths, tags, seed, with_ends = case
    crf = random_crf(tags, seed, with_ends)
    scores = torch.randn(len(lengths), max(lengths), tags, dtype=torch.float64)
    gold = torch.randint(tags, scores.shape[:2])
    found = crf.log_likelihood(scores, gold, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        all_scores = torch.tensor(
            [score(crf, scores[row], path)
             for path in itertools.product(range(tags), repeat=length)], dtype=torch.float64
        )  # fmt: skip
        own = score(crf, scores[row], tuple(gold[row, :length].tolist()))
        assert found[row].item() == pytest.approx(own - all_scores.logsumexp(0).item(), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(cases)
def test_decoding_finds_the_best_legal_sequence(case):
    lengths, tags, seed, with_ends = case
    crf = random_crf(tags, seed, with_ends)
    scores = torch.randn(len(lengths), max(lengths), tags, dtype=torch.float64)
    for row, path in enumerate(crf.decode(scores, lengths)):
        assert len(path) == lengths[row]
        assert is_legal(crf, tuple(path))
        legal = [p for p in itertools.product(range(tags), repeat=lengths[row]) if is_legal(crf, p)]
        best = max(score(crf, scores[row], p) for p in legal)
        assert score(crf, scores[row], tuple(path)) == pytest.approx(best)


@pytest.mark.parametrize("with_ends", [False, True])
def test_the_gradient_is_that_of_finite_differences(with_ends):
    crf = random_crf(3, 1, with_ends)
    scores = torch.randn(3, 4, 3, dtype=torch.float64, requires_grad=True)
    gold = torch.randint(3, (3, 4))
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)

    def weighted(scores: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        names = [name for name, _ in crf.named_parameters()]
        given = dict(zip(names, parameters, strict=True))
        lengths = torch.tensor([4, 1, 3])
        arguments = (scores, gold, lengths)
        found = torch.func.functional_call(_LogLikelihood(crf), _below(given), arguments)
        return found @ weights

    assert torch.autograd.gradcheck(weighted, (scores, *crf.parameters()))


class _LogLikelihood(torch.nn.Module):
    def __init__(self, crf: LinearChainCrf) -> None:
        super().__init__()
        self.crf = crf

    def forward(self, *arguments: torch.Tensor) -> torch.Tensor:
        return self.crf.log_likelihood(*arguments)


def _below(parameters: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"crf.{name}": value for name, value in parameters.items()}


def test_padding_changes_nothing_whatever_it_holds():
    crf = random_crf(3, 5, True)
    scores = torch.randn(2, 3, 3, dtype=torch.float64)
    gold = torch.randint(3, (2, 3))
    lengths = torch.tensor([3, 2])
    padded = torch.cat([scores, torch.full((2, 4, 3), 1e4, dtype=torch.float64)], dim=1)
    padded[1, 2] = -1e4
    gold_padded = torch.cat([gold, torch.full((2, 4), -100)], dim=1)
    expected = crf.log_likelihood(scores, gold, lengths)
    assert torch.allclose(crf.log_likelihood(padded, gold_padded, lengths), expected)
    assert crf.decode(padded, [3, 2]) == crf.decode(scores, [3, 2])
    alone = crf.log_likelihood(scores[1:, :2], gold[1:, :2], lengths[1:])
    assert torch.allclose(alone, expected[1:])
    assert crf.decode(scores[1:, :2], [2]) == crf.decode(scores, [3, 2])[1:]


def names_of(num_labels: int) -> tuple[list[str], list[str]]:
    """Names of the IOB2 labels and of the BIOUL tags."""
    types = [f"T{number}" for number in range(num_labels // 2)]
    labels = ["O", *(f"{letter}-{kind}" for kind in types for letter in "BI")]
    return labels, ["O", *(f"{letter}-{kind}" for kind in types for letter in "BILU")]


sentences = st.integers(1, 3).flatmap(
    lambda types: st.tuples(
        st.just(1 + 2 * types),
        st.lists(st.lists(st.integers(0, 2 * types), min_size=1, max_size=8), min_size=1,
                 max_size=3),
    )
)  # fmt: skip


@given(sentences)
def test_labels_become_bioul_and_come_back(case):
    num_labels, rows = case
    labels, tags = names_of(num_labels)
    legal = [[labels.index(x) for x in to_iob2([labels[i] for i in row])] for row in rows]
    width = max(map(len, legal))
    padded = torch.tensor([row + [-100] * (width - len(row)) for row in legal])
    table = BioulTags(num_labels)
    for row, found in zip(legal, table.tags_of(padded).tolist(), strict=True):
        names = [tags[tag] for tag in found[: len(row)]]
        assert tuple(names) == to_bioul([labels[i] for i in row])
        assert [table.label_of_tag[tag] for tag in found[: len(row)]] == row
        assert found[len(row) :] == [0] * (width - len(row))


@given(st.lists(st.integers(0, 8), min_size=1, max_size=6))
def test_constraints_allow_what_the_scheme_allows(path):
    _, tags = names_of(5)
    transitions, starts, ends = constraints(5)
    allowed = bool(
        starts[path[0]]
        and ends[path[-1]]
        and all(transitions[a, b] for a, b in itertools.pairwise(path))
    )
    assert allowed == (not illegal_tags([tags[tag] for tag in path], "BIOUL"))


def test_labels_of_another_scheme_are_refused():
    assert num_tags(7) == 13
    with pytest.raises(ValueError, match="4 labels are not O"):
        constraints(4)
