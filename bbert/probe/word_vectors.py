"""Vectors of words: in the embedding table, and in context at every layer.

A word in the table is the mean of its word-pieces' embeddings. In context an occurrence is the mean
of its word-pieces' states, and a word the mean of its occurrences within one half of the sentences.

Legend of suffixes: W words, Y layers, E hidden size, H halves (even and odd sentences), T
word-pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from bbert.languages import Language
from bbert.probe.vectors import Extractor
from bbert.progress import progress


def table_vectors(extractor: Extractor, words: Sequence[str]) -> NDArray[np.float64]:
    """Mean embeddings of the words' pieces, (W, E)."""
    get_table = extractor.encoder.get_input_embeddings
    assert callable(get_table)
    weights = get_table().weight.detach().float().cpu().numpy()
    rows = []
    for ids in extractor.pieces.cut_applied(words, words=True):
        pieces = ids if len(ids) else np.array([extractor.pieces.unk_id])
        rows.append(weights[pieces].mean(axis=0, dtype=np.float64))
    return np.array(rows)


def context_vectors(
    extractor: Extractor,
    sentences: Sequence[Sequence[str]],
    words: Sequence[str],
    language: Language,
) -> NDArray[np.float64]:
    """Mean states of the words in even and in odd sentences, (H, Y, W, E).

    A word whose occurrences all lie beyond the model's length has NaN.
    """
    numbers = {word: number for number, word in enumerate(words)}
    types = sorted({word for sentence in sentences for word in sentence})
    cut = dict(zip(types, extractor.pieces.cut_applied(types, words=True), strict=True))
    framed, places = [], []
    for sentence in sentences:
        body, found = _placed(sentence, cut, numbers, extractor.max_length - 2)
        framed.append(extractor.framed(body, language))
        places.append(found)
    size = int(extractor.probed.folder.config["hidden_size"])
    shape = (2, extractor.num_layers, len(words), size)
    sums_HYWE, counts_HW = np.zeros(shape), np.zeros((2, len(words)))
    with progress(f"{extractor.probed.title}: words of {language.name}", len(framed),
                  "sentences") as done:  # fmt: skip
        for rows, layers in extractor.states(framed):
            of_batch = [
                (row % 2, word, place, start, end)
                for place, row in enumerate(rows.tolist())
                for word, start, end in places[row]
            ]
            for half, word, *_ in of_batch:
                counts_HW[half, word] += 1
            for layer, (states_BTE, _) in enumerate(layers):
                states = states_BTE.to(torch.float64).cpu().numpy()
                for half, word, place, start, end in of_batch:
                    sums_HYWE[half, layer, word] += states[place, start:end].mean(axis=0)
            done(len(rows))
    with np.errstate(invalid="ignore"):
        return sums_HYWE / counts_HW[:, None, :, None]


def _placed(
    sentence: Sequence[str],
    cut: Mapping[str, NDArray[np.int32]],
    numbers: Mapping[str, int],
    room: int,
) -> tuple[NDArray[np.int32], list[tuple[int, int, int]]]:
    """Word-pieces of a sentence that fit, and (word, start, end) of those that are looked for."""
    parts, found, start = [np.zeros(0, np.int32)], [], 1
    for word in sentence:
        end = start + len(cut[word])
        if end - 1 > room:
            break
        if word in numbers and end > start:
            found.append((numbers[word], start, end))
        parts.append(cut[word])
        start = end
    return np.concatenate(parts), found
