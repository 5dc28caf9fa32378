"""Parameter counts of the published tables, arithmetic of PERFORMANCE, and refusals."""

from __future__ import annotations

import pytest

from bbert.pretrain.architecture import Architecture, hidden_for_target

VOCABULARY = 60_000

# K et al. 2020: depth, heads, hidden size, intermediate, millions of parameters. The counts of
# depth 18 and 24 in table 4 are printed swapped there.
PUBLISHED = [
    (1, 12, 1656, 6624, 138.70),
    (2, 12, 1404, 5616, 136.32),
    (4, 12, 1152, 4608, 136.20),
    (6, 12, 1020, 4080, 138.86),
    (12, 12, 768, 3072, 132.78),
    (18, 12, 672, 2688, 139.33),
    (24, 12, 588, 2352, 136.10),
    *((12, heads, 768, 3072, 132.78) for heads in (1, 2, 3, 6, 16, 24)),
    (3, 3, 120, 480, 7.87),
    (3, 3, 180, 720, 12.19),
    (3, 3, 240, 960, 16.78),
    (6, 6, 120, 480, 8.40),
    (6, 6, 180, 720, 13.37),
    (6, 6, 240, 960, 18.87),
    (12, 12, 60, 240, 4.23),
    (12, 12, 144, 576, 11.83),
    (12, 12, 288, 1152, 29.65),
    (12, 12, 1200, 4800, 283.11),
    *((16, heads, 192, 960, 20.05) for heads in (1, 3)),
    *((24, heads, 192, 960, 24.20) for heads in (1, 3)),
    *((36, heads, 192, 960, 30.43) for heads in (1, 3)),
]


@pytest.mark.parametrize(("depth", "heads", "hidden", "intermediate", "millions"), PUBLISHED)
def test_counts_are_those_of_the_published_tables(depth, heads, hidden, intermediate, millions):
    architecture = Architecture(depth, heads, hidden, intermediate, VOCABULARY)
    # Table 4 prints 138.69 for the first row, cut instead of rounded.
    assert architecture.parameter_count() / 1e6 == pytest.approx(millions, abs=0.005001)


def test_the_papers_model_has_exactly_so_many_parameters():
    assert Architecture(12, 12, 768, 3072, VOCABULARY).parameter_count() == 132_775_010


def test_next_sentence_prediction_costs_pooler_and_classifier():
    sizes = (12, 12, 768, 3072, VOCABULARY)
    with_nsp = Architecture(*sizes).parameter_count()
    without = Architecture(*sizes, nsp=False).parameter_count()
    assert with_nsp - without == 768 * 768 + 768 + 2 * 768 + 2


def test_training_arithmetic_of_the_papers_model():
    architecture = Architecture(12, 12, 768, 3072, VOCABULARY)
    assert architecture.training_flops_per_token(128) == pytest.approx(803.8e6, rel=1e-4)
    # 565.8 with the head on the masked positions only; 31.1 less with the last layer too.
    assert architecture.training_flops_per_token(128, 0.15) == pytest.approx(534.7e6, rel=1e-4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hidden": 100}, "--hidden 100 is not divisible by --heads 12; use --hidden 96 or 108"),
        ({"hidden": 5}, "use --hidden 12"),
        ({"depth": 0}, "--depth 0 must be at least 1"),
        ({"vocab_size": -1}, "--vocab-size -1"),
        ({"max_positions": 0}, "--max-positions 0"),
        ({"dropout": 1.0}, "--dropout 1.0"),
        ({"dropout": -0.1}, "--dropout -0.1"),
    ],
)
def test_impossible_sizes_are_refused_with_the_mend(changed, message):
    sizes = {"depth": 2, "heads": 12, "hidden": 768, "intermediate": 10, "vocab_size": 100}
    with pytest.raises(ValueError, match=message):
        Architecture(**(sizes | changed))


@pytest.mark.parametrize(("depth", "heads", "hidden", "intermediate", "millions"), PUBLISHED)
def test_the_hidden_size_is_found_again_from_the_count(
    depth, heads, hidden, intermediate, millions
):
    given = None if intermediate == 4 * hidden else intermediate
    found = hidden_for_target(round(millions * 1e6), depth, heads, VOCABULARY, given)
    assert abs(found.hidden - hidden) < heads


@pytest.mark.parametrize("target", [5_000_000, 33_333_333, 132_780_000, 1_000_000_000])
@pytest.mark.parametrize("heads", [1, 7, 12])
def test_no_other_multiple_of_the_heads_is_nearer(target, heads):
    found = hidden_for_target(target, 24, heads, VOCABULARY)

    def distance(hidden: int) -> int:
        other = Architecture(24, heads, hidden, 4 * hidden, VOCABULARY)
        return abs(other.parameter_count() - target)

    assert found.hidden % heads == 0
    assert distance(found.hidden) <= distance(found.hidden + heads)
    if found.hidden > heads:
        assert distance(found.hidden) <= distance(found.hidden - heads)


def test_a_target_below_the_smallest_model_is_refused():
    with pytest.raises(ValueError, match="--target 1,000 is below"):
        hidden_for_target(1_000, 24, 12, VOCABULARY)
