"""Cutting words into pieces: `greedy`, `unigram`, `char` or `word`.

Word-pieces: `greedy` is WordPiece's longest match first, as the released code of K et al. 2020
does; a word that it cannot finish, or of more than 100 characters, is [UNK] as a whole. `unigram`
is the likeliest cut under the pieces' log-probabilities, as SentencePiece does; only the characters
that the vocabulary lacks are [UNK].

`char` makes every character a piece, and each that the vocabulary lacks one [UNK], however long the
word is; `word` makes a whole word a piece, or [UNK].

All are the models of the `tokenizers` library, the very ones that the saved tokenizer holds, so
that the two cannot differ. For `unigram` a piece that begins a word is spelled with a space before
it: no word contains a space, so that no character of a text is taken for the mark (as would be
SentencePiece's `▁`), and decoding is joining.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from tokenizers import models

from bbert.corpus.unigram_pieces import CONTINUATION, MAX_WORD_CHARACTERS
from bbert.corpus.vocabulary import UNKNOWN_ID, Vocabulary

Tokenization = Literal["wordpiece", "char", "word"]
Segmentation = Literal["greedy", "unigram", "char", "word"]
"""How words are cut: word-pieces in one of two ways, characters, or not at all."""

WORD_START = " "


def segmentation_model(vocabulary: Vocabulary, segmentation: Segmentation) -> models.Model:
    """The model that cuts one word."""
    unknown = vocabulary.tokens[UNKNOWN_ID]
    if segmentation == "word":
        return models.WordLevel(vocabulary.ids, unk_token=unknown)
    if segmentation == "char":  # byte-pair encoding that has learned no merge
        return models.BPE(
            vocabulary.ids,
            [],
            unk_token=unknown,
            continuing_subword_prefix=CONTINUATION,
            fuse_unk=False,
        )
    if segmentation == "greedy":
        return models.WordPiece(
            vocabulary.ids,
            unk_token=unknown,
            continuing_subword_prefix=CONTINUATION,
            max_input_chars_per_word=MAX_WORD_CHARACTERS,
        )
    return models.Unigram(unigram_entries(vocabulary), UNKNOWN_ID, byte_fallback=False)


def unigram_entries(vocabulary: Vocabulary) -> list[tuple[str, float]]:
    """Spelling and log-probability of every entry, as the unigram model takes them.

    The model gives an unknown character ten less than the lowest log-probability, which is that of
    the reserved entries: a word is never cut through [UNK] where its characters are covered.
    """
    first_piece = vocabulary.num_reserved
    spelled = list(vocabulary.tokens[:first_piece])
    for token in vocabulary.tokens[first_piece:]:
        is_continuation = token.startswith(CONTINUATION)
        spelled.append(token[len(CONTINUATION) :] if is_continuation else WORD_START + token)
    return list(zip(spelled, vocabulary.scores, strict=True))


class Segmenter:
    """Cuts words into ids."""

    def __init__(self, vocabulary: Vocabulary, segmentation: Segmentation) -> None:
        self._model = segmentation_model(vocabulary, segmentation)
        self._prefix = WORD_START if segmentation == "unigram" else ""

    def cut(self, words: Iterable[str]) -> list[list[int]]:
        """Ids of each word's pieces; at least one for each."""
        tokenize, prefix = self._model.tokenize, self._prefix
        return [[token.id for token in tokenize(prefix + word)] for word in words]
