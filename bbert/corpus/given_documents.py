"""The raw documents that each language of a corpus is given: dealt, subsampled, read as pieces.

They are read more than once (for the text, for what the interventions did, for the examples), each
time the same ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bbert.corpus.config import CorpusConfig
from bbert.corpus.corpus_files import CorpusFiles
from bbert.corpus.deal import dealer, document_sizes, kept_pieces, subsample
from bbert.corpus.plain_text import Piece, read_pieces
from bbert.corpus.sources import Source
from bbert.languages import Language
from bbert.run_directory import Run

Chooses = Callable[[int], bool]
"""Says for the number of a document whether it is chosen."""


@dataclass
class GivenDocuments:
    """Which documents of which source go to which language; `served` lists the languages of each
    source, in the order in which documents are dealt to them."""

    run: Run
    config: CorpusConfig
    sources: Mapping[str, Source]
    served: Mapping[str, Sequence[Language]]
    files: CorpusFiles

    def key(self, language: Language) -> str:
        """The source of a language: that of its own name, or of the language it is made from."""
        return next(key for key, users in self.served.items() if language in users)

    def source(self, language: Language) -> Source:
        """Where the documents of a language come from."""
        return self.sources[self.key(language)]

    def sharing(self, language: Language) -> Sequence[Language]:
        """The languages of the same source, this one among them."""
        return self.served[self.key(language)]

    def text_files(self, source: Source) -> list[Path]:
        """The text of a source: that of its dumps first."""
        return [self.files.extracted(source.key)] * bool(source.dumps) + list(source.texts)

    def is_presplit(self, language: Language) -> bool:
        """Whether a line of its source is a sentence."""
        return self.config.presplit and not self.source(language).dumps

    def choices(self, language: Language) -> tuple[Chooses, Chooses]:
        """Which documents are dealt to a language, and which of these are kept."""
        is_dealt = self._is_dealt(language)
        return is_dealt, self._is_kept(self.key(language), is_dealt)

    def pieces(self, language: Language) -> Iterator[Piece]:
        """The documents that a language got, once more."""
        files = self.text_files(self.source(language))
        return kept_pieces(read_pieces(files), *self.choices(language), Counter())

    def _is_dealt(self, language: Language) -> Chooses:
        sharing = self.sharing(language)
        if self.config.shared_text == "same" or len(sharing) == 1:
            return lambda document: True
        share_of = dealer(len(sharing), self.config.seed, self.key(language))
        share = sharing.index(language)
        return lambda document: share_of(document) == share

    def _is_kept(self, key: str, is_dealt: Chooses) -> Chooses:
        if self.config.max_bytes is None:
            return lambda document: True
        path = self.files.sizes(key)
        with self.run.step(f"sizes-{key}") as step:
            if not step.done:
                np.save(path, document_sizes(read_pieces(self.text_files(self.sources[key]))))
        sizes = np.load(path)
        dealt = np.fromiter((is_dealt(i) for i in range(len(sizes))), np.bool_, len(sizes))
        kept = subsample(sizes, dealt, self.config.max_bytes, self.config.seed, key)
        return lambda document: document < len(kept) and bool(kept[document])
