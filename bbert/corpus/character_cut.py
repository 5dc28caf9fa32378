"""Text cut into characters, by array operations on all of its characters at once.

Word-pieces are looked up word by word, because a word has few of them; of characters there are so
many that it is faster never to look for the words. The ids are those of `Segmenter` (a test
compares them on every line).

Shape suffixes: `C` code points of the text, `P` pieces, `L` lines, `S` sentences.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bbert.basic_tokenization import NUM_CODE_POINTS, encode
from bbert.corpus.piece_sets import CONTINUATION
from bbert.corpus.token_store import id_dtype
from bbert.corpus.vocabulary import UNKNOWN_ID, Vocabulary

_SPACE, _NEWLINE = 0x20, 0x0A
_INITIAL = np.uint32(NUM_CODE_POINTS)
_AT_ONCE = 1 << 15  # characters: their indices stay in a core's cache


class Sentences(NamedTuple):
    """Consecutive sentences as pieces: id of each and whether it begins a word, and of each
    sentence the number of pieces and whether a document begins there."""

    ids_P: npt.NDArray[Any]
    word_starts_P: npt.NDArray[np.uint8]
    lengths_S: npt.NDArray[np.int64]
    starts_document_S: npt.NDArray[np.bool_]
    num_words: int


class CharacterCutter:
    """Cuts final text into the characters of a vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        # The id of every code point; those that begin a word in the second half.
        self._ids = np.full(2 * NUM_CODE_POINTS, UNKNOWN_ID, id_dtype(len(vocabulary)))
        for number in range(vocabulary.num_reserved, len(vocabulary)):
            token = vocabulary.tokens[number]
            if len(token) == 1:
                self._ids[NUM_CODE_POINTS + ord(token)] = number
            else:
                self._ids[ord(token.removeprefix(CONTINUATION))] = number

    def cut(self, text: bytes, after_blank_line: bool) -> Sentences:
        """Cut whole lines of final text (UTF-8), each ended by a line break.

        Args:
            text: one sentence a line, a blank line between documents.
            after_blank_line: whether a document begins with the first line.
        """
        codes_C = encode(text.decode())
        is_blank_C = (codes_C == _SPACE) | (codes_C == _NEWLINE)
        starts_word_C = np.empty(len(codes_C), np.bool_)
        starts_word_C[:1] = True
        starts_word_C[1:] = is_blank_C[:-1]
        ids, starts = [], []
        for first in range(0, len(codes_C), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            pieces = np.flatnonzero(~is_blank_C[part])
            starts_P = starts_word_C[part].take(pieces)
            ids.append(self._ids.take(codes_C[part].take(pieces) + starts_P * _INITIAL))
            starts.append(starts_P)
        ids_P, starts_P = np.concatenate(ids), np.concatenate(starts)
        # Before the n-th blank there are as many pieces as its position says, but for n blanks.
        blanks = np.flatnonzero(is_blank_C)
        line_ends = np.flatnonzero(codes_C[blanks] == _NEWLINE)
        lengths_L = np.diff(blanks[line_ends] - line_ends, prepend=0)
        is_sentence_L = lengths_L > 0
        follows_blank_L = np.concatenate(([after_blank_line], ~is_sentence_L[:-1]))
        return Sentences(
            ids_P,
            starts_P.view(np.uint8),
            lengths_L[is_sentence_L],
            follows_blank_L[is_sentence_L],
            int(np.count_nonzero(starts_P)),
        )
