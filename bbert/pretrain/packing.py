"""Which text a row shows: passages of a language, and the windows that every pass cuts from them.

A *passage* is a run of whole sentences that rows are cut from: a document; several short documents
that follow each other, joined until they fill a row; or, in a corpus of few long documents, a part
of one. Rows never cross from one passage into another, so nearly every row is full and most rows
lie within one document, as in BERT (`released` pads the end of every document instead).

A pass lays a ruler with one mark every `row_length` tokens over the passages, from an offset drawn
anew for that pass, and visits the marks in a random order. A row is the window at its mark, moved
inside its passage and, except at the passage's end, back to the beginning of the sentence it starts
in. Every pass has the same number of rows, every passage gets rows in proportion to its length, and
because the offset changes, the row borders fall elsewhere at each pass. Which row comes at which
step is arithmetic (`counter_random`): nothing is stored and nothing must be replayed. With a fixed
number of sets (`released`: five), pass n has the offset, and so the rows, of pass n modulo that
number, in another order.

Held-out text is whole passages: at least one, otherwise 1 % of the tokens (in a small corpus up to
5 %), chosen by a hash of the passage's number, the same for every seed.

Legend of suffixes: P passages, N rows.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from bbert.counter_random import below, draw, permute, stream_key
from bbert.errors import InputError

if TYPE_CHECKING:
    from bbert.corpus.token_store import TokenStore

Split = Literal["train", "validation"]

# A corpus of fewer passages than this has its long ones cut, so that 1 % can be held out.
_MIN_PASSAGES = 100
_HELD_OUT_SHARE, _MAX_HELD_OUT_SHARE = 0.01, 0.05
_MIN_HELD_OUT_ROWS = 64

# Purposes of the random numbers of one row.
_SPLIT_POINT, _MIDDLE, _SEGMENT = 1, 2, 3
_LONGEST_WORD = 32
_IDS_AT_ONCE = 1 << 24


def passage_bounds(
    sentence_offsets: NDArray[np.int64], document_offsets: NDArray[np.int64], row_length: int
) -> NDArray[np.int64]:
    """Sentence numbers at which passages begin, and the number of sentences: P+1 values.

    Args:
        sentence_offsets: tokens before each sentence, and their number.
        document_offsets: sentences before each document, and their number.
        row_length: tokens of text in a row.
    """
    documents = np.asarray(document_offsets)
    tokens = np.asarray(sentence_offsets[documents])
    following = np.searchsorted(tokens, tokens[:-1] + row_length).clip(max=len(tokens) - 1).tolist()
    chosen, document = [0], 0
    while document < len(following):
        document = following[document]
        chosen.append(document)
    if len(chosen) > 2 and tokens[chosen[-1]] - tokens[chosen[-2]] < row_length:
        del chosen[-2]  # what is left at the end is too short to stand alone
    bounds = documents[chosen]
    if len(bounds) - 1 < _MIN_PASSAGES:
        bounds = _cut_long_passages(bounds, sentence_offsets, row_length)
    return bounds


def _cut_long_passages(
    bounds: NDArray[np.int64], sentence_offsets: NDArray[np.int64], row_length: int
) -> NDArray[np.int64]:
    total = int(sentence_offsets[-1])
    wanted = max(2 * row_length, total // _MIN_PASSAGES)
    cuts = [bounds]
    for first, last in pairwise(bounds.tolist()):
        begin, end = int(sentence_offsets[first]), int(sentence_offsets[last])
        parts = max((end - begin) // wanted, 2 if len(bounds) == 2 else 1)
        ideal = begin + (end - begin) * np.arange(1, parts) // parts
        cuts.append(np.searchsorted(sentence_offsets, ideal).clip(first + 1, last - 1))
    return np.unique(np.concatenate(cuts))


def held_out(lengths_P: NDArray[np.int64], row_length: int) -> NDArray[np.bool_]:
    """Which passages are kept for validation; at least one is, and at least one is not."""
    total = int(lengths_P.sum())
    ceiling = total * _MAX_HELD_OUT_SHARE
    goal = max(total * _HELD_OUT_SHARE, min(ceiling, _MIN_HELD_OUT_ROWS * row_length))
    chosen_P = np.zeros(len(lengths_P), dtype=bool)
    key = stream_key(0, "held-out passages")  # the same for every seed: runs stay comparable
    held = 0
    for passage in np.argsort(draw(key, np.arange(len(lengths_P)))):
        if held >= goal:
            break
        if held + lengths_P[passage] <= ceiling:
            chosen_P[passage] = True
            held += int(lengths_P[passage])
    if not chosen_P.any():
        chosen_P[np.argmin(lengths_P)] = True
    return chosen_P


class TextStream:
    """The training or the validation text of one language, as windows for rows.

    Attributes:
        word_ids: number of each token's word where words are torn apart, else None.
        num_tokens: tokens of this split.
        rows_per_pass: rows that one pass over it has.
        always_full: True where every row has `row_length` tokens of text.
    """

    def __init__(
        self,
        store: TokenStore,
        language: str,
        row_length: int,
        split: Split,
        key: np.uint64,
        num_sets: int | None = None,
    ) -> None:
        """Index the passages of `store`.

        Args:
            store: the language's tokens.
            language: its name, for messages.
            row_length: tokens of text in a full row.
            split: which passages.
            key: names the order of the rows.
            num_sets: after so many passes the same rows come again; None for never.

        Raises:
            InputError: there are fewer than two sentences, so that none can be held out.
        """
        self.ids = np.asarray(store.ids)
        self.word_starts = np.asarray(store.word_starts)
        self.word_ids = None if store.word_ids is None else np.asarray(store.word_ids)
        self._sentences = np.asarray(store.sentence_offsets)
        self._documents = np.asarray(store.document_offsets)
        self._row_length = row_length
        self._key = key
        self._num_sets = num_sets
        bounds = passage_bounds(self._sentences, self._documents, row_length)
        offsets = np.asarray(self._sentences[bounds])
        lengths_P = np.diff(offsets)
        if len(lengths_P) < 2 or int((lengths_P > 0).sum()) < 2:
            raise InputError(
                f"language {language!r} has {len(self._sentences) - 1} sentences in this corpus; "
                "pretraining needs at least two (one is held out): build it from more text"
            )
        chosen_P = held_out(lengths_P, row_length) == (split == "validation")
        chosen_P &= lengths_P > 0
        self._first_sentence_P, self._last_sentence_P = bounds[:-1][chosen_P], bounds[1:][chosen_P]
        self._begins_P = offsets[:-1][chosen_P]
        self._ends_P = offsets[1:][chosen_P]
        lengths_P = lengths_P[chosen_P]
        self._before_P = np.concatenate([[0], np.cumsum(lengths_P)])
        self.num_tokens = int(self._before_P[-1])
        self.rows_per_pass = max(1, self.num_tokens // row_length)
        self.always_full = bool((lengths_P >= row_length).all())

    def word_lengths(self, num_tokens: int) -> NDArray[np.int64]:
        """Tokens of each word of the first `num_tokens` tokens; the last word may be cut."""
        if self.word_ids is None:
            return np.diff(np.flatnonzero(self.word_starts[:num_tokens]))
        return np.unique(self.word_ids[:num_tokens], return_counts=True)[1]

    def sentences(self) -> NDArray[np.int64]:
        """Numbers of this split's sentences in the store, in order."""
        pairs = zip(self._first_sentence_P, self._last_sentence_P, strict=True)
        return np.concatenate([np.arange(first, last) for first, last in pairs])

    def entries(self, vocab_size: int) -> NDArray[np.int64]:
        """The ids that occur in the language's text, held out or not, in order; reads all of it."""
        seen = np.zeros(vocab_size, dtype=bool)
        for start in range(0, len(self.ids), _IDS_AT_ONCE):
            seen[self.ids[start : start + _IDS_AT_ONCE]] = True
        return np.flatnonzero(seen)

    def instances(self, counter_N: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the rows with these running numbers show: rows of equal number are the same row."""
        epoch_N, index_N = np.divmod(counter_N, self.rows_per_pass)
        mark_N = permute(index_N, self.rows_per_pass, draw(self._key, epoch_N))
        return self._set_of(epoch_N) * self.rows_per_pass + mark_N

    def windows(self, counter_N: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First token and number of tokens of the rows with these running numbers (from 0)."""
        set_N, mark_N = np.divmod(self.instances(counter_N), self.rows_per_pass)
        set_key_N = draw(self._key, set_N)
        mark_N *= self._row_length
        mark_N += below(set_key_N, 1 << 60, self._row_length)
        lead_N = below(set_key_N, 1 << 61, self._row_length)
        begin_N, end_N, position_N = self._locate(mark_N % self.num_tokens)
        latest_N = np.maximum(begin_N, end_N - self._row_length)
        start_N = (position_N - lead_N).clip(begin_N, latest_N)
        sentence_N = self._sentence_start(start_N)
        # Not at the passage's end, whose last words would never be seen, nor in long sentences.
        back_N = (start_N < latest_N) & (start_N - sentence_N <= self._row_length // 2)
        start_N = np.where(back_N, sentence_N, start_N)
        return start_N, np.minimum(self._row_length, end_N - start_N)

    def split_points(
        self,
        start_N: NDArray[np.int64],
        length_N: NDArray[np.int64],
        key_N: NDArray[np.uint64],
        within_document: bool,
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where windows fall into two segments: at a sentence, or else in the middle.

        Args:
            within_document: never between two documents (the second segment follows the first).

        Returns:
            The tokens of the first segments, and whether the second begins a sentence.
        """
        first_N = np.searchsorted(self._sentences, start_N, side="right")
        count_N = np.searchsorted(self._sentences, start_N + length_N) - first_N
        choice_N = below(key_N, _SPLIT_POINT, np.maximum(count_N, 1))
        if within_document:  # the next sentence where a document begins at the chosen one
            begins_N = self._begins_document(first_N + choice_N)
            choice_N = (choice_N + begins_N) % np.maximum(count_N, 1)
        sentence_N = (first_N + choice_N).clip(max=len(self._sentences) - 1)
        at_sentence_N = count_N > 0
        if within_document:
            at_sentence_N &= ~self._begins_document(sentence_N)
        tokens_N = self._sentences[sentence_N] - start_N
        if not at_sentence_N.all():
            middle = ~at_sentence_N
            tokens_N[middle] = self._middle(start_N[middle], length_N[middle], key_N[middle])
        return tokens_N, at_sentence_N

    def random_segments(
        self,
        length_N: NDArray[np.int64],
        key_N: NDArray[np.uint64],
        attempt: int,
        at_sentence_N: NDArray[np.bool_],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First token and number of tokens (at most `length_N`) of random pieces of text.

        They begin as the second segments of `split_points` do, with a sentence or else a word: how
        a segment begins must not tell whether it is random.
        """
        drawn_N = below(draw(key_N, _SEGMENT), attempt, self.num_tokens)
        begin_N, end_N, position_N = self._locate(drawn_N)
        latest_N = np.maximum(begin_N, end_N - length_N)
        position_N = position_N.clip(max=latest_N)
        position_N = np.where(at_sentence_N, self._sentence_start(position_N), position_N)
        if not at_sentence_N.all():
            middle = ~at_sentence_N
            earliest_N = begin_N[middle]
            position_N[middle] = self._word_start(position_N[middle], earliest_N, latest_N[middle])
        return position_N, np.minimum(length_N, end_N - position_N)

    def sentence_end(self, position_N: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the sentence ends that each token before `position_N` is in."""
        return self._sentences[np.searchsorted(self._sentences, position_N, side="left")]

    def document_of(self, position_N: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the document that holds each token."""
        sentence_N = np.searchsorted(self._sentences, position_N, side="right") - 1
        return np.searchsorted(self._documents, sentence_N, side="right") - 1

    def _set_of(self, epoch_N: NDArray[np.int64]) -> NDArray[np.int64]:
        return epoch_N if self._num_sets is None else epoch_N % self._num_sets

    def _locate(
        self, drawn_N: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Begin and end of the passage of this split's token `drawn_N`, and its place in `ids`."""
        passage_N = np.searchsorted(self._before_P, drawn_N, side="right") - 1
        begin_N = self._begins_P[passage_N]
        return begin_N, self._ends_P[passage_N], begin_N + drawn_N - self._before_P[passage_N]

    def _sentence_start(self, position_N: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._sentences[np.searchsorted(self._sentences, position_N, side="right") - 1]

    def _begins_document(self, sentence_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        found_N = np.searchsorted(self._documents, sentence_N)
        return self._documents[found_N.clip(max=len(self._documents) - 1)] == sentence_N

    def _middle(
        self,
        start_N: NDArray[np.int64],
        length_N: NDArray[np.int64],
        key_N: NDArray[np.uint64],
    ) -> NDArray[np.int64]:
        """A place in the middle half of windows without a sentence boundary: before a word."""
        quarter_N = length_N // 4
        place_N = quarter_N + below(key_N, _MIDDLE, np.maximum(length_N - 2 * quarter_N, 1))
        place_N = place_N.clip(np.minimum(1, length_N), length_N)
        return np.minimum(place_N + self._to_word(start_N + place_N, 1), length_N)

    def _word_start(
        self,
        position_N: NDArray[np.int64],
        earliest_N: NDArray[np.int64],
        latest_N: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """The first word start from `position_N` on, or else the last one up to `latest_N`."""
        next_N = position_N + self._to_word(position_N, 1)
        last_N = np.maximum(latest_N - self._to_word(latest_N, -1), earliest_N)
        return np.where(next_N <= latest_N, next_N, last_N)

    def _to_word(self, position_N: NDArray[np.int64], direction: int) -> NDArray[np.int64]:
        """Tokens from `position_N` to the next word start that way; 0 where none is near."""
        place = position_N[:, None] + direction * np.arange(_LONGEST_WORD)
        starts_word = self.word_starts[place.clip(0, len(self.word_starts) - 1)] != 0
        return starts_word.argmax(axis=1)
