"""The steps of a corpus build, each of which a killed and repeated build goes on after.

The text of every source out of its dumps; the final text of every language; the vocabulary; the
token store of every language; the certificate. What only later steps need lies in `intermediate/`
and is deleted at the end.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bbert.corpus.certificate import CERTIFICATE, LanguageRecord, certify, check_promises
from bbert.corpus.compressed import EXPANSION
from bbert.corpus.config import CorpusConfig, interventions
from bbert.corpus.corpus_files import CorpusFiles
from bbert.corpus.corpus_interventions import CorpusInterventions
from bbert.corpus.corpus_measures import CorpusMeasures, permutation_of
from bbert.corpus.dumps import extract_dumps
from bbert.corpus.encode import encode_text
from bbert.corpus.example_sentences import examples, source_sentences
from bbert.corpus.given_documents import GivenDocuments
from bbert.corpus.language_shares import mix
from bbert.corpus.language_text import write_language_text
from bbert.corpus.order_measure import OrderSample
from bbert.corpus.segmentation import Segmentation
from bbert.corpus.sources import Source
from bbert.corpus.statistics import STATISTICS, language_statistics
from bbert.corpus.token_store import TOKENS
from bbert.corpus.tokenization import cut_of, make_vocabulary
from bbert.corpus.tokenizer import save_tokenizer
from bbert.corpus.unigram import draw_unigram
from bbert.corpus.unigram_measure import measure_unigram
from bbert.corpus.vocabulary import RESERVED_SCORE, Vocabulary
from bbert.corpus.word_counts import count_words
from bbert.corpus.workers import ALONE, Workers
from bbert.json_files import write_json_atomically
from bbert.languages import Language
from bbert.run_directory import Run

logger = logging.getLogger(__name__)


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
    def files(self) -> CorpusFiles:
        return CorpusFiles(self.run.path)

    @cached_property
    def own(self) -> Mapping[str, CorpusInterventions]:
        """What happens to each language in this corpus alone."""
        return interventions(self.config)

    @property
    def given(self) -> GivenDocuments:
        return GivenDocuments(self.run, self.config, self.sources, self.served, self.files)

    @property
    def measures(self) -> CorpusMeasures:
        return CorpusMeasures(self.given, self.languages, self.own, self.processes)

    def all_steps(self) -> None:
        """Do every step that is not done yet; afterwards nothing intermediate is left."""
        with self.run.step("certificate") as step:
            if not step.done:
                self.files.intermediate.mkdir(exist_ok=True)
                with Workers(self.processes) as self.workers:
                    step.counts.update(self.certificate())
        self.summarise(step.counts)
        with self.run.step("statistics") as measured:
            if not measured.done:
                self.statistics(step.counts)
        shutil.rmtree(self.files.intermediate, ignore_errors=True)

    def certificate(self) -> dict[str, Any]:
        """Make the corpus, measure it, write `certificate.json` and check what is promised."""
        counts: dict[str, dict[str, Any]] = {language.name: {} for language in self.languages}
        drawn: dict[str, Mapping[str, Any]] = {}
        for key, users in self.served.items():
            extracted = self.extract(key)
            for language in users:
                counts[language.name]["extract"] = extracted
                counts[language.name].update(self.text(language))
                if self.own[language.name].unigram:
                    drawn[language.name] = self.unigram(language)
        vocabulary = self.vocabulary()
        for language in self.languages:
            counts[language.name]["tokens"] = self.tokens(language, vocabulary)
        records = [
            LanguageRecord(
                language,
                np.load(self.files.characters(language)),
                [{"step": name, **values} for name, values in steps.items() if values],
                steps["tokens"],
                self.measures.interventions(language, drawn.get(language.name, {})),
                self.measures.store(language, vocabulary),
            )
            for language in self.languages
            for steps in (counts[language.name],)
        ]
        is_word_piece = np.array([score != RESERVED_SCORE for score in vocabulary.scores])
        certificate = certify(
            self.run.path, records, is_word_piece,
            self.measures.same_segmentation(vocabulary, self._cut),
            self.measures.shared_documents(),
        )  # fmt: skip
        certificate["vocabulary"]["kind"] = self.config.vocab
        certificate["vocabulary"]["tokenization"] = self.config.tokenization
        certificate["vocabulary"]["segmentation"] = self._cut
        if self.config.tokenization != "char":  # which takes all of the text
            certificate["vocabulary"]["sample_sentences"] = self.config.sample_sentences
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
        work = self.files.intermediate / f"dump-{key}"
        with self.run.step(f"extract-{key}") as step:
            if not step.done:
                target = self.files.extracted(key)
                step.counts.update(extract_dumps(source.dumps, target, work, self.workers, key))
        # Only now that the step is marked: a build killed before could not go on with half of it.
        shutil.rmtree(work, ignore_errors=True)
        return step.counts

    def text(self, language: Language) -> dict[str, Mapping[str, int]]:
        """The final text of a language; its counts at `select` and `text`."""
        with self.run.step(f"text-{language.name}") as step:
            if not step.done:
                is_drawn = self.own[language.name].unigram
                path = self.files.natural(language) if is_drawn else self.files.text(language)
                counts = write_language_text(
                    path, language, self.given, language.gives_way(self.languages), self.workers
                )
                step.counts.update(counts)
        return step.counts

    def unigram(self, language: Language) -> Mapping[str, Any]:
        """Draw every word of a text anew; what was measured of that."""
        with self.run.step(f"unigram-{language.name}") as step:
            if not step.done:
                logger.info("%s: drawing every word anew", language.name)
                natural, text = self.files.natural(language), self.files.text(language)
                text.parent.mkdir(exist_ok=True)
                seed, threads = self.config.seed, self.processes
                source = draw_unigram(natural, text, seed, language.name, threads)
                written = count_words(text, threads=threads)
                step.counts.update(measure_unigram(source, written))
                np.save(self.files.characters(language), written.characters())
        return step.counts

    def vocabulary(self) -> Vocabulary:
        """The vocabulary, with the tokenizer saved."""
        path = self.files.vocabulary
        with self.run.step("vocabulary") as step:
            if not step.done:
                self.workers.prepare(encode_text)  # they have nothing to do meanwhile
                size = self.config.vocab_size
                logger.info(
                    "making a %s %s vocabulary%s", self.config.vocab, self.config.tokenization,
                    "" if size is None else f" of {size:,}",
                )  # fmt: skip
                work = self.files.intermediate / "pieces"
                shutil.rmtree(work, ignore_errors=True)
                work.mkdir()
                vocabulary = make_vocabulary(
                    self.config.tokenization,
                    {language.name: self.files.text(language) for language in self.languages},
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
                own, seed = self.own[language.name], self.config.seed
                permutation = permutation_of(language, own, seed)
                sample = OrderSample(seed) if permutation else None
                text = self.files.text(language)
                counts = encode_text(
                    text, vocabulary, self._cut, directory, permutation, sample,
                    self.workers.if_worth(text.stat().st_size * EXPANSION["zstandard"]),
                )  # fmt: skip
                if sample is not None:
                    sample.save(self.files.order(language))
                step.counts.update(counts)
        return step.counts

    def statistics(self, certificate: Mapping[str, Any]) -> None:
        """Measure what `corpus inspect` and a report show; write `statistics.json`."""
        vocabulary = Vocabulary.load(self.files.vocabulary)
        entries = {}
        for language in self.languages:
            name, text = language.name, self.files.text(language)
            logger.info("%s: lengths, frequencies, examples", name)
            steps = {step["step"]: step for step in certificate["languages"][name]["steps"]}
            entries[name] = language_statistics(
                self.run.path, name, text, steps["text"]["bytes"], vocabulary.tokens
            )
            pieces, presplit = self.given.pieces(language), self.given.is_presplit(language)
            chosen = source_sentences(pieces, language, presplit)
            entries[name]["examples"] = examples(self.run.path, language, text, vocabulary, chosen)
        write_json_atomically(self.run.path / STATISTICS, {"languages": entries})

    def summarise(self, certificate: Mapping[str, Any]) -> None:
        """Headline numbers for the manifest."""
        for name, entry in certificate["languages"].items():
            keys = ("documents", "sentences", "words", "word_pieces")
            self.run.counts[name] = {key: entry[key] for key in keys}
            self.run.metrics[f"unk_rate/{name}"] = entry["unk_rate"]

    @property
    def _cut(self) -> Segmentation:
        return cut_of(self.config.tokenization, self.config.segmentation)
