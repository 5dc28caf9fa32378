"""Batches of a corpus: rows `[CLS] A [SEP] B [SEP]`, each a pure function of (seed, step, row).

A batch is the whole global batch of one optimiser step. A process takes its rows by `slice`, or
makes only those with `rows`; either way a row has the same text, the same masks and the same key
for dropout, whatever the number of processes, and the state of the loader is the step alone.

Both segments come from one window of text (see `packing`), or with next-sentence prediction in half
of the rows from two (`segment_pairs`). With language ids a segment ends with its language's own
separator, `[CLS] A [SEP-a] B [SEP-b]`. With `full-sentences` a row is one long segment,
`[CLS] A [SEP]`.

Choices: with batches of one language the languages take turns, so that each has its share of the
batches, spread evenly. With `released` masks a language has `DUPE_FACTOR` sets of rows, each with
its own borders, masks and pairs, that come again after so many passes in another order; dropout
differs every time.

    source = BatchSource(corpus_dir, ["enfake", "it"], BatchSettings(), seed=0)
    for step in range(first_step, last_step):
        outputs = model(**source.batch(step).slice(start, stop).tensors(device))

Legend of suffixes: N rows, T positions, K slots for predictions, L languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbert.corpus.language_shares import DEFAULT_SMOOTHING, row_units
from bbert.corpus.token_store import TokenStore
from bbert.counter_random import draw, stream_key
from bbert.errors import InputError
from bbert.pretrain.batch import Batch
from bbert.pretrain.config import Batching, MaskSets, MlmRandom, NspNegatives, Packing
from bbert.pretrain.language_mix import LanguageMix
from bbert.pretrain.masking import Masking, num_slots
from bbert.pretrain.packing import Split, TextStream
from bbert.pretrain.rows import Specials, assemble
from bbert.pretrain.segment_pairs import SegmentPairs
from bbert.pretrain.unmasked_batch import UnmaskedBatch
from bbert.pretrain.vocabulary import Vocabulary

DUPE_FACTOR = 5
"""Sets of rows with `released` masks, as in the released scripts of K et al. 2020."""
MAX_VALIDATION_ROWS = 512
"""Rows of each language that a pass over the held-out text has at most."""

_SAMPLED_WORD_PIECES = 1 << 20
_POSITIONS_AT_ONCE = 1 << 16  # made together, so that numpy's overhead per call is shared
_DROPOUT = 23  # purpose of a row's random numbers; 1 to 25 are taken


@dataclass(frozen=True)
class BatchSettings:
    """What a row looks like; every field is an option of `bbert pretrain` or of the corpus."""

    batch_size: int = 32
    seq_len: int = 128
    nsp: bool = True
    nsp_negatives: NspNegatives = "any"
    lang_id: bool = False
    batching: Batching = "mixed"
    packing: Packing = "two-segments"
    short_seq_probability: float = 0.0
    masks: MaskSets = "fresh"
    mlm_probability: float = 0.15
    mlm_random: MlmRandom = "joint"
    whole_word_mask: bool = True
    smoothing: float = DEFAULT_SMOOTHING

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"--batch-size {self.batch_size} must be at least 1")
        if self.row_length < 2:
            smallest = self.seq_len - self.row_length + 2
            raise ValueError(f"--seq-len {self.seq_len} must be at least {smallest}")
        if not 0 < self.mlm_probability < 1:
            raise ValueError(f"--mlm-probability {self.mlm_probability} must lie between 0 and 1")
        if not 0 <= self.smoothing <= 1:
            raise ValueError(f"--smoothing {self.smoothing} must lie between 0 and 1")

    @property
    def row_length(self) -> int:
        """Tokens of text in a full row: without [CLS] and the separators."""
        return self.seq_len - (3 if self.packing == "two-segments" else 2)


class BatchSource:
    """The rows of a corpus, by step.

    Attributes:
        languages: their names, in the order of the language numbers.
        language_shares: share of the training rows that each language gets.
        masking: how rows are masked.
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
        held_out = split == "validation"
        purpose, seed = ("validation", 0) if held_out else ("training", seed)
        self._key = stream_key(seed, f"{purpose} rows")
        self._num_sets = DUPE_FACTOR if settings.masks == "released" and not held_out else None
        self._set_keys = [
            stream_key(seed, f"{purpose} sets", number) for number in range(len(languages))
        ]
        short = 0.0 if held_out else settings.short_seq_probability
        stores = [TokenStore.open(corpus_dir, name) for name in languages]
        self._streams = [
            TextStream(
                stores[number],
                name,
                settings.row_length,
                split,
                stream_key(seed, f"{purpose} order", number),
                self._num_sets,
            )
            for number, name in enumerate(languages)
        ]
        self.rows_per_pass = [stream.rows_per_pass for stream in self._streams]
        self._always_full = not short and all(stream.always_full for stream in self._streams)
        self._mix = LanguageMix(
            row_units(
                [len(store) for store in stores],
                [len(store.ids) for store in stores],
                settings.smoothing,
            )
        )
        self.language_shares = self._mix.shares
        self._pairs = SegmentPairs(
            self._streams,
            self.language_shares,
            settings.row_length,
            settings.nsp,
            settings.nsp_negatives,
            settings.packing,
            short,
        )
        self.masking = self._plan_masking()
        self.num_slots = self.masking.num_slots
        self._block: tuple[int, Batch] | None = None
        self._unmasked_block: tuple[int, UnmaskedBatch] | None = None
        self._held_out_rows = [min(rows, MAX_VALIDATION_ROWS) for rows in self.rows_per_pass]
        self.num_batches: int | None = None
        if held_out:
            total = max(self._held_out_rows) * len(languages)
            self.num_batches = -(-total // settings.batch_size)

    def batch(self, step: int) -> Batch:
        """The whole global batch of `step`, counted from 0."""
        block, rows, place = self._block_of(step)
        if self._block is None or self._block[0] != block:
            self._block = block, self.rows(rows)
        return self._block[1].slice(*place).recounted()

    def unmasked(self, step: int) -> UnmaskedBatch:
        """The same batch before it is masked, for a device that does it itself."""
        block, rows, place = self._block_of(step)
        if self._unmasked_block is None or self._unmasked_block[0] != block:
            self._unmasked_block = block, self._unmasked_rows(rows)
        return self._unmasked_block[1].slice(*place)

    def _block_of(self, step: int) -> tuple[int, NDArray[np.int64], tuple[int, int]]:
        """Steps are made several at once: number and rows of a block, where the step is in it."""
        size = self.settings.batch_size
        assert step >= 0
        assert self.num_batches is None or step < self.num_batches
        steps_at_once = max(1, _POSITIONS_AT_ONCE // (size * self.settings.seq_len))
        block, place = divmod(step, steps_at_once)
        first, count = block * steps_at_once * size, steps_at_once * size
        return block, np.arange(first, first + count), (place * size, (place + 1) * size)

    def rows(self, row_N: NDArray[np.int64]) -> Batch:
        """Any rows by number, step · batch_size + place, as one batch."""
        return self._unmasked_rows(row_N).masked(self.masking)

    def _unmasked_rows(self, row_N: NDArray[np.int64]) -> UnmaskedBatch:
        language_N, counter_N = self._deal(row_N)
        row_key_N = draw(self._key, row_N)
        key_N = row_key_N if self._num_sets is None else self._instance_keys(language_N, counter_N)
        first, second, random_N = self._pairs.cut(language_N, counter_N, key_N)
        rows = assemble(first, second, self._streams, self._specials, self.settings.seq_len)
        surplus_N = None
        if self.split == "validation":  # what fills up the last batch counts for nothing
            surplus_N = counter_N >= np.asarray(self._held_out_rows)[language_N]
        return UnmaskedBatch(
            input_ids_BT=rows.input_ids_NT,
            segment_ids_BT=rows.segment_ids_NT,
            attention_mask_BT=None if self._always_full else rows.attention_mask_NT,
            text_BT=rows.text_NT,
            words_BT=rows.words_NT,
            languages_BT=rows.languages_NT,
            mask_keys_B=key_N,
            next_sentence_labels_B=None if random_N is None else random_N.astype(np.int64),
            language_ids_B=language_N,
            row_keys_B=draw(row_key_N, _DROPOUT).view(np.int64),
            surplus_B=surplus_N,
        )

    def held_out_sentences(self, language: str) -> NDArray[np.int64]:
        """Numbers of the held-out sentences of a language in its store, in order."""
        assert self.split == "validation"
        return self._streams[self.languages.index(language)].sentences()

    def _deal(self, row_N: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Language of each row, and its running number among the rows of its language."""
        if self.split == "validation":  # every language is measured on as many rows
            counter_N, language_N = np.divmod(row_N, len(self.languages))
            return language_N, counter_N
        if self.settings.batching == "mixed":
            return self._mix.deal(row_N)
        step_N, place_N = np.divmod(row_N, self.settings.batch_size)
        language_N, steps_before_N = self._mix.deal(step_N)
        return language_N, steps_before_N * self.settings.batch_size + place_N

    def _instance_keys(
        self, language_N: NDArray[np.int64], counter_N: NDArray[np.int64]
    ) -> NDArray[np.uint64]:
        """Random keys that depend on what a row shows, not on when it comes."""
        key_N = np.empty(len(language_N), dtype=np.uint64)
        for number, stream in enumerate(self._streams):
            here = np.flatnonzero(language_N == number)
            key_N[here] = draw(self._set_keys[number], stream.instances(counter_N[here]))
        return key_N

    def _plan_masking(self) -> Masking:
        settings = self.settings
        sampled = [np.zeros(0, dtype=np.int64)]
        if settings.whole_word_mask:
            sampled = [stream.word_lengths(_SAMPLED_WORD_PIECES) for stream in self._streams]
        return Masking(
            probability=settings.mlm_probability,
            whole_words=settings.whole_word_mask,
            num_slots=max(
                num_slots(settings.mlm_probability, settings.row_length, word_lengths)
                for word_lengths in sampled
            ),
            mask_id=self._vocabulary.mask,
            replacement_ids_L=self._replacement_ids(),
        )

    def _replacement_ids(self) -> list[NDArray[np.int64]]:
        """What may stand in place of a prediction at random, for each language."""
        vocabulary = self._vocabulary
        if self.settings.mlm_random == "none":
            return []
        if self.settings.mlm_random == "joint":
            return [vocabulary.ordinary_ids] * len(self.languages)
        own = [
            np.intersect1d(stream.entries(vocabulary.size), vocabulary.ordinary_ids)
            for stream in self._streams
        ]
        for name, ids in zip(self.languages, own, strict=True):
            if not len(ids):
                raise InputError(
                    f"--mlm-random same-language: the text of {name!r} is nothing but [UNK]; "
                    "build the corpus with a vocabulary for it"
                )
        return own
