"""Dropout by rows: the right share of zeros, independent, and the same wherever a row is."""

from __future__ import annotations

import pytest
import torch

from bbert.pretrain.dropout import RowDropout, _bits, _bits_by_element, site_keys


def keys(rows: int, site: int = 0, seed: int = 0) -> torch.Tensor:
    row_keys = torch.randint(
        -(2**62), 2**62, (rows,), generator=torch.Generator().manual_seed(seed)
    )
    return site_keys(row_keys, 5)[site]


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_right_share_is_zero_and_the_mean_is_kept(probability):
    kept = RowDropout(probability)(torch.ones(64, 50, 80), keys(64))
    zeros = (kept == 0).float()
    deviation = (probability * (1 - probability)) ** 0.5
    assert zeros.mean() == pytest.approx(probability, abs=5 * deviation / kept.numel() ** 0.5)
    assert kept.mean() == pytest.approx(1, abs=0.02)
    for dimension in (0, 1, 2):  # no row, position or feature is favoured
        others = tuple({0, 1, 2} - {dimension})
        shares = zeros.mean(dim=others)
        count = kept.numel() / kept.shape[dimension]
        assert (shares - probability).abs().max() < 5 * deviation / count**0.5


def test_rows_sites_and_neighbours_are_independent():
    dropout, ones = RowDropout(0.5), torch.ones(40, 2000)
    zeros = dropout(ones, keys(40)) == 0
    other = dropout(ones, keys(40, site=1)) == 0
    tolerance = 5 * 0.5 / 80_000**0.5
    for first, second in (
        (zeros, other),
        (zeros, zeros.roll(1, 0)),
        (zeros[:, 1:], zeros[:, :-1]),
        (zeros[:, ::2], zeros[:, 1::2]),  # the halves of one hash
    ):
        assert (first == second).float().mean() == pytest.approx(0.5, abs=2 * tolerance)


def test_a_row_keeps_its_zeros_alone_and_among_others():
    dropout, hidden, key = RowDropout(0.3), torch.randn(6, 7, 10), keys(6)
    whole = dropout(hidden, key)
    for start, stop in ((0, 1), (2, 5), (5, 6)):
        assert torch.equal(dropout(hidden[start:stop], key[start:stop]), whole[start:stop])


def test_gradients_pass_where_the_input_did():
    hidden = torch.randn(4, 6, 8, requires_grad=True)
    out = RowDropout(0.5)(hidden, keys(4))
    out.sum().backward()
    assert hidden.grad is not None
    assert torch.equal(hidden.grad, torch.where(out == 0, 0.0, 2.0))


def test_it_does_nothing_outside_training():
    dropout, hidden = RowDropout(0.5), torch.randn(2, 3, 4)
    assert dropout.eval()(hidden, None) is hidden
    assert RowDropout(0.0)(hidden, None) is hidden
    with pytest.raises(AssertionError, match="row_keys"):
        dropout.train()(hidden, None)


def test_low_precision_stays_low():
    assert RowDropout(0.1)(torch.randn(2, 3, 4).bfloat16(), keys(2)).dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(3, 5), (3, 1, 7), (2, 1)])
def test_odd_sizes_work(shape):
    assert RowDropout(0.5)(torch.ones(shape), keys(shape[0])).shape == shape


@pytest.mark.parametrize("shape", [(3, 4, 6), (2, 7), (5, 3, 3, 1)])
def test_each_element_makes_the_same_hash_for_itself(shape):
    size, key = torch.Size(shape), keys(shape[0])
    assert torch.equal(_bits_by_element(size, key), _bits(size, key).int())
