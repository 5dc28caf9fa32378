"""The steps of a corpus build, each of which a killed and repeated build goes on after.

The text of every source out of its dumps; the final text of every language; the vocabulary; the
token store of every language; the certificate. What only later steps need lies in `intermediate/`
and is deleted at the end.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from bbert.corpus.certificate import LanguageRecord, certify, check_promises
from bbert.corpus.compressed import EXPANSION, compression, reading_progress
from bbert.corpus.config import CorpusConfig, interventions
from bbert.corpus.corpus_interventions import CorpusInterventions
from bbert.corpus.deal import dealer, document_sizes, kept_pieces, subsample
from bbert.corpus.dumps import extract_dumps
from bbert.corpus.encode import encode_text, same_segmentation_rate
from bbert.corpus.example_sentences import examples, source_sentences
from bbert.corpus.language_shares import mix
from bbert.corpus.measured_interventions import (
    of_language,
    of_permutation,
    of_unigram,
)
from bbert.corpus.order_measure import OrderSample, measure_order
from bbert.corpus.permute import Permutation
from bbert.corpus.plain_text import MAX_LINE_CHARACTERS, Piece, read_pieces
from bbert.corpus.segmentation import Segmentation
from bbert.corpus.shared_documents import DocumentRecord, shared_documents
from bbert.corpus.sources import Source
from bbert.corpus.statistics import STATISTICS, language_statistics
from bbert.corpus.text import write_text
from bbert.corpus.text_measure import (
    measure_names,
    measure_shared_words,
    natural_sentences,
    written_sentences,
)
from bbert.corpus.token_store import TOKENS, TokenStore
from bbert.corpus.tokenization import cut_of, make_vocabulary
from bbert.corpus.tokenizer import save_tokenizer
from bbert.corpus.unigram import draw_unigram
from bbert.corpus.unigram_measure import measure_unigram
from bbert.corpus.vocabulary import RESERVED_SCORE, Vocabulary
from bbert.corpus.where_text_went import no_text
from bbert.corpus.word_counts import count_words
from bbert.corpus.workers import ALONE, Workers
from bbert.fake import give_way
from bbert.languages import Language
from bbert.run_directory import Run, write_json_atomically

logger = logging.getLogger(__name__)

CERTIFICATE = "certificate.json"
_LONG_FOR_ONE_DOCUMENT = 1e6  # bytes
_WORTH_WORKERS = 2e7  # bytes of text; below, starting worker processes takes longer than the work


@dataclass
class Build:
    """A corpus being built in `run.path`.

    `served` says which languages each source serves.
    """

    run: Run
    config: CorpusConfig
    languages: Sequence[Language]
    sources: Mapping[str, Source]
    served: Mapping[str, Sequence[Language]]
    processes: int
    workers: Workers = ALONE

    @property
    def intermediate(self) -> Path:
        return self.run.path / "intermediate"

    def all_steps(self) -> None:
        """Do every step that is not done yet; afterwards nothing intermediate is left."""
        with self.run.step("certificate") as step:
            if not step.done:
                self.intermediate.mkdir(exist_ok=True)
                with Workers(self.processes) as self.workers:
                    step.counts.update(self.certificate())
        self.summarise(step.counts)
        with self.run.step("statistics") as measured:
            if not measured.done:
                self.statistics(step.counts)
        shutil.rmtree(self.intermediate, ignore_errors=True)

    def certificate(self) -> dict[str, Any]:
        """Make the corpus, measure it, write `certificate.json` and check what is promised."""
        counts: dict[str, dict[str, Any]] = {language.name: {} for language in self.languages}
        for key, users in self.served.items():
            extracted = self.extract(key)
            for share, language in enumerate(users):
                counts[language.name]["extract"] = extracted
                counts[language.name].update(self.text(key, share, language))
                if self._of_corpus(language).unigram:
                    self.unigram(language)
        vocabulary = self.vocabulary()
        for language in self.languages:
            counts[language.name]["tokens"] = self.tokens(language, vocabulary)
        records = [
            LanguageRecord(
                language,
                np.load(self._characters_file(language)),
                [{"step": name, **values} for name, values in steps.items() if values],
                steps["tokens"],
                self._measured(language),
            )
            for language in self.languages
            for steps in (counts[language.name],)
        ]
        is_word_piece = np.array([score != RESERVED_SCORE for score in vocabulary.scores])
        certificate = certify(
            self.run.path, records, is_word_piece, self._same_segmentation(vocabulary),
            self._shared_documents(),
        )  # fmt: skip
        certificate["vocabulary"]["kind"] = self.config.vocab
        certificate["vocabulary"]["tokenization"] = self.config.tokenization
        certificate["vocabulary"]["segmentation"] = self._cut
        tokens = [record.tokens for record in records]
        certificate["mix"] = mix(
            [language.name for language in self.languages],
            [some["sentences"] for some in tokens],
            [some["word_pieces"] for some in tokens],
            self.config.smoothing,
        )
        certificate["shared_text"] = self.config.shared_text
        path = self.run.path / CERTIFICATE
        write_json_atomically(path, certificate)  # to look at, should a promise be broken
        certificate["promises"] = check_promises(
            certificate, self.languages, self.config.vocab or "joint"
        )
        write_json_atomically(path, certificate)
        return certificate

    def extract(self, key: str) -> Mapping[str, int]:
        """The plain text of a source's dumps; no counts where it has none."""
        source = self.sources[key]
        if not source.dumps:
            return {}
        with self.run.step(f"extract-{key}") as step:
            if not step.done:
                work = self.intermediate / f"dump-{key}"
                counts = extract_dumps(source.dumps, self._extracted(key), work, self.workers, key)
                step.counts.update(counts)
        return step.counts

    def text(self, key: str, share: int, language: Language) -> dict[str, Mapping[str, int]]:
        """The final text of a language; its counts at `select` and `text`."""
        with self.run.step(f"text-{language.name}") as step:
            if not step.done:
                step.counts.update(self._write_text(key, share, language))
        return step.counts

    def unigram(self, language: Language) -> Mapping[str, Any]:
        """Draw every word of a text anew; what was measured of that."""
        with self.run.step(f"unigram-{language.name}") as step:
            if not step.done:
                logger.info("%s: drawing every word anew", language.name)
                natural, text = self._natural_file(language), self._text_file(language)
                seed, threads = self.config.seed, self.processes
                source = draw_unigram(natural, text, seed, language.name, threads)
                written = count_words(text, threads=threads)
                step.counts.update(measure_unigram(source, written))
                np.save(self._characters_file(language), written.characters())
        return step.counts

    def vocabulary(self) -> Vocabulary:
        """The vocabulary, with the tokenizer saved."""
        path = self.intermediate / "vocabulary.tsv"
        with self.run.step("vocabulary") as step:
            if not step.done:
                size = self.config.vocab_size
                logger.info(
                    "making a %s %s vocabulary%s", self.config.vocab, self.config.tokenization,
                    "" if size is None else f" of {size:,}",
                )  # fmt: skip
                work = self.intermediate / "pieces"
                shutil.rmtree(work, ignore_errors=True)
                work.mkdir()
                vocabulary = make_vocabulary(
                    self.config.tokenization,
                    {language.name: self._text_file(language) for language in self.languages},
                    self.languages,
                    size,
                    self.config.vocab or "joint",
                    self.config.sample_sentences,
                    smoothing=self.config.smoothing,
                    seed=self.config.seed,
                    work_directory=work,
                )
                save_tokenizer(vocabulary, self.run.path / "tokenizer", self._cut)
                vocabulary.save(path)
        return Vocabulary.load(path)

    def tokens(self, language: Language, vocabulary: Vocabulary) -> Mapping[str, int]:
        """The token store of a language."""
        with self.run.step(f"tokens-{language.name}") as step:
            if not step.done:
                directory = self.run.path / TOKENS / language.name
                shutil.rmtree(directory, ignore_errors=True)
                permutation = self._permutation(language)
                sample = OrderSample(self.config.seed) if permutation else None
                text = self._text_file(language)
                counts = encode_text(
                    text, vocabulary, self._cut, directory, permutation, sample,
                    self._workers(text.stat().st_size * EXPANSION["zstandard"]),
                )  # fmt: skip
                if sample is not None:
                    sample.save(self._order_file(language))
                step.counts.update(counts)
        return step.counts

    def statistics(self, certificate: Mapping[str, Any]) -> None:
        """Measure what `corpus inspect` and a report show; write `statistics.json`."""
        vocabulary = Vocabulary.load(self.intermediate / "vocabulary.tsv")
        entries = {}
        for language in self.languages:
            name, text = language.name, self._text_file(language)
            logger.info("%s: lengths, frequencies, examples", name)
            steps = {step["step"]: step for step in certificate["languages"][name]["steps"]}
            entries[name] = language_statistics(
                self.run.path, name, text, steps["text"]["bytes"], vocabulary.tokens
            )
            pieces, presplit = self._raw_documents(language)
            chosen = source_sentences(pieces, language, presplit)
            entries[name]["examples"] = examples(self.run.path, language, text, vocabulary, chosen)
        write_json_atomically(self.run.path / STATISTICS, {"languages": entries})

    def summarise(self, certificate: Mapping[str, Any]) -> None:
        """Headline numbers for the manifest."""
        for name, entry in certificate["languages"].items():
            keys = ("documents", "sentences", "words", "word_pieces")
            self.run.counts[name] = {key: entry[key] for key in keys}
            self.run.metrics[f"unk_rate/{name}"] = entry["unk_rate"]

    def _measured(self, language: Language) -> list[dict[str, Any]]:
        """What every intervention on a language did, in order."""
        entries = of_language(language, *self._measured_names(language))
        if self._of_corpus(language).unigram:
            entries.append(of_unigram(dict(self.unigram(language))))
        permutation = self._permutation(language)
        if permutation is not None:
            store = TokenStore.open(self.run.path, language.name)
            measured = measure_order(self._order_file(language), store, permutation)
            entries.append(of_permutation(permutation, measured))
        return entries

    def _measured_names(
        self, language: Language
    ) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
        """What was measured of the interventions in its name, and of the words it shares."""
        if not language.interventions:
            return {}, {}
        path, shared = self._text_file(language), {}
        if language.shared_words:
            words = count_words(path, threads=self.processes)
            shared = measure_shared_words(language.shared_words, words)
        if self._of_corpus(language).unigram:
            path = self._natural_file(language)
        pieces, presplit = self._raw_documents(language)
        natural = natural_sentences(pieces, language, presplit)
        return measure_names(natural, written_sentences(path), language), shared

    def _raw_documents(self, language: Language) -> tuple[Iterator[Piece], bool]:
        """The documents that a language got, once more, and whether a line is a sentence."""
        (key, share), = (
            (key, users.index(language)) for key, users in self.served.items() if language in users
        )  # fmt: skip
        source, is_dealt = self.sources[key], self._is_dealt(key, share)
        is_kept = self._is_kept(key, is_dealt)
        files = self._text_files(source)
        pieces = kept_pieces(read_pieces(files), is_dealt, is_kept, Counter())
        return pieces, self.config.presplit and not source.dumps

    def _shared_documents(self) -> dict[tuple[str, str], dict[str, int]]:
        """For every pair of languages the documents that both got."""
        return {
            (one.name, other.name): shared_documents(
                self._documents_file(one), self._documents_file(other), one.source == other.source
            )
            for one, other in combinations(self.languages, 2)
        }

    def _of_corpus(self, language: Language) -> CorpusInterventions:
        return interventions(self.config)[language.name]

    def _permutation(self, language: Language) -> Permutation | None:
        of_corpus = self._of_corpus(language)
        if of_corpus.permute is None:
            return None
        return Permutation(
            of_corpus.permute, of_corpus.permute_variant, self.config.seed, language.name
        )

    def _write_text(self, key: str, share: int, language: Language) -> dict[str, Any]:
        source = self.sources[key]
        files = self._text_files(source)
        path = self._text_file(language)
        path.parent.mkdir(exist_ok=True)
        if self._of_corpus(language).unigram:
            path = self._natural_file(language)
        select: Counter[str] = Counter(read=0, dealt=0, kept=0)
        reading: Counter[str] = Counter()
        is_dealt = self._is_dealt(key, share)
        is_kept = self._is_kept(key, is_dealt)
        text_bytes = sum(path.stat().st_size * EXPANSION[compression(path)] for path in files)
        documents = DocumentRecord()
        with reading_progress(f"{language.name}: sentences and words", files) as advance:
            is_kept = documents.numbered(is_kept)
            pieces = kept_pieces(read_pieces(files, reading, advance), is_dealt, is_kept, select)
            counts = write_text(
                path,
                documents.digested(pieces),
                language,
                self.config.presplit and not source.dumps,
                [give_way] if self._stands_beside_fake(language) else [],
                self._workers(text_bytes),
            )
            if not counts.documents:
                sharing = len(self.served[key])
                raise no_text(
                    source.files[0], language.name, sharing, select, reading, counts.numbers()
                )
        if reading["long_line_cuts"]:
            logger.warning(
                "%s: lines of more than %s characters were cut, in %s places", source.files[0],
                f"{MAX_LINE_CHARACTERS:,}", f"{reading['long_line_cuts']:,}",
            )  # fmt: skip
        if select["read"] == 1 and text_bytes > _LONG_FOR_ONE_DOCUMENT:
            logger.warning(
                "%s is one single document: put blank lines between documents, or no two "
                "segments will ever come from different ones", source.files[0],
            )  # fmt: skip
        np.save(self._characters_file(language), np.flatnonzero(counts.characters))
        documents.save(self._documents_file(language))
        select["other_files"] = len(source.texts) if source.dumps else 0
        return {"select": {**select, **reading}, "text": counts.numbers()}

    def _is_dealt(self, key: str, share: int) -> Callable[[int], bool]:
        num_shares = len(self.served[key])
        if self.config.shared_text == "same" or num_shares == 1:
            return lambda document: True
        share_of = dealer(num_shares, self.config.seed, key)
        return lambda document: share_of(document) == share

    def _is_kept(self, key: str, is_dealt: Callable[[int], bool]) -> Callable[[int], bool]:
        if self.config.max_bytes is None:
            return lambda document: True
        with self.run.step(f"sizes-{key}") as step:
            path = self.intermediate / f"sizes-{key}.npy"
            if not step.done:
                np.save(path, document_sizes(read_pieces(self._text_files(self.sources[key]))))
        sizes = np.load(path)
        dealt = np.fromiter((is_dealt(i) for i in range(len(sizes))), np.bool_, len(sizes))
        kept = subsample(sizes, dealt, self.config.max_bytes, self.config.seed, key)
        return lambda document: document < len(kept) and bool(kept[document])

    def _workers(self, text_bytes: float) -> Workers:
        return self.workers if text_bytes > _WORTH_WORKERS else ALONE

    def _same_segmentation(self, vocabulary: Vocabulary) -> dict[tuple[str, str], float]:
        """For every natural language whose fake is in the corpus too."""
        by_name = {language.name: language for language in self.languages}
        return {
            (language.source, language.name): same_segmentation_rate(
                self._text_file(by_name[language.source]),
                vocabulary,
                self._cut,
                language.shared_words,
            )
            for language in self.languages
            if language.is_fake and language.source in by_name
        }

    def _stands_beside_fake(self, language: Language) -> bool:
        return not language.is_fake and any(other.is_fake for other in self.languages)

    def _text_files(self, source: Source) -> list[Path]:
        return [self._extracted(source.key)] * bool(source.dumps) + list(source.texts)

    def _extracted(self, key: str) -> Path:
        return self.intermediate / f"extracted-{key}.txt.zst"

    def _text_file(self, language: Language) -> Path:
        return self.run.path / "text" / f"{language.name}.txt.zst"

    def _natural_file(self, language: Language) -> Path:
        return self.intermediate / f"natural-{language.name}.txt.zst"

    def _order_file(self, language: Language) -> Path:
        return self.intermediate / f"order-{language.name}.npz"

    def _documents_file(self, language: Language) -> Path:
        return self.intermediate / f"documents-{language.name}.npz"

    def _characters_file(self, language: Language) -> Path:
        return self.intermediate / f"characters-{language.name}.npy"

    @property
    def _cut(self) -> Segmentation:
        return cut_of(self.config.tokenization, self.config.segmentation)
