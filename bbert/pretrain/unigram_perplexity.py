"""What the counts of word-pieces alone give: the perplexity that a model has to beat."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bbert.corpus.token_store import TokenStore

_BLOCK = 1 << 24
"""Word-pieces counted at once."""


def unigram_perplexities(corpus: Path, languages: Iterable[str]) -> dict[str, float]:
    """language → exponential of the entropy of its word-pieces, in nats, over its whole text.

    A masked word-piece that is guessed from the counts of its language, and from nothing that
    stands beside it, has this perplexity.
    """
    found = {}
    for language in languages:
        store = TokenStore.open(corpus, language)
        counts_V = np.zeros(int(store.description["vocab_size"]), np.int64)
        for start in range(0, len(store.ids), _BLOCK):
            counts_V += np.bincount(store.ids[start : start + _BLOCK], minlength=len(counts_V))
            store.release()
        if total := int(counts_V.sum()):
            share = counts_V[counts_V > 0] / total
            found[language] = math.exp(-float(share @ np.log(share)))
    return found
