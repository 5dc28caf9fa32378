"""The peak is that of a large product, and the same order of magnitude as a product timed here."""

from __future__ import annotations

import time

import pytest
import torch

from bbert.pretrain.matrix_peak import matrix_peak


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_product_is_much_faster_than_the_peak(precision):
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    matrix = torch.ones(768, 768, dtype=dtype)
    fastest = 0.0
    for _ in range(3):
        began = time.perf_counter()
        _ = matrix @ matrix
        fastest = max(fastest, 2 * 768**3 / (time.perf_counter() - began))
    # Both are the best of a few, on a machine that may be busy: a factor of ten says that the
    # count of operations or the unit is right.
    assert fastest / 10 < matrix_peak(precision, "cpu") < 10 * fastest


def test_it_draws_no_random_numbers():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    matrix_peak("fp32", "cpu")
    assert torch.equal(torch.get_rng_state(), before)
