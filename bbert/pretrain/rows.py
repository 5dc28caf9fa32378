"""Rows from segments: `[CLS] A [SEP] B [SEP]` or `[CLS] A [SEP]`, gathered in one go.

Legend of suffixes: N rows, T positions, L languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbert.pretrain.packing import TextStream


@dataclass(frozen=True)
class Segments:
    """One segment of each row: number of its language, first token, number of tokens."""

    language_N: NDArray[np.int64]
    start_N: NDArray[np.int64]
    length_N: NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Rows before masking.

    Attributes:
        input_ids_NT: int64.
        segment_ids_NT: int64, 1 for the second segment and its separator, else 0.
        attention_mask_NT: False on padding.
        text_NT: True on word-pieces: neither specials nor padding.
        words_NT: int64; positions of one word, and only those, share a number within their row.
        languages_NT: number of the language of each position with text.
    """

    input_ids_NT: NDArray[np.int64]
    segment_ids_NT: NDArray[np.int64]
    attention_mask_NT: NDArray[np.bool_]
    text_NT: NDArray[np.bool_]
    words_NT: NDArray[np.int64]
    languages_NT: NDArray[np.int64]


@dataclass(frozen=True)
class Specials:
    """Ids of the special tokens; every language has a separator, mostly the same one."""

    padding: int
    classifier: int
    separators_L: NDArray[np.int64]


def assemble(
    first: Segments,
    second: Segments,
    streams: Sequence[TextStream],
    specials: Specials,
    seq_len: int,
) -> Rows:
    """Rows of `seq_len` positions from their two segments.

    Args:
        first: segments A.
        second: segments B; with A and three specials they fit into a row. A length of -1 means
            that there is none, and no separator for it either.
        streams: text of each language.
    """
    position_T = np.arange(seq_len)
    first_end_N1 = first.length_N[:, None] + 1
    second_end_N1 = first_end_N1 + 1 + second.length_N[:, None]
    in_first_NT = (position_T >= 1) & (position_T < first_end_N1)
    in_second_NT = (position_T > first_end_N1) & (position_T < second_end_N1)
    text_NT = in_first_NT | in_second_NT
    token_NT = position_T + np.where(
        in_first_NT, first.start_N[:, None] - 1, second.start_N[:, None] - first_end_N1 - 1
    )
    languages_NT = np.where(
        position_T <= first_end_N1, first.language_N[:, None], second.language_N[:, None]
    )
    input_ids_NT = np.full(token_NT.shape, specials.padding)
    word_starts_NT = np.zeros(token_NT.shape, dtype=bool)
    for number, stream in enumerate(streams):
        here_NT = text_NT & (languages_NT == number)
        tokens = token_NT[here_NT]
        input_ids_NT[here_NT] = stream.ids[tokens]
        word_starts_NT[here_NT] = stream.word_starts[tokens]
    row_N1 = np.arange(len(token_NT))[:, None]
    input_ids_NT[:, 0] = specials.classifier
    input_ids_NT[row_N1, first_end_N1] = specials.separators_L[first.language_N][:, None]
    input_ids_NT[row_N1, second_end_N1] = specials.separators_L[second.language_N][:, None]
    word_starts_NT[:, 1] = True  # what is left of a word that a border cuts is a word
    word_starts_NT[row_N1, (first_end_N1 + 1).clip(max=seq_len - 1)] = True
    words_NT = np.cumsum(word_starts_NT, axis=1, dtype=np.int64)
    for number, stream in enumerate(streams):
        if stream.word_ids is None:
            continue
        # The pieces of a word need not stand together: its own number says which they are. A word
        # that the two segments share in part counts once in each, as words across a border do.
        here_NT = text_NT & (languages_NT == number)
        words_NT[here_NT] = stream.word_ids[token_NT[here_NT]]
        words_NT[here_NT] += (1 + in_second_NT[here_NT].astype(np.int64)) << 32
    in_second_or_end_NT = (position_T > first_end_N1) & (position_T <= second_end_N1)
    return Rows(
        input_ids_NT=input_ids_NT,
        segment_ids_NT=in_second_or_end_NT.astype(np.int64),
        attention_mask_NT=position_T <= second_end_N1,
        text_NT=text_NT,
        words_NT=words_NT,
        languages_NT=languages_NT,
    )
