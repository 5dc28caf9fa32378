"""The files of a written sample, read without bbert's readers."""

from __future__ import annotations

import bz2
import csv
import re
from pathlib import Path

from bbert.sample import write
from bbert.sample.languages import GRAMMARS

LANGUAGES = tuple(GRAMMARS)
PARTS = ("train", "dev", "test")


def dump_text(sample: Path, language: str) -> str:
    path = sample / "wiki" / f"{language}wiki-sample-pages-articles.xml.bz2"
    return bz2.decompress(path.read_bytes()).decode()


def dump_sentences(sample: Path, language: str) -> set[str]:
    """The sentences of a dump, markup taken off by a few expressions of this test's own."""
    text = dump_text(sample, language).replace("&amp;nbsp;", " ").replace("&lt;", "<")
    text = re.sub(r"<ref&gt;.*?<\/ref&gt;", "", text).replace("'''", "")
    text = re.sub(r"\[\[(?:[^\]|]*\|)?([^\]|]*)\]\]", r"\1", text)
    stop = "।" if language == "hi" else "."
    return {
        sentence.strip() + stop
        for line in text.splitlines()
        if line.endswith(stop)
        for sentence in line.split(">")[-1].split(stop)
        if sentence.strip()
    }


def tagged(path: Path) -> list[list[tuple[str, str]]]:
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    return [[tuple(line.split("\t")) for line in block.split("\n")] for block in blocks]  # type: ignore[misc]


def trees(path: Path) -> list[tuple[str, list[list[str]]]]:
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    found = []
    for block in blocks:
        lines = block.split("\n")
        text = next(line.split(" = ", 1)[1] for line in lines if line.startswith("# text"))
        found.append((text, [line.split("\t") for line in lines if not line.startswith("#")]))
    return found


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def treebank(sample: Path, language: str, part: str) -> Path:
    folder = sample / "ud" / f"UD_{write.TREEBANKS[language]}-Sample"
    return folder / f"{language}_sample-ud-{part}.conllu"
