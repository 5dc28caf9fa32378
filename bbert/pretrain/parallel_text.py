"""The same sentences in several languages of a corpus, to measure how multilingual a model is.

Languages of one source (en, enfake, enreversed) need no translator: held-out sentences of one of
them, put through the interventions of the others, are exact translations, word by word. They are
taken from a language whose text is real, the natural one first, and undone where it is a fake one;
a text of unigrams is no sentence of any language. Nobody was trained on them as long as languages
of one source have different documents (`--shared-text disjoint`).

Other languages need files, line n of one the translation of line n of the others:
`--probe-parallel`, or on the embedded sample its own parallel text. As everywhere, a language's
interventions are applied to its file, and the characters of a plain language beside a fake one give
way as they do in the corpus; the permutation of a corpus is not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bbert.corpus.compressed import read_chunks
from bbert.errors import InputError
from bbert.fake import take_back
from bbert.json_files import read_json
from bbert.languages import Language, unfake

logger = logging.getLogger(__name__)

MAX_LINES = 4_000
"""Lines of parallel text that are looked at."""


@dataclass(frozen=True)
class ParallelText:
    """Translations of each other.

    Attributes:
        sentences: language → sentences, words joined by spaces, in the same order in every one.
        pairs: the languages to compare.
        exact: whether words correspond one by one (from the end, in a reversed language).
    """

    sentences: dict[str, list[str]]
    pairs: tuple[tuple[str, str], ...]
    exact: bool


def parallel_texts(
    corpus_dir: Path,
    languages: Sequence[str],
    held_out: Callable[[str], NDArray[np.int64]],
    files: Mapping[str, Path],
) -> list[ParallelText]:
    """What there is for the languages of a corpus; [] where there is nothing.

    Args:
        corpus_dir: folder of a corpus run.
        languages: its languages.
        held_out: language → numbers of the sentences that nothing is trained on, in order.
        files: language → line-aligned parallel text.

    Raises:
        InputError: the files have different numbers of lines, or one cannot be read.
    """
    texts, exact_pairs = [], set()
    of_corpus = [Language.parse(name) for name in languages]
    for source in dict.fromkeys(language.source for language in of_corpus):
        family = [language.name for language in of_corpus if language.source == source]
        if len(family) > 1 and (
            natural := _natural_sentences(corpus_dir, family, held_out, of_corpus)
        ):
            pairs = tuple(combinations(family, 2))
            exact_pairs |= set(pairs)
            sentences = _applied(dict.fromkeys(family, natural), of_corpus)
            texts.append(ParallelText(sentences, pairs, exact=True))
    named = [name for name in languages if name in files]
    pairs = tuple(pair for pair in combinations(named, 2) if pair not in exact_pairs)
    if pairs:
        lines = _aligned_lines({name: files[name] for name in named})
        texts.append(ParallelText(_applied(lines, of_corpus), pairs, exact=False))
    _say_what_is_missing(languages, exact_pairs.union(pairs))
    return texts


def _say_what_is_missing(languages: Sequence[str], known: Set[tuple[str, str]]) -> None:
    missing = ["-".join(pair) for pair in combinations(languages, 2) if pair not in known]
    if missing:
        logger.info(
            "no multilinguality curves for %s: no parallel text; give --probe-parallel "
            "LANGUAGE=FILE for both, line n of one the translation of line n of the other",
            ", ".join(missing),
        )


def say_what_is_not_read(files: Mapping[str, Path], texts: Sequence[ParallelText]) -> None:
    """Name the files that `parallel_texts` had no need of.

    Args:
        files: language → what the user gave for it.
        texts: what `parallel_texts` made of them.
    """
    read = {name for text in texts if not text.exact for name in text.sentences}
    unread = [name for name in files if name not in read]
    if unread:
        logger.info(
            "--probe-parallel is not read for %s: held-out text of the corpus is parallel, exactly",
            ", ".join(unread),
        )


def _natural_sentences(
    corpus_dir: Path,
    family: Sequence[str],
    held_out: Callable[[str], NDArray[np.int64]],
    of_corpus: Sequence[Language],
) -> list[str]:
    """Held-out sentences in the natural language that a family of languages was made from."""
    certificate = read_json(corpus_dir / "certificate.json")
    for name in sorted(family, key=lambda name: len(Language.parse(name).interventions)):
        language = Language.parse(name)
        described = certificate["languages"].get(name) or {}
        steps = {step.get("name") for step in described.get("interventions") or ()}
        if "unigram" in steps or language.shared_words:
            continue
        for suffix in (".txt.zst", ".txt"):
            path = corpus_dir / "text" / f"{name}{suffix}"
            if path.is_file():
                wanted = held_out(name)[:MAX_LINES]
                return [_undone(line, language, of_corpus) for line in _sentences(path, wanted)]
    return []


def _undone(sentence: str, language: Language, of_corpus: Sequence[Language]) -> str:
    """A sentence of `language` in its source."""
    words = sentence.split(" ")
    if language.is_reversed:
        words.reverse()
    text = " ".join(words)
    if language.is_fake:
        return unfake(text)
    return take_back(text) if language.gives_way(of_corpus) else text


def _applied(
    lines: Mapping[str, Sequence[str]], of_corpus: Sequence[Language]
) -> dict[str, list[str]]:
    """Natural sentences as the corpus has them, with the interventions of each language."""
    applied = {}
    for name, sentences in lines.items():
        text = Language.parse(name).apply_beside("\n".join(sentences), of_corpus)
        applied[name] = text.split("\n")
        assert len(applied[name]) == len(sentences)
    return applied


def _sentences(path: Path, wanted: NDArray[np.int64]) -> Iterator[str]:
    """Sentences of a corpus's text file by their numbers, in ascending order."""
    left = iter(wanted.tolist())
    following = next(left, None)
    number = 0
    for line in _lines(path):
        if following is None:
            return
        if line:  # a blank one separates documents
            if number == following:
                yield line
                following = next(left, None)
            number += 1


def _aligned_lines(files: Mapping[str, Path]) -> dict[str, list[str]]:
    """The first lines of every file."""
    lines = {name: list(islice(_lines(path), MAX_LINES)) for name, path in files.items()}
    (first, expected), *others = lines.items()
    for name, found in others:
        if len(found) != len(expected):
            raise InputError(
                f"--probe-parallel: {files[first]} has {len(expected):,} lines and {files[name]} "
                f"{len(found):,}; line n of one must be the translation of line n of the other"
            )
    if len(expected) < 2:
        raise InputError(f"{files[first]}: parallel text needs two lines at least")
    return lines


def _lines(path: Path) -> Iterator[str]:
    rest = b""
    for chunk in read_chunks(path):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").strip()
    if rest:
        yield rest.decode("utf-8", "replace").strip()
