"""Batches of a corpus: rows `[CLS] A [SEP] B [SEP]`, each a pure function of (seed, step, row).

A batch is the whole global batch of one optimiser step. A process takes its rows by `slice`, or
makes only those with `rows`; either way a row has the same text, the same masks and the same key
for dropout, whatever the number of processes, and the state of the loader is the step alone.

Both segments come from one window of text (see `packing`). With next-sentence prediction, half of
the rows get a random second segment instead: from another document of any language of the mix
(`any`, as released) or of the row's own (`same-language`); where a language has but one document,
from anywhere in it. Rows without next-sentence prediction keep the two segments, with contiguous
text.

With language ids a segment ends with its language's own separator, `[CLS] A [SEP-a] B [SEP-b]`.

    source = BatchSource(corpus_dir, ["enfake", "it"], BatchSettings(), seed=0)
    for step in range(first_step, last_step):
        outputs = model(**source.batch(step).slice(start, stop).tensors(device))

Legend of suffixes: N rows, T positions, K slots for predictions, L languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bbert.corpus.language_shares import row_units
from bbert.corpus.token_store import TokenStore
from bbert.counter_random import draw, stream_key, uniform
from bbert.pretrain.batch import Batch
from bbert.pretrain.language_mix import LanguageMix
from bbert.pretrain.masking import IGNORED, Masking, mask_rows, num_slots
from bbert.pretrain.packing import Split, TextStream
from bbert.pretrain.rows import Segments, Specials, assemble
from bbert.pretrain.vocabulary import Vocabulary

NUM_SPECIALS = 3
"""Special tokens of a row: [CLS] and two separators."""
MAX_VALIDATION_ROWS = 512
"""Rows of each language that a pass over the held-out text has at most."""

_SAMPLED_WORD_PIECES = 1 << 20
_POSITIONS_AT_ONCE = 1 << 16  # made together, so that numpy's overhead per call is shared
_ATTEMPTS = 4
# Purposes of the random numbers of one row; `packing` and `masking` have 1 to 20.
_NSP, _NSP_LANGUAGE, _DROPOUT = 21, 22, 23


@dataclass(frozen=True)
class BatchSettings:
    """What a row looks like; every field is an option of `bbert pretrain` or of the corpus."""

    batch_size: int = 32
    seq_len: int = 128
    nsp: bool = True
    nsp_negatives: Literal["any", "same-language"] = "any"
    lang_id: bool = False
    mlm_probability: float = 0.15
    whole_word_mask: bool = True
    smoothing: float = 0.7

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"--batch-size {self.batch_size} must be at least 1")
        if self.seq_len < NUM_SPECIALS + 2:
            raise ValueError(f"--seq-len {self.seq_len} must be at least {NUM_SPECIALS + 2}")
        if not 0 < self.mlm_probability < 1:
            raise ValueError(f"--mlm-probability {self.mlm_probability} must lie between 0 and 1")
        if not 0 <= self.smoothing <= 1:
            raise ValueError(f"--smoothing {self.smoothing} must lie between 0 and 1")


class BatchSource:
    """The rows of a corpus, by step.

    Attributes:
        languages: their names, in the order of the language numbers.
        language_shares: share of the training rows that each language gets.
        num_slots: predictions that a row has room for (the K of `Batch`).
        rows_per_pass: of each language, rows in which its text is seen once.
        num_batches: batches of one pass over the held-out text; None for training, without end.
    """

    def __init__(
        self,
        corpus_dir: Path,
        languages: Sequence[str],
        settings: BatchSettings,
        seed: int,
        split: Split = "train",
    ) -> None:
        """Open the token stores of a corpus; nothing of the text is read yet.

        Args:
            corpus_dir: folder of a corpus run.
            languages: which of its languages, in the order of their numbers; with language ids,
                the order of the corpus, because the n-th language owns `[unused<n>]`.
            settings: what a row looks like.
            seed: of order, masks and pairs. Held-out rows and their masks do not depend on it.
            split: the text to train on, or the text held out.

        Raises:
            InputError: the corpus lacks a language, or a language lacks text.
        """
        self.settings = settings
        self.split = split
        self.languages = list(languages)
        vocabulary = Vocabulary.open(corpus_dir / "tokenizer")
        self.language_separators = (
            {name: vocabulary.unused(i) for i, name in enumerate(languages)}
            if settings.lang_id
            else {}
        )
        separators = [
            self.language_separators.get(name, vocabulary.separator) for name in languages
        ]
        self._specials = Specials(
            vocabulary.padding, vocabulary.classifier, np.array(separators, dtype=np.int64)
        )
        self._vocabulary = vocabulary
        self._row_length = settings.seq_len - NUM_SPECIALS
        held_out = split == "validation"
        purpose, seed = ("validation", 0) if held_out else ("training", seed)
        self._key = stream_key(seed, f"{purpose} rows")
        stores = [TokenStore.open(corpus_dir, name) for name in languages]
        self._streams = [
            TextStream(
                stores[number],
                name,
                self._row_length,
                split,
                stream_key(seed, f"{purpose} order", number),
            )
            for number, name in enumerate(languages)
        ]
        self.rows_per_pass = [stream.rows_per_pass for stream in self._streams]
        self._always_full = all(stream.always_full for stream in self._streams)
        self._mix = LanguageMix(
            row_units(
                [len(store) for store in stores],
                [len(store.ids) for store in stores],
                settings.smoothing,
            )
        )
        self.language_shares = self._mix.shares
        self._masking = self._plan_masking()
        self.num_slots = self._masking.num_slots
        self._block: tuple[int, Batch] | None = None
        self._held_out_rows = [min(rows, MAX_VALIDATION_ROWS) for rows in self.rows_per_pass]
        self.num_batches: int | None = None
        if held_out:
            total = max(self._held_out_rows) * len(languages)
            self.num_batches = -(-total // settings.batch_size)

    def batch(self, step: int) -> Batch:
        """The whole global batch of `step`, counted from 0."""
        size = self.settings.batch_size
        assert step >= 0
        assert self.num_batches is None or step < self.num_batches
        steps_at_once = max(1, _POSITIONS_AT_ONCE // (size * self.settings.seq_len))
        block, place = divmod(step, steps_at_once)
        if self._block is None or self._block[0] != block:
            first, count = block * steps_at_once * size, steps_at_once * size
            self._block = block, self.rows(np.arange(first, first + count))
        return self._block[1].slice(place * size, (place + 1) * size).recounted()

    def rows(self, row_N: NDArray[np.int64]) -> Batch:
        """Any rows by number, step · batch_size + place, as one batch."""
        if self.split == "validation":  # every language is measured on as many rows
            counter_N, language_N = np.divmod(row_N, len(self.languages))
        else:
            language_N, counter_N = self._mix.deal(row_N)
        key_N = draw(self._key, row_N)
        first, second, at_sentence_N = self._cut(language_N, counter_N, key_N)
        labels_N = None
        if self.settings.nsp:
            random_N = uniform(key_N, _NSP) < 0.5
            labels_N = random_N.astype(np.int64)
            second = self._with_random(first, second, random_N, key_N, at_sentence_N)
        rows = assemble(first, second, self._streams, self._specials, self.settings.seq_len)
        positions_NK, masked_labels_NK = mask_rows(
            rows.input_ids_NT, rows.text_NT, rows.words_NT, key_N, self._masking
        )
        if self.split == "validation":  # what fills up the last batch counts for nothing
            surplus_N = counter_N >= np.asarray(self._held_out_rows)[language_N]
            masked_labels_NK[surplus_N] = IGNORED
            if labels_N is not None:
                labels_N[surplus_N] = IGNORED
        return Batch(
            input_ids_BT=rows.input_ids_NT,
            segment_ids_BT=rows.segment_ids_NT,
            attention_mask_BT=None if self._always_full else rows.attention_mask_NT,
            masked_positions_BK=positions_NK,
            masked_labels_BK=masked_labels_NK,
            masked_languages_BK=np.take_along_axis(rows.languages_NT, positions_NK, axis=1),
            next_sentence_labels_B=labels_N,
            language_ids_B=language_N,
            row_keys_B=draw(key_N, _DROPOUT).view(np.int64),
        ).recounted()

    def _cut(
        self,
        language_N: NDArray[np.int64],
        counter_N: NDArray[np.int64],
        key_N: NDArray[np.uint64],
    ) -> tuple[Segments, Segments, NDArray[np.bool_]]:
        """Both segments of contiguous rows, and whether the second begins a sentence."""
        start_N, length_N, first_N = (np.empty_like(counter_N) for _ in range(3))
        at_sentence_N = np.empty(len(counter_N), dtype=bool)
        for number, stream in enumerate(self._streams):
            here = np.flatnonzero(language_N == number)
            start_N[here], length_N[here] = stream.windows(counter_N[here])
            first_N[here], at_sentence_N[here] = stream.split_points(
                start_N[here], length_N[here], key_N[here], within_document=self.settings.nsp
            )
        first = Segments(language_N, start_N, first_N)
        return first, Segments(language_N, start_N + first_N, length_N - first_N), at_sentence_N

    def _with_random(
        self,
        first: Segments,
        second: Segments,
        random_N: NDArray[np.bool_],
        key_N: NDArray[np.uint64],
        at_sentence_N: NDArray[np.bool_],
    ) -> Segments:
        """Second segments, in the `random_N` rows of another document and filling up the row."""
        language_N = first.language_N.copy()
        if self.settings.nsp_negatives == "any":
            drawn_N = uniform(key_N, _NSP_LANGUAGE)
            drawn_N = np.searchsorted(np.cumsum(self.language_shares)[:-1], drawn_N, side="right")
            language_N[random_N] = drawn_N[random_N]
        start_N, length_N = second.start_N.copy(), second.length_N.copy()
        room_N = self._row_length - first.length_N
        for number, stream in enumerate(self._streams):
            here = np.flatnonzero(random_N & (language_N == number))
            for attempt in range(_ATTEMPTS):
                start_N[here], length_N[here] = stream.random_segments(
                    room_N[here], key_N[here], attempt, at_sentence_N[here]
                )
                # Once more where both segments are of one document.
                here = here[first.language_N[here] == number]
                own = stream.document_of(second.start_N[here] - 1)
                here = here[own == stream.document_of(start_N[here])]
                if not len(here):
                    break
        return Segments(language_N, start_N, length_N)

    def _plan_masking(self) -> Masking:
        settings = self.settings
        sampled = [np.zeros(0, dtype=np.int64)]
        if settings.whole_word_mask:
            sampled = [stream.word_lengths(_SAMPLED_WORD_PIECES) for stream in self._streams]
        return Masking(
            probability=settings.mlm_probability,
            whole_words=settings.whole_word_mask,
            num_slots=max(
                num_slots(settings.mlm_probability, self._row_length, word_lengths)
                for word_lengths in sampled
            ),
            mask_id=self._vocabulary.mask,
            replacement_ids=self._vocabulary.ordinary_ids,
        )
