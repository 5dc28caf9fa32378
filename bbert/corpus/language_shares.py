"""How much of every language a model reads: shares smoothed by an exponent.

A language's share of the sentences that are read grows with its number of sentences to the power of
`--smoothing` (0.7 in mBERT and K et al. 2020, where sizes are counted in lines too): 1 keeps the
natural shares, 0 gives every language the same. The corpus holds every document once, and fixes the
shares; both readers of the text keep to them:

* the vocabulary is learned on a sample of sentences in these shares, as mBERT's;
* pretraining deals its rows out so that the *sentences* it reads have these shares, a language of
  longer sentences getting more rows. Documents are drawn without replacement, pass after pass, each
  pass in a new order: a small language is gone through several times while a large one is gone
  through once, and every document of a language is read equally often, to within one.

Shape suffix: `L` languages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

UNIT_BITS = 24
"""Rows are dealt out in multiples of 2**-24, so that the arithmetic is exact up to 2**39 rows."""

DEFAULT_SMOOTHING = 0.7


def smoothed_shares(sizes: Sequence[int], smoothing: float) -> npt.NDArray[np.float64]:
    """Share of each language: its size (positive) to the power of `smoothing`, over their sum."""
    weights_L = np.asarray(sizes, np.float64) ** smoothing
    return weights_L / weights_L.sum()


def row_units(
    sentences: Sequence[int], word_pieces: Sequence[int], smoothing: float
) -> npt.NDArray[np.int64]:
    """How many of 2**24 pretraining rows each language gets, so that sentences are read in shares.

    Args:
        sentences: number of sentences of each language, all positive.
        word_pieces: number of word-pieces of each language: rows hold equally many.
        smoothing: the exponent.

    Returns:
        Whole numbers, at least one, whose sum is 2**24: what is left over by rounding goes to those
        that lost most.
    """
    sizes_L = np.asarray(sentences, np.float64)
    weights_L = sizes_L ** (smoothing - 1) * np.asarray(word_pieces, np.float64)
    exact_L = weights_L / weights_L.sum() * (1 << UNIT_BITS)
    units_L = np.maximum(np.floor(exact_L).astype(np.int64), 1)
    missing = (1 << UNIT_BITS) - int(units_L.sum())
    order = np.argsort(units_L - exact_L, kind="stable")
    if missing >= 0:
        units_L[order[:missing]] += 1
    else:  # languages of less than one row in 2**24
        units_L[np.argmax(units_L)] += missing
    return units_L


def mix(
    languages: Sequence[str],
    sentences: Sequence[int],
    word_pieces: Sequence[int],
    smoothing: float,
) -> dict[str, Any]:
    """What a corpus says about its shares, for the certificate.

    Of every language: its number of sentences; the `natural` share of them; the `expected` one,
    smoothed; the share of the pretraining `rows`; the `realised` share, which is that of the
    sentences in those rows; and `passes`, how often its documents are read while as many sentences
    go by as the corpus has.
    """
    sizes_L = np.asarray(sentences, np.float64)
    rows_L = row_units(sentences, word_pieces, smoothing) / (1 << UNIT_BITS)
    natural_L = sizes_L / sizes_L.sum()
    read_L = rows_L * sizes_L / np.asarray(word_pieces, np.float64)
    columns: Mapping[str, npt.NDArray[np.float64]] = {
        "natural": natural_L,
        "expected": smoothed_shares(sentences, smoothing),
        "realised": read_L / read_L.sum(),
        "rows": rows_L,
        "passes": read_L / read_L.sum() / natural_L,
    }
    return {
        "smoothing": smoothing,
        "unit": "sentences",
        "languages": {
            name: {"sentences": int(sentences[i])}
            | {key: float(values[i]) for key, values in columns.items()}
            for i, name in enumerate(languages)
        },
    }


def sample_sizes(sizes: Mapping[str, int], smoothing: float, at_most: int) -> dict[str, int]:
    """How many sentences of each language a sample in the smoothed shares has.

    It is as large as `at_most` allows, but not larger than it takes for every sentence to be in it
    once. A language that has fewer sentences than its number here gives all of them, and some or
    all of them again.
    """
    present = {name: size for name, size in sizes.items() if size}
    if not present:
        return dict.fromkeys(sizes, 0)
    shares = smoothed_shares(list(present.values()), smoothing)
    wanted = dict(zip(present, shares, strict=True))
    total = max(size / wanted[name] for name, size in present.items())
    total = min(total, at_most)
    return {name: round(total * wanted.get(name, 0.0)) for name in sizes}
