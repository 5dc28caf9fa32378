"""Parallel text as users have it: line-aligned files, a TSV with a column each, or CoNLL-U (PUD).

    en=FILE es=FILE    line n of one is the translation of line n of the other; one file may serve
                       several languages (en and enfake)
    FILE.tsv           the first line names the languages
    en=en_pud.conllu   sentences belong together by their `sent_id`, else by their order

A translation with a blank sentence, and one whose sentence occurred before in some language, is
left out and counted: of two sentences that are the same neither is the nearest neighbour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bbert.corpus.compressed import read_chunks
from bbert.errors import InputError
from bbert.languages import Language

_TREEBANK = ".conllu"


@dataclass(frozen=True)
class ParallelText:
    """Sentences of several languages, translations of each other in the same order.

    `sentences` are as in the files: a language's interventions have not been applied.
    """

    sentences: dict[str, list[str]]
    files: tuple[Path, ...]
    left_out: dict[str, int]

    def __len__(self) -> int:
        return len(next(iter(self.sentences.values())))

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self.sentences)

    def of(self, languages: Sequence[str]) -> ParallelText:
        """The same sentences in some of the languages, in that order.

        Raises:
            InputError: a language that the text is not in.
        """
        for name in languages:
            if name not in self.sentences:
                there = ", ".join(self.languages)
                raise InputError(f"--languages {name}: the parallel text is in {there}")
        return replace(self, sentences={name: self.sentences[name] for name in languages})

    def is_exact(self, first: str, second: str) -> bool:
        """Whether the words of two languages correspond one by one: both are made from one text."""
        one, other = Language.parse(first), Language.parse(second)
        return one.source == other.source and self.sentences[first] == self.sentences[second]


def parse_files(given: Sequence[str]) -> dict[str, Path] | Path:
    """`--parallel` as typed: language → file, or a TSV.

    Raises:
        InputError: it is neither, or an unknown or repeated language.
    """
    if len(given) == 1 and "=" not in given[0]:
        return Path(given[0]).expanduser()
    files: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or not path:
            raise InputError(
                f"--parallel {text!r}: give LANGUAGE=FILE LANGUAGE=FILE, or one TSV file"
            )
        Language.parse(name)
        if name in files:
            raise InputError(f"--parallel names {name} twice")
        files[name] = Path(path).expanduser()
    if len(files) < 2:
        raise InputError("--parallel: give two languages at least, LANGUAGE=FILE each")
    return files


def read_parallel(
    files: Mapping[str, Path] | Path, max_sentences: int | None = None, seed: int = 0
) -> ParallelText:
    """Read parallel text.

    Args:
        files: what `parse_files` gives.
        max_sentences: keep so many, drawn without replacement, in file order.
        seed: of the draw.

    Raises:
        InputError: a file that cannot be read; other numbers of lines; nothing left; with the file.
    """
    if isinstance(files, Path):
        sentences, paths, unmatched = _columns(files), (files,), 0
    else:
        sentences, unmatched = _aligned(files)
        paths = tuple(dict.fromkeys(files.values()))
    kept, left_out = _usable(sentences)
    left_out["without_partner"] = unmatched
    if max_sentences is not None and max_sentences < len(kept):
        chosen = np.random.default_rng(seed).choice(len(kept), max_sentences, replace=False)
        kept = [kept[place] for place in sorted(chosen.tolist())]
    if len(kept) < 2:
        raise InputError(f"{paths[0]}: parallel text needs two different sentences at least")
    chosen_sentences = {name: [lines[row] for row in kept] for name, lines in sentences.items()}
    return ParallelText(chosen_sentences, paths, left_out)


def text_lines(path: Path) -> list[str]:
    """The lines of a plain or compressed UTF-8 file; raises InputError with file and line."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    content = b"".join(read_chunks(path))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{path}:{line}: not UTF-8; convert the file") from None
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise InputError(f"{path}: the file is empty")
    return [line.removesuffix("\r") for line in lines]


def _aligned(files: Mapping[str, Path]) -> tuple[dict[str, list[str]], int]:
    read: dict[Path, dict[str, str]] = {}
    for path in files.values():
        if path not in read:
            read[path] = _treebank(path) if path.suffix == _TREEBANK else _numbered(path)
    by_language = {name: read[path] for name, path in files.items()}
    (first, expected), *others = by_language.items()
    treebanks = all(path.suffix == _TREEBANK for path in files.values())
    common = [key for key in expected if all(key in found for _, found in others)]
    if treebanks and common:
        most = max(len(found) for found in by_language.values())
        return {n: [found[k] for k in common] for n, found in by_language.items()}, (
            most - len(common)
        )
    for name, found in others:
        if len(found) != len(expected):
            raise InputError(
                f"--parallel: {files[first]} has {len(expected):,} sentences and {files[name]} "
                f"{len(found):,}; sentence n of one must be the translation of sentence n of the "
                "other"
            )
    return {name: list(found.values()) for name, found in by_language.items()}, 0


def _numbered(path: Path) -> dict[str, str]:
    return {str(number): line.strip() for number, line in enumerate(text_lines(path))}


def _treebank(path: Path) -> dict[str, str]:
    """sent_id (or its number) → text of every sentence of a CoNLL-U file."""
    sentences: dict[str, str] = {}
    identifier, text, forms = "", "", []
    for line in [*text_lines(path), ""]:
        if line.startswith("# sent_id ="):
            identifier = line.split("=", 1)[1].strip()
        elif line.startswith("# text ="):
            text = line.split("=", 1)[1].strip()
        elif line and not line.startswith("#"):
            columns = line.split("\t")
            if len(columns) > 1 and columns[0].isdigit():
                forms.append(columns[1])
        elif not line and forms:
            sentences[identifier or f"number {len(sentences)}"] = text or " ".join(forms)
            identifier, text, forms = "", "", []
    if not sentences:
        raise InputError(f"{path}: no sentence in this CoNLL-U file")
    return sentences


def _columns(path: Path) -> dict[str, list[str]]:
    header, *rows = text_lines(path)
    names = header.split("\t")
    if len(names) < 2:
        raise InputError(f"{path}:1: name two languages or more, with tabs between them")
    for name in names:
        try:
            Language.parse(name)
        except InputError as error:
            raise InputError(f"{path}:1: {error}") from None
    if len(set(names)) < len(names):
        raise InputError(f"{path}:1: a language is named twice: {header!r}")
    columns: dict[str, list[str]] = {name: [] for name in names}
    for number, row in enumerate(rows, start=2):
        cells = row.split("\t")
        if len(cells) != len(names):
            raise InputError(f"{path}:{number}: {len(cells)} columns, the first line {len(names)}")
        for name, cell in zip(names, cells, strict=True):
            columns[name].append(cell.strip())
    return columns


def _usable(sentences: Mapping[str, Sequence[str]]) -> tuple[list[int], dict[str, int]]:
    """Rows that are blank nowhere and new everywhere, and how many are not."""
    counts: Counter[str] = Counter(blank=0, repeated=0)
    seen: dict[str, set[str]] = {name: set() for name in sentences}
    kept = []
    for row in range(len(next(iter(sentences.values())))):
        lines = {name: found[row] for name, found in sentences.items()}
        if not all(lines.values()):
            counts["blank"] += 1
        elif any(line in seen[name] for name, line in lines.items()):
            counts["repeated"] += 1
        else:
            kept.append(row)
            for name, line in lines.items():
                seen[name].add(line)
    return kept, dict(counts)
