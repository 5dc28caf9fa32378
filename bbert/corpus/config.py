"""Options of `bbert corpus build` and `bbert corpus inspect`.

Options that are None take the value of one of two tables below, by whether the corpus is built from
the embedded sample or from real data.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tyro

from bbert.corpus.corpus_interventions import CorpusInterventions, PermuteVariant
from bbert.corpus.sources import source_of, split_option
from bbert.errors import InputError
from bbert.languages import parse_languages
from bbert.stage_config import (
    EXECUTION,
    Repeated,
    StageConfig,
    Switch,
    default_work,
    joined_name,
    knobs_that_differ,
)

SAMPLE_DEFAULTS: dict[str, Any] = {
    "languages": ("enfake", "en"),
    "vocab_size": 300,  # for each language: the small world has few words
    "vocab": "mirror",
}
REAL_DEFAULTS: dict[str, Any] = {
    "vocab_size": 60_000,
    "vocab": "joint",
}

_SAMPLE_SHARED_VOCAB_SIZE = 280
"""For each language where there is no fake: English and Spanish share words and fill 578."""

MINIMUM_VOCAB_SIZE = 64
_MAXIMUM_VOCAB_SIZE = 100_000_000  # more than any text fills; SentencePiece ends at 2**31
_SAMPLE_SENTENCES = 2_000_000


@dataclass(frozen=True)
class CorpusConfig(StageConfig):
    """Build a corpus: text of several languages, a vocabulary, a token store and a certificate.

    Without --dump and --text it is built from the embedded sample.
    """

    languages: tuple[str, ...] | None = None
    """Languages of the corpus, the source language first. After a code: fake shifts its characters
    (enfake), fakeshare30 keeps 30 % of the word types, reversed turns the word order around.
    Without it, those of --dump and --text; for the sample, enfake en."""
    dump: Repeated = ()
    """LANGUAGE=FILE: a MediaWiki dump (.xml, .xml.bz2, .xml.gz, or a pattern for its parts)."""
    text: Repeated = ()
    """LANGUAGE=FILE: plain or compressed text, one paragraph a line, a blank line between documents
    (or a pattern for several files)."""
    presplit: Switch = False
    """Every line of --text is one sentence already."""
    max_bytes: int | None = None
    """Keep at most so many bytes of raw text of each language: whole documents, drawn by seed."""
    shared_text: Literal["disjoint", "same"] = "disjoint"
    """What languages of one source get (en and enfake): documents dealt out in turn, so that
    nothing is parallel, or the same documents, as in K et al. 2020."""
    unigram: Repeated = ()
    """LANGUAGE: draw every word anew from the language's own word counts; sentences keep their
    lengths. Once for each language."""
    permute: Repeated = ()
    """LANGUAGE=P: put the word-pieces of every sentence in another order, from P=0 (as they are) to
    1. Once for each language."""
    permute_variant: PermuteVariant = "released"
    """What P means: released (P times the length transpositions), positions (a share P of the
    places shuffled among themselves) or paper (P times all pairs: uniform already at 0.25)."""
    vocab_size: int | None = None
    """Entries of the vocabulary, special and unused ones included. Without it: word-pieces 60000,
    for the sample 300 for each language; char all characters; word the 100,000 most frequent."""
    vocab: Literal["joint", "mirror"] | None = None
    """joint: learned on all languages together; mirror: a fake language gets a shifted copy of its
    source's pieces, so that both are cut alike. Without it joint, for the sample mirror."""
    tokenization: Literal["wordpiece", "char", "word"] = "wordpiece"
    """What words are cut into: word-pieces, characters, or nothing (rarer words are [UNK])."""
    segmentation: Literal["greedy", "unigram"] | None = None
    """How word-pieces are cut: longest match first (WordPiece) or most probable cut
    (SentencePiece). Without it greedy."""
    smoothing: float = 0.7
    """Languages are read in shares of their sentences to this power: 1 as they are, 0 all alike.
    0.7 as in mBERT."""
    sample_sentences: int = _SAMPLE_SENTENCES
    """Sentences that the vocabulary is learned from, over all languages."""
    processes: int | None = field(default=None, metadata=EXECUTION)
    """Worker processes; without it, one for each processor."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.languages is not None:
            if not self.languages:
                raise InputError("--languages: name at least one language, such as enfake en")
            parse_languages(self.languages)
        for option, values in (("--dump", self.dump), ("--text", self.text)):
            for value in values:
                split_option(option, value)
        if self.max_bytes is not None and self.max_bytes < 1:
            raise InputError(f"--max-bytes {self.max_bytes}: give a number of bytes from 1 on")
        if self.vocab_size is not None and self.vocab_size < MINIMUM_VOCAB_SIZE:
            raise InputError(
                f"--vocab-size {self.vocab_size} is too small; give {MINIMUM_VOCAB_SIZE} or more"
            )
        if self.vocab_size is not None and self.vocab_size > _MAXIMUM_VOCAB_SIZE:
            raise InputError(
                f"--vocab-size {self.vocab_size} is too large; give {_MAXIMUM_VOCAB_SIZE} or less"
            )
        if self.segmentation is not None and self.tokenization != "wordpiece":
            raise InputError(
                f"--segmentation {self.segmentation} says how word-pieces are cut; leave it out "
                f"with --tokenization {self.tokenization}"
            )
        if self.sample_sentences != _SAMPLE_SENTENCES and self.tokenization == "char":
            raise InputError(
                f"--sample-sentences {self.sample_sentences} says what word-pieces and words are "
                "learned from; leave it out with --tokenization char, which takes all characters"
            )
        if not 0 <= self.smoothing <= 1:
            raise InputError(f"--smoothing {self.smoothing}: give a number from 0 to 1")
        if self.sample_sentences < 1:
            raise InputError(f"--sample-sentences {self.sample_sentences}: give 1 or more")
        if self.processes is not None and self.processes < 1:
            raise InputError(f"--processes {self.processes}: give 1 or more")
        if self.presplit and not self.text:
            raise InputError("--presplit says how --text is to be read; give --text LANGUAGE=FILE")

    @property
    def is_sample(self) -> bool:
        """Whether the corpus is built from the embedded sample."""
        return not self.dump and not self.text


def resolve(config: CorpusConfig) -> CorpusConfig:
    """`config` with every option that depends on the kind of input filled in.

    Raises:
        InputError: the languages do not go together with `--vocab` or `--shared-text`.
    """
    defaults = SAMPLE_DEFAULTS if config.is_sample else REAL_DEFAULTS
    keys = dict.fromkeys(value.split("=")[0] for value in config.dump + config.text)
    filled = {"languages": tuple(keys), **defaults}
    if config.tokenization == "wordpiece":
        filled["segmentation"] = "greedy"
    else:
        del filled["vocab_size"]  # as many entries as there are
    chosen = {key: value for key, value in filled.items() if getattr(config, key) is None}
    resolved = replace(config, **chosen)
    languages = parse_languages(resolved.languages or ())
    interventions(resolved)  # refuses what does not go together
    sources = [source_of(language, keys) for language in languages]
    if resolved.shared_text == "same" and len(set(sources)) == len(sources):
        raise InputError(
            "--shared-text same is for languages of one source, as en and enfake, and no two of "
            f"{' '.join(resolved.languages or ())} are; leave it out"
        )
    has_fake = any(language.is_fake for language in languages)
    if resolved.vocab == "mirror" and not has_fake:
        if config.vocab is not None:
            raise InputError(
                "--vocab mirror copies the pieces of a fake language; add one, as in enfake"
            )
        resolved = replace(resolved, vocab="joint")
    if config.is_sample and "vocab_size" in chosen:
        each = chosen["vocab_size"] if has_fake else _SAMPLE_SHARED_VOCAB_SIZE
        resolved = replace(resolved, vocab_size=each * len(languages))
    return resolved


def interventions(config: CorpusConfig) -> dict[str, CorpusInterventions]:
    """What happens to each language in this corpus alone, by name.

    Raises:
        InputError: a language that is not in the corpus, a wrong share, something asked for twice.
    """
    from bbert.corpus.corpus_interventions import parse_interventions

    return parse_interventions(
        config.languages or (), config.unigram, config.permute, config.permute_variant
    )


def run_name(config: CorpusConfig) -> str:
    """The name of the run that a command as typed writes, unless it has `--name`.

    What `resolve` would fill in anyway has no part in it, so that `--config` with the configuration
    that a run has saved names the same run.
    """
    if config.name is not None:
        return config.name
    resolved, filled_in = resolve(config), ("vocab_size", "vocab", "segmentation")
    unset = resolve(replace(config, **dict.fromkeys(filled_in)))
    as_unset = {key for key in filled_in if getattr(config, key) == getattr(unset, key)}
    words = ["sample"] if config.is_sample else []
    words += [*(resolved.languages or ())]
    words += knobs_that_differ(config, frozenset({"languages", "dump", "text"} | as_unset))
    return joined_name(words)


@dataclass(frozen=True)
class InspectConfig:
    """Show what a corpus holds: counts, lengths, overlap between languages, certificate."""

    corpus: tyro.conf.Positional[str | None] = None
    """Name or folder of the corpus; without it, the newest."""
    work: Path = field(default_factory=default_work)
    """Folder that holds all runs; also $BBERT_WORK."""
    quiet: Switch = False
    """Only errors and the final result."""
    debug: Switch = False
    """Show the traceback of an error."""
