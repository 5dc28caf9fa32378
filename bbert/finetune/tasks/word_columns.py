"""One word and its label a line, a blank line between sentences.

So come PAN-X, WikiANN, CoNLL-2002 and XTREME's udpos. The word is the first column, the label the
last; columns are set apart by a tab, or by a space where a line has no tab. Raw PAN-X writes
`en:word`: the prefix is taken off where every word of a file has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.task import Example, Labels, Sentence
from bbert.finetune.tasks.text_lines import read_lines

DOCUMENT_START = "-DOCSTART-"


def read_word_columns(path: Path, language: str) -> list[Sentence]:
    """The sentences of a column file.

    Raises:
        InputError: a line without a label or without a word, with file and line.
    """
    sentences: list[Sentence] = []
    words: list[str] = []
    labels: list[str] = []
    start = 0

    def close() -> None:
        if words and words[0] != DOCUMENT_START:
            sentences.append(Sentence(tuple(words), tuple(labels), path, start))
        words.clear()
        labels.clear()

    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            close()
            continue
        if not words:
            start = number
        columns = line.split("\t" if "\t" in line else " ")
        if len(columns) < 2 or not columns[-1].strip():
            raise InputError(
                f"{path}:{number}: expected a word, a tab and its label: {line[:60]!r}"
            )
        if not columns[0]:
            raise InputError(f"{path}:{number}: there is a label but no word: {line[:60]!r}")
        words.append(columns[0])
        labels.append(columns[-1].strip())
    close()
    if not sentences:
        raise InputError(f"{path}: no sentence in this file")
    return _without_prefix(sentences, f"{language}:")


def write_word_columns(
    path: Path, language: str, examples: Sequence[Example], predicted: Labels
) -> None:
    """Write `word<TAB>label` lines."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for example, labels in zip(examples, predicted, strict=True):
            assert isinstance(example, Sentence)
            for word, label in zip(example.words, labels, strict=True):
                stream.write(f"{word}\t{label}\n")
            stream.write("\n")


def line_of(sentence: Sentence, word: int) -> str:
    """`file:line` of a word, for messages; right where a sentence has no comment lines inside."""
    return f"{sentence.file}:{sentence.line + word}"


def _without_prefix(sentences: list[Sentence], prefix: str) -> list[Sentence]:
    size = len(prefix)
    if not all(w.startswith(prefix) and len(w) > size for s in sentences for w in s.words):
        return sentences
    return [Sentence(tuple(w[size:] for w in s.words), s.labels, s.file, s.line) for s in sentences]
