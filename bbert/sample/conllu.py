"""Dependency trees as CoNLL-U, ten columns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bbert.sample.sentence import CLOSING, Sentence


def write_conllu(path: Path, sentences: Iterable[Sentence], name: str) -> None:
    """Write `sentences` with ids `name`-1, `name`-2, …"""
    with path.open("w", encoding="utf-8") as file:
        for number, sentence in enumerate(sentences, start=1):
            file.write(f"# sent_id = {name}-{number}\n# text = {sentence.text()}\n")
            file.write("\n".join(rows(sentence)) + "\n\n")


def rows(sentence: Sentence) -> Iterable[str]:
    """The ten columns of each word."""
    words = sentence.words
    for number, (word, head) in enumerate(zip(words, sentence.heads(), strict=True), start=1):
        close = number < len(words) and words[number].form in CLOSING
        columns = (
            str(number), word.form, word.lemma, word.upos, "_", word.feats, str(head), word.deprel,
            "_", "SpaceAfter=No" if close else "_",
        )  # fmt: skip
        yield "\t".join(columns)
