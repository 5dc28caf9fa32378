"""How well and how fast sentences are split, against the gold bounds of UD treebanks.

    python benchmarks/sentence_splitting.py UD_FOLDER [--languages en es ru hi] [--peers ...]
        [--text en=FILE]

UD_FOLDER holds treebanks as they are published (`UD_English-EWT/en_ewt-ud-dev.conllu` ...). FILE is
plain or compressed text, one paragraph a line, of which the beginning is split to measure the speed
on running text.

Protocol. A sentence is its `# text` line; where a treebank has none (Hindi HDTB 1.2) its tokens,
joined by blanks unless `SpaceAfter=No`. Sentences are joined by blanks into paragraphs: those of
the treebank where it marks them (EWT), ten sentences in a row elsewhere. A bound is a place inside
a paragraph at which one sentence ends and the next begins, counted in characters that are not white
space, so that how a splitter treats blanks does not matter; the ends of paragraphs are given and
not counted. Precision, recall and F1 are of bounds. MB/s is the whole treebank text, one paragraph
a call, one thread, best of three (of running text of five; `pysbd`, a hundred times slower: one).

Peers: `sentencex` as it comes; a regular expression (a sentence ends at . ! ? … or a danda before
white space); `pysbd` and `blingfire` (both MIT) where they are installed: they are no dependency,
not even of the benchmarks, since neither has had a release since 2022.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

PARAGRAPH_SENTENCES = 10
TEXT_BYTES = 10_000_000
LANGUAGE_CODES = {
    "English": "en", "Spanish": "es", "Russian": "ru", "Hindi": "hi", "Italian": "it",
    "French": "fr",
}  # fmt: skip

Splitter = Callable[[str], Sequence[str]]


class Score(NamedTuple):
    """Bounds in the gold text, those that a splitter put, those of them that are right."""

    gold: int
    found: int
    right: int

    def __add__(self, other: object) -> Score:
        assert isinstance(other, Score)
        return Score(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.gold + self.found) if self.gold + self.found else 0.0


def gold_sentences(path: Path) -> Iterator[tuple[str, bool]]:
    """The sentences of a CoNLL-U file, and whether each begins a paragraph that is marked."""
    text, begins, tokens = "", False, ""
    for line in [*path.read_text(encoding="utf-8").split("\n"), ""]:
        if line.startswith("# text = "):
            text = line.removeprefix("# text = ")
        elif line.startswith("# newpar"):
            begins = True
        elif line and not line.startswith("#"):
            fields = line.split("\t")
            if fields[0].isdecimal():
                tokens += fields[1] + ("" if "SpaceAfter=No" in fields[9] else " ")
        elif not line and tokens:
            yield " ".join((text or tokens).split()), begins
            text, begins, tokens = "", False, ""


def paragraphs(path: Path) -> list[list[str]]:
    """The paragraphs of a treebank file, as lists of sentences."""
    sentences = list(gold_sentences(path))
    is_marked = any(begins for _, begins in sentences)
    result: list[list[str]] = []
    for number, (sentence, begins) in enumerate(sentences):
        if not result or (begins if is_marked else number % PARAGRAPH_SENTENCES == 0):
            result.append([])
        result[-1].append(sentence)
    return result


def bounds(sentences: Sequence[str]) -> set[int]:
    """Where sentences end, but the last, in characters that are not white space."""
    ends, position = set(), 0
    for sentence in sentences:
        position += len("".join(sentence.split()))
        ends.add(position)
    return ends - {0, position}


def score(splitter: Splitter, text: Sequence[Sequence[str]]) -> Score:
    """Compare a splitter with the gold bounds of some paragraphs."""
    total = Score(0, 0, 0)
    for sentences in text:
        gold, found = bounds(sentences), bounds(splitter(" ".join(sentences)))
        total += Score(len(gold), len(found), len(gold & found))
    return total


def treebanks(folder: Path, languages: Sequence[str]) -> dict[str, dict[str, list[list[str]]]]:
    """The paragraphs of every treebank of the languages: language, treebank, paragraphs."""
    result: dict[str, dict[str, list[list[str]]]] = defaultdict(dict)
    for path in sorted(folder.glob("UD_*/*.conllu")):
        name = path.parent.name.removeprefix("UD_").partition("-")
        language = LANGUAGE_CODES.get(name[0], "")
        if language in languages:
            result[language].setdefault(name[2], []).extend(paragraphs(path))
    return {language: result[language] for language in languages if language in result}


def splitters(language: str) -> dict[str, Splitter]:
    """bbert's splitter and its peers for a language; those that are not installed are left out."""
    from sentencex import segment  # pyright: ignore[reportAttributeAccessIssue]

    from bbert.corpus.sentence_splitting import split_sentences

    ends = re.compile(r"(?<=[.!?…।])\s+")
    result: dict[str, Splitter] = {
        "bbert": lambda text: split_sentences(language, text),
        "sentencex": lambda text: segment(language, text),
        "regular expression": ends.split,
    }
    try:
        import pysbd  # pyright: ignore[reportMissingImports]
    except ImportError:
        pass
    else:
        result["pysbd"] = pysbd.Segmenter(language=language, clean=False).segment
    try:
        import blingfire  # pyright: ignore[reportMissingImports]
    except ImportError:
        pass
    else:
        result["blingfire"] = lambda text: blingfire.text_to_sentences(text).split("\n")
    return result


def megabytes_a_second(splitter: Splitter, text: Sequence[Sequence[str]], times: int) -> float:
    """Best rate of some passes over the paragraphs."""
    joined = [" ".join(sentences) for sentences in text]
    size = sum(len(paragraph.encode()) for paragraph in joined) / 1e6
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        for paragraph in joined:
            splitter(paragraph)
        seconds.append(time.perf_counter() - started)
    return size / min(seconds)


def beginning(file: Path, num_bytes: int = TEXT_BYTES) -> list[str]:
    """The first paragraphs of a text."""
    from bbert.corpus.compressed import read_chunks

    raw = bytearray()
    for chunk in read_chunks(file):
        raw += chunk
        if len(raw) >= num_bytes:
            break
    lines = bytes(raw[:num_bytes]).decode("utf-8", "ignore").split("\n")
    return [line for line in lines if line.strip()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--languages", nargs="+", default=list(LANGUAGE_CODES.values()))
    parser.add_argument("--peers", nargs="+", help="only these splitters")
    parser.add_argument("--text", nargs="*", default=[], help="LANGUAGE=FILE, for the speed")
    options = parser.parse_args()
    print("| language | treebanks | splitter | bounds | precision | recall | F1 | MB/s |")
    print("|---|---|---|---|---|---|---|---|")
    of_treebank: list[str] = []
    for language, banks in treebanks(options.folder, options.languages).items():
        for name, splitter in splitters(language).items():
            if options.peers and name not in options.peers:
                continue
            scores = {bank: score(splitter, text) for bank, text in banks.items()}
            total = sum(scores.values(), Score(0, 0, 0))
            everything = [sentences for text in banks.values() for sentences in text]
            rate = megabytes_a_second(splitter, everything, 1 if name == "pysbd" else 3)
            print(
                f"| {language} | {', '.join(banks)} | {name} | {total.gold:,} | "
                f"{total.precision:.3f} | {total.recall:.3f} | {total.f1:.3f} | {rate:.1f} |",
                flush=True,
            )
            of_treebank += [
                f"| {language} | {bank} | {name} | {one.gold:,} | {one.precision:.3f} | "
                f"{one.recall:.3f} | {one.f1:.3f} |"
                for bank, one in scores.items()
            ]
    for value in options.text:
        language, _, file = value.partition("=")
        text = [[paragraph] for paragraph in beginning(Path(file))]
        print(f"\n| {file} | sentences | MB/s |\n|---|---|---|")
        for name in ("bbert", "sentencex", "regular expression"):
            splitter = splitters(language)[name]
            number = sum(len(splitter(paragraph)) for [paragraph] in text)
            rate = megabytes_a_second(splitter, text, 5)
            print(f"| {name} | {number:,} | {rate:.1f} |", flush=True)
    print("\n| language | treebank | splitter | bounds | precision | recall | F1 |")
    print("|---|---|---|---|---|---|---|", *of_treebank, sep="\n")


if __name__ == "__main__":
    main()
