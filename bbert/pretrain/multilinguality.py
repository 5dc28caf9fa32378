"""Live multilinguality: translation between the languages of a model under training, per layer.

Two measures of every pair of languages for which there is parallel text (`parallel_text`), both by
nearest neighbour with a held-out mean offset (`nearest_neighbours`), layer 0 being the embeddings:

* sentences: a sentence is the mean of its word-pieces, [CLS] and separator left out;
* words, where the text is exact: a word type is the mean of its occurrences, an occurrence the mean
  of its word-pieces. One language's vectors come from the even sentences, the other's from the odd
  ones, so that what two occurrences share is the word and not the sentence around it.

A model with random weights is above chance: the length of a sentence and the usual place of a word
show in the positions. The measurement before the first step is the floor of the later ones. Nothing
here draws random numbers or trains, so that a run has the same losses with and without it.

Legend of suffixes: B rows, T positions, E hidden size, Y layers, S sentences of all languages,
W word vectors, M positions that belong to a word type.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bbert.pretrain.curve_keys import SENTENCES, WORDS, chance_key, layer_key
from bbert.pretrain.nearest_neighbours import translation_accuracy
from bbert.pretrain.parallel_choice import chosen_sentences, chosen_words, is_reversed, words_of
from bbert.pretrain.parallel_text import ParallelText
from bbert.pretrain.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch

    from bbert.pretrain.engine import Engine
    from bbert.pretrain.process_group import ProcessGroup

logger = logging.getLogger(__name__)

_MIN_SENTENCES = 20
_POSITIONS_AT_ONCE = 4096


@dataclass(frozen=True)
class Comparison:
    """Rows of the table of vectors that are translations of each other, in the same order."""

    measure: str
    languages: tuple[str, str]
    from_rows: NDArray[np.int64]
    to_rows: NDArray[np.int64]


@dataclass
class _Cut:
    """A sentence as the model reads it: ids with specials, and word vectors by position (-1)."""

    ids: list[int]
    word_rows: list[int]
    weights: list[float]


@dataclass
class Multilinguality:
    """The sentences of a run's curves, cut into word-pieces, and what is compared with what."""

    padding: int
    comparisons: list[Comparison] = field(default_factory=list)
    _sentences: list[_Cut] = field(default_factory=list)
    _num_word_rows: int = 0

    @classmethod
    def prepare(
        cls,
        texts: Sequence[ParallelText],
        tokenizer_dir: Path,
        separators: Mapping[str, int],
        seq_len: int,
    ) -> Multilinguality:
        """Choose sentences that fit into a row and word types that occur often enough.

        Args:
            tokenizer_dir: the corpus's tokenizer.
            separators: each language's own separator; [SEP] ends the text of the others.
            seq_len: positions of a row.
        """
        from tokenizers import Tokenizer

        vocabulary = Vocabulary.open(tokenizer_dir)
        tokenizer = Tokenizer.from_file(str(tokenizer_dir / "tokenizer.json"))
        made = cls(vocabulary.padding)
        for text in texts:
            cut = {
                name: tokenizer.encode_batch(
                    [sentence.split(" ") for sentence in sentences],
                    is_pretokenized=True,
                    add_special_tokens=False,
                )
                for name, sentences in text.sentences.items()
            }
            chosen = chosen_sentences(text, cut, seq_len - 2)
            if len(chosen) < _MIN_SENTENCES:
                logger.info(
                    "no multilinguality curves for %s: %s sentences of parallel text that fit "
                    "into a row, %s needed",
                    ", ".join(map("-".join, text.pairs)), len(chosen), _MIN_SENTENCES,
                )  # fmt: skip
                continue
            ends = {name: separators.get(name, vocabulary.separator) for name in cut}
            made._add(text, cut, chosen, vocabulary.classifier, ends)
        return made

    def _add(
        self,
        text: ParallelText,
        cut: Mapping[str, Sequence],
        chosen: Sequence[int],
        classifier: int,
        ends: Mapping[str, int],
    ) -> None:
        """Take in the chosen sentences of a text."""
        types = chosen_words(text, chosen) if text.exact else {}
        reference = text.pairs[0][0]  # whose words name the types
        first_row, first_word = {}, {}
        for name, encodings in cut.items():
            first_row[name], first_word[name] = len(self._sentences), self._num_word_rows
            for place, number in enumerate(chosen):
                word_rows: list[int] = []  # of each word, as they stand in the sentence
                if types:
                    first = first_word[name] + place % 2 * len(types)
                    known = [types.get(word, -1) for word in words_of(text, reference, number)]
                    word_rows = [-1 if word < 0 else first + word for word in known]
                    word_rows = word_rows[::-1] if is_reversed(name) else word_rows
                pieces, words = encodings[number].ids, encodings[number].word_ids
                sizes = Counter(words)
                rows = [word_rows[word] if types else -1 for word in words]
                weights = [1 / sizes[word] for word in words]
                self._sentences.append(
                    _Cut([classifier, *pieces, ends[name]], [-1, *rows, -1], [0.0, *weights, 0.0])
                )
            self._num_word_rows += 2 * len(types)
        sentences, words = np.arange(len(chosen)), np.arange(len(types))
        for pair in text.pairs:
            for here, there in (pair, pair[::-1]):
                self.comparisons.append(
                    Comparison(
                        SENTENCES,
                        (here, there),
                        first_row[here] + sentences,
                        first_row[there] + sentences,
                    )
                )
                if len(types):
                    odd = first_word[there] + len(types)
                    self.comparisons.append(
                        Comparison(WORDS, (here, there), first_word[here] + words, odd + words)
                    )

    def measure(
        self, engine: Engine, group: ProcessGroup, stopped: Callable[[], bool]
    ) -> dict[str, float] | None:
        """Accuracy of every comparison at every layer, and chance; None where it was stopped.

        Every process must call it; the sentences are shared out among them.

        Args:
            stopped: asked before every batch, in all processes.
        """
        import torch

        architecture = engine.model.architecture
        shape = architecture.depth + 1, architecture.hidden
        device = engine.device
        sentences_SYE = torch.zeros(len(self._sentences), *shape, device=device)
        words_WYE = torch.zeros(self._num_word_rows, *shape, dtype=torch.float64, device=device)
        with engine.evaluation():
            for number, rows in enumerate(self._batches()):
                if stopped():
                    return None
                if number % group.size == group.rank:
                    self._add_vectors(engine, rows, sentences_SYE, words_WYE)
        if group.size > 1:
            import torch.distributed as dist

            dist.all_reduce(sentences_SYE)  # a row comes from one process: no rounding
            dist.all_reduce(words_WYE)
        vectors = {SENTENCES: sentences_SYE.cpu().numpy(), WORDS: words_WYE.cpu().numpy()}
        return self._scores(vectors, shape[0]) if group.leads else {}

    def _batches(self) -> list[list[int]]:
        """Sentences of similar length, together at most `_POSITIONS_AT_ONCE` positions."""
        order = sorted(range(len(self._sentences)), key=lambda row: len(self._sentences[row].ids))
        batches: list[list[int]] = [[]]
        for row in reversed(order):
            longest = len(self._sentences[batches[-1][0]].ids) if batches[-1] else 0
            if (len(batches[-1]) + 1) * longest > _POSITIONS_AT_ONCE:
                batches.append([])
            batches[-1].append(row)
        return batches

    def _add_vectors(
        self, engine: Engine, rows: Sequence[int], sentences_SYE: torch.Tensor,
        words_WYE: torch.Tensor,
    ) -> None:  # fmt: skip
        """Compute some sentences and add them to the tables."""
        import torch

        cuts = [self._sentences[row] for row in rows]
        shape = len(cuts), max(len(cut.ids) for cut in cuts)
        ids_BT, word_BT = np.full(shape, self.padding), np.full(shape, -1)
        weight_BT, length_B = np.zeros(shape), np.array([len(cut.ids) for cut in cuts])
        for place, cut in enumerate(cuts):
            ids_BT[place, : len(cut.ids)] = cut.ids
            word_BT[place, : len(cut.ids)] = cut.word_rows
            weight_BT[place, : len(cut.ids)] = cut.weights
        position_T = np.arange(shape[1])
        mask_BT = position_T < length_B[:, None]
        text_BT = mask_BT & (position_T > 0) & (position_T < length_B[:, None] - 1)
        mean_BT1 = (text_BT / text_BT.sum(axis=1, keepdims=True))[:, :, None]
        place_M = np.flatnonzero(word_BT >= 0)

        def tensor(array: NDArray, dtype: torch.dtype) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(engine.device, dtype)

        ids = tensor(ids_BT, torch.int64)
        hidden_states = engine.model.encode(ids, torch.zeros_like(ids), tensor(mask_BT, torch.bool))
        mean, places = tensor(mean_BT1, torch.float32), tensor(place_M, torch.int64)
        word_rows = tensor(word_BT.ravel()[place_M], torch.int64)
        weights = tensor(weight_BT.ravel()[place_M, None], torch.float64)
        here = torch.tensor(list(rows), device=engine.device)
        for layer, hidden_BTE in enumerate(hidden_states):
            sentences_SYE[here, layer] = (hidden_BTE.float() * mean).sum(dim=1)
            found_ME = hidden_BTE.flatten(0, 1)[places].double() * weights
            words_WYE[:, layer].index_add_(0, word_rows, found_ME)

    def _scores(self, vectors: Mapping[str, NDArray], num_layers: int) -> dict[str, float]:
        """Every comparison at every layer."""
        occurrences = np.zeros(self._num_word_rows)
        for cut in self._sentences:
            used = np.array(cut.word_rows)
            np.add.at(occurrences, used[used >= 0], np.array(cut.weights)[used >= 0])
        means = dict(vectors)
        means[WORDS] = vectors[WORDS] / np.maximum(occurrences, 1)[:, None, None]
        scores: dict[str, float] = {}
        for compared in self.comparisons:
            table = means[compared.measure]
            for layer in range(num_layers):
                key = layer_key(compared.measure, compared.languages, layer)
                scores[key] = translation_accuracy(
                    table[compared.from_rows, layer], table[compared.to_rows, layer]
                )
            chance = chance_key(compared.measure, compared.languages)
            scores[chance] = 1 / len(compared.from_rows)
        return scores
