"""What the interventions did to a corpus, measured on what was written, for its certificate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from bbert.corpus.corpus_interventions import CorpusInterventions
from bbert.corpus.encode import same_segmentation_rate
from bbert.corpus.given_documents import GivenDocuments
from bbert.corpus.measured_interventions import of_language, of_permutation, of_unigram
from bbert.corpus.order_measure import measure_order
from bbert.corpus.permute import Permutation
from bbert.corpus.segmentation import Segmentation
from bbert.corpus.shared_documents import shared_documents
from bbert.corpus.store_measure import measure_store
from bbert.corpus.text_measure import (
    measure_names,
    measure_shared_words,
    natural_sentences,
    written_sentences,
)
from bbert.corpus.token_store import TokenStore
from bbert.corpus.vocabulary import Vocabulary
from bbert.corpus.word_counts import count_words
from bbert.languages import Language


def permutation_of(language: Language, own: CorpusInterventions, seed: int) -> Permutation | None:
    """How the word-pieces of a language are put in another order, if they are."""
    if own.permute is None:
        return None
    return Permutation(own.permute, own.permute_variant, seed, language.name)


@dataclass
class CorpusMeasures:
    """Measures of a corpus whose texts and token stores are written.

    `own` holds what happens to each language in this corpus alone; `threads` counting may use.
    """

    given: GivenDocuments
    languages: Sequence[Language]
    own: Mapping[str, CorpusInterventions]
    threads: int

    def interventions(self, language: Language, unigram: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What every intervention on a language did, in order; `unigram` was measured before."""
        entries = of_language(language, *self._names(language))
        if self.own[language.name].unigram:
            entries.append(of_unigram(dict(unigram)))
        seed = self.given.config.seed
        permutation = permutation_of(language, self.own[language.name], seed)
        if permutation is not None:
            files = self.given.files
            store = TokenStore.open(files.corpus, language.name)
            measured = measure_order(files.order(language), store, permutation)
            entries.append(of_permutation(permutation, measured))
        return entries

    def store(self, language: Language, vocabulary: Vocabulary) -> dict[str, Any]:
        """Whether the token store of a language says what its text says."""
        files = self.given.files
        is_permuted = self.own[language.name].permute is not None
        store = TokenStore.open(files.corpus, language.name)
        return measure_store(store, files.text(language), vocabulary.tokens, is_permuted)

    def shared_documents(self) -> dict[tuple[str, str], dict[str, int]]:
        """For every pair of languages the documents that both got."""
        files = self.given.files
        return {
            (one.name, other.name): shared_documents(
                files.documents(one), files.documents(other), other in self.given.sharing(one)
            )
            for one, other in combinations(self.languages, 2)
        }

    def same_segmentation(
        self, vocabulary: Vocabulary, cut: Segmentation
    ) -> dict[tuple[str, str], float]:
        """For every natural language whose fake is in the corpus too."""
        by_name = {language.name: language for language in self.languages}
        return {
            (language.source, language.name): same_segmentation_rate(
                self.given.files.text(by_name[language.source]),
                vocabulary,
                cut,
                language.shared_words,
            )
            for language in self.languages
            if language.is_fake and language.source in by_name
        }

    def _names(self, language: Language) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
        """What was measured of the interventions in its name, and of the words it shares."""
        if not language.interventions:
            return {}, {}
        path, shared = self.given.files.text(language), {}
        if language.shared_words:
            words = count_words(path, threads=self.threads)
            shared = measure_shared_words(language.shared_words, words)
        if self.own[language.name].unigram:
            path = self.given.files.natural(language)
        natural = natural_sentences(
            self.given.pieces(language), language, self.given.is_presplit(language)
        )
        return measure_names(natural, written_sentences(path), language), shared
