"""The perplexity of counts alone, beside which that of a model stands."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bbert.corpus.token_store import TOKENS, TokenStoreWriter
from bbert.pretrain import unigram_perplexity
from bbert.pretrain.unigram_perplexity import unigram_perplexities


def write_store(corpus: Path, language: str, ids: list[int]) -> None:
    with TokenStoreWriter(corpus / TOKENS / language, vocab_size=1000) as store:
        ids_P = np.array(ids, np.int64)
        store.append(ids_P, np.ones(len(ids), np.uint8), np.array([len(ids)]), np.array([True]))


def test_it_is_the_exponential_of_the_entropy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unigram_perplexity, "_BLOCK", 5)  # the last block is not full
    write_store(tmp_path, "en", [7, 8, 9, 10, 11, 12, 13, 999] * 3)  # eight, equally frequent
    write_store(tmp_path, "es", [5, 5, 5, 6])
    found = unigram_perplexities(tmp_path, ["en", "es"])
    assert found["en"] == pytest.approx(8)
    assert found["es"] == pytest.approx(math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25)))


def test_a_language_without_text_has_none(tmp_path: Path):
    with TokenStoreWriter(tmp_path / TOKENS / "en", vocab_size=10):
        pass
    assert unigram_perplexities(tmp_path, ["en"]) == {}
