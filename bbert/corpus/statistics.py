"""What a corpus looks like inside: lengths, frequencies, examples; `statistics.json` of a run.

Measured once, at the end of a build, so that `bbert corpus inspect` and a report only read. Memory
does not grow with the corpus: lengths are counted, never kept, and words are counted in about
`COUNTED_BYTES` of the text at most, in every k-th block of it.

    languages.<l>.words_per_sentence         num, mean, shortest, quantiles, longest, edges, counts
    languages.<l>.word_pieces_per_sentence   the same without edges and counts
    languages.<l>.sentences_per_document     as words_per_sentence
    languages.<l>.words                      counted, types, once, ranks, most_frequent,
                                             every_block: k
    languages.<l>.word_pieces                the same of the vocabulary's entries, all of them
    languages.<l>.examples                   see `example_sentences`
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bbert.corpus.token_store import TokenStore
from bbert.corpus.word_blocks import line_blocks, take_apart
from bbert.fake import fake_to_plain

STATISTICS = "statistics.json"
QUANTILES = (0.25, 0.5, 0.75, 0.95, 0.99)
COUNTED_BYTES = 30e6
MOST_FREQUENT = 20

_SENTENCE_EDGES = tuple(range(1, 102, 2))
_DOCUMENT_EDGES = tuple(
    sorted({1, 2, 3, 4, *(m << e for e in range(1, 20) for m in (2, 3))})
)  # 1 2 3 4 6 8 12 16 …: each about 1.4 times the one before
_LONGEST = 1 << 20
"""Longer sentences and documents are counted as this long."""
_CHUNK_SENTENCES = 1 << 16
_CHUNK_PIECES = 1 << 20
_RANKS_PER_DECADE = 12


def language_statistics(
    corpus: Path, language: str, text_file: Path, text_bytes: int, tokens: Sequence[str]
) -> dict[str, Any]:
    """Lengths and frequencies of one language.

    Args:
        corpus: its folder.
        language: name.
        text_file: its final text.
        text_bytes: how much that is, uncompressed.
        tokens: the vocabulary in id order.
    """
    store = TokenStore.open(corpus, language)
    in_words, in_pieces = _sentence_lengths(store)
    return {
        "words_per_sentence": in_words.summary(_SENTENCE_EDGES),
        "word_pieces_per_sentence": in_pieces.summary(),
        "sentences_per_document": _document_lengths(store).summary(_DOCUMENT_EDGES),
        "words": _word_frequencies(text_file, text_bytes),
        "word_pieces": _piece_frequencies(store, tokens),
    }


def corpus_statistics(corpus: Path, certificate: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics of a finished corpus, by language; for one whose run has none."""
    from bbert.corpus.vocabulary import SPECIAL_TOKENS

    size = int(certificate["vocabulary"]["entries"])
    tokens = [f"entry {i}" for i in range(size)]
    tokens[: len(SPECIAL_TOKENS)] = SPECIAL_TOKENS
    result = {}
    for name, entry in certificate["languages"].items():
        steps = {step["step"]: step for step in entry["steps"]}
        text_file = corpus / "text" / f"{name}.txt.zst"
        result[name] = language_statistics(corpus, name, text_file, steps["text"]["bytes"], tokens)
    return result


class Lengths:
    """How many things have which length; memory is that of the longest one."""

    def __init__(self) -> None:
        self._counts: npt.NDArray[np.int64] = np.zeros(1, np.int64)
        self._sum = self._longest = 0

    def add(self, lengths: npt.NDArray[np.int64]) -> None:
        """Count some lengths from 0 on."""
        if not len(lengths):
            return
        self._sum += int(lengths.sum())
        self._longest = max(self._longest, int(lengths.max()))
        counts = np.bincount(np.minimum(lengths, _LONGEST), minlength=len(self._counts))
        counts[: len(self._counts)] += self._counts
        self._counts = counts

    def summary(self, edges: Sequence[int] | None = None) -> dict[str, Any]:
        """Number, mean, extremes and quantiles; with `edges` (bin i from edge i to below edge i+1,
        the last one open) the counts of those bins. Quantiles are lengths that occur."""
        number = int(self._counts.sum())
        up_to = np.cumsum(self._counts)
        places = [int(q * (number - 1)) for q in QUANTILES]
        found = np.searchsorted(up_to, places, side="right").tolist() if number else []
        result: dict[str, Any] = {
            "num": number,
            "mean": self._sum / number if number else None,
            "shortest": int(np.argmax(self._counts > 0)) if number else None,
            "quantiles": {f"{q:g}": length for q, length in zip(QUANTILES, found, strict=False)},
            "longest": self._longest if number else None,
        }
        if edges is not None:
            below = np.concatenate(([0], up_to))  # lengths below i
            at_edges = below[np.minimum(edges, len(below) - 1)]
            result["edges"] = list(edges)
            result["counts"] = np.diff(at_edges, append=number).tolist()
        return result


def _sentence_lengths(store: TokenStore) -> tuple[Lengths, Lengths]:
    """Of all sentences in words, and in word-pieces."""
    in_words, in_pieces = Lengths(), Lengths()
    for first in range(0, len(store), _CHUNK_SENTENCES):
        offsets = store.sentence_offsets[first : first + _CHUNK_SENTENCES + 1]
        lengths_S = np.diff(offsets)
        assert lengths_S.min() > 0
        starts_P = store.word_starts[offsets[0] : offsets[-1]]
        in_pieces.add(lengths_S)
        in_words.add(np.add.reduceat(starts_P, offsets[:-1] - offsets[0], dtype=np.int64))
        store.release()
    return in_words, in_pieces


def _document_lengths(store: TokenStore) -> Lengths:
    lengths = Lengths()
    for first in range(0, store.num_documents, _CHUNK_SENTENCES):
        lengths.add(np.diff(store.document_offsets[first : first + _CHUNK_SENTENCES + 1]))
        store.release()
    return lengths


def _word_frequencies(text_file: Path, text_bytes: int) -> dict[str, Any]:
    every = max(1, -(-text_bytes // int(COUNTED_BYTES)))
    counts: Counter[bytes] = Counter()
    for text in itertools.islice(line_blocks(text_file), 0, None, every):
        block, _ = take_apart(text, True)
        numbers = np.bincount(block.words_W, minlength=len(block.types)).tolist()
        for word, number in zip(block.types, numbers, strict=True):
            if number:
                counts[word] += number
    numbers = np.fromiter(counts.values(), np.int64, len(counts))
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_FREQUENT]
    shown = [_readable(word.decode("utf-8", "replace"), number) for word, number in top]
    return {**_ranked(numbers), "every_block": every, "most_frequent": shown}


def _piece_frequencies(store: TokenStore, tokens: Sequence[str]) -> dict[str, Any]:
    counts = np.zeros(len(tokens), np.int64)
    for start in range(0, len(store.ids), _CHUNK_PIECES):
        counts += np.bincount(store.ids[start : start + _CHUNK_PIECES], minlength=len(tokens))
        store.release()
    top = np.argsort(-counts, kind="stable")[:MOST_FREQUENT]
    shown = [_readable(tokens[int(i)], int(counts[i])) for i in top if counts[i]]
    return {**_ranked(counts[counts > 0]), "most_frequent": shown}


def _readable(word: str, number: int) -> dict[str, Any]:
    """A word with its count, and the letters that it comes from where it is a fake one."""
    return {"word": word, "count": number, "unshifted": fake_to_plain(word)}


def _ranked(numbers: npt.NDArray[np.int64]) -> dict[str, Any]:
    """How much was counted, and how often the types at some ranks occur, the first rank being 1."""
    ordered = -np.sort(-numbers)
    last = len(ordered)
    steps = range(int(_RANKS_PER_DECADE * np.log10(max(last, 1))) + 1)
    ranks = sorted({round(10 ** (step / _RANKS_PER_DECADE)) for step in steps} | {last})
    return {
        "counted": int(numbers.sum()),
        "types": last,
        "once": int(np.count_nonzero(numbers == 1)),
        "ranks": [[rank, int(ordered[rank - 1])] for rank in ranks if 1 <= rank <= last],
    }
