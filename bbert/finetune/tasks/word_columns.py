"""One word and its label a line, a blank line between sentences.

So come PAN-X, WikiANN, CoNLL-2002, CoNLL-2003 and XTREME's udpos. The word is the first column, the
label the last; columns are set apart by tabs, or by spaces where a line has no tab, and every line
of a file has as many as the first. Raw PAN-X writes `en:word`: the prefix is taken off where the
words of a file have it. A `-DOCSTART-` line is no word; it ends the sentence before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.dataset_files import is_dataset_file, word_rows
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.task import Example, Labels, Sentence
from bbert.finetune.tasks.text_lines import read_lines

DOCUMENT_START = "-DOCSTART-"


def read_word_columns(
    path: Path, language: str, label_columns: Sequence[str], reading: Reading
) -> list[Sentence]:
    """The sentences of a column file, or of a file of the `datasets` library.

    Args:
        path: the file.
        language: its code, for the prefix.
        label_columns: names that the labels may have in a file of `datasets`.
        reading: options and findings.

    Raises:
        InputError: a line without a label or without a word, or with another number of columns than
            the first one, or without the prefix that most words have, with file and line.
    """
    if is_dataset_file(path):
        sentences = word_rows(path, language, label_columns)
    else:
        sentences = _read_columns(path, reading)
    if not sentences:
        raise InputError(f"{path}: no sentence in this file")
    return _without_prefix(sentences, f"{language}:", reading)


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


def _read_columns(path: Path, reading: Reading) -> list[Sentence]:
    sentences: list[Sentence] = []
    words: list[str] = []
    labels: list[str] = []
    start = num_columns = 0

    def close() -> None:
        if words:
            sentences.append(Sentence(tuple(words), tuple(labels), path, start))
        words.clear()
        labels.clear()

    for number, line in enumerate(read_lines(path, reading), start=1):
        if not line.strip():
            close()
            continue
        if line.startswith(DOCUMENT_START):
            close()
            reading.counts["document_starts"] += 1
            continue
        if not words:
            start = number
        columns = line.split("\t") if "\t" in line else line.rstrip(" ").split(" ")
        if len(columns) < 2 or not columns[-1].strip():
            raise InputError(
                f"{path}:{number}: expected a word, a tab and its label: {line[:60]!r}; "
                "a test file without labels cannot be scored"
            )
        if not columns[0]:
            raise InputError(f"{path}:{number}: there is a label but no word: {line[:60]!r}")
        if num_columns and len(columns) != num_columns:
            raise InputError(
                f"{path}:{number}: {len(columns)} columns where the lines before have {num_columns}"
            )
        num_columns = len(columns)
        words.append(columns[0])
        labels.append(columns[-1].strip())
    close()
    return sentences


def _without_prefix(sentences: list[Sentence], prefix: str, reading: Reading) -> list[Sentence]:
    size = len(prefix)
    num_words = sum(len(s.words) for s in sentences)
    num_with = sum(w.startswith(prefix) for s in sentences for w in s.words)
    if 2 * num_with <= num_words:  # a word may begin so
        return sentences
    for sentence in sentences:
        for position, word in enumerate(sentence.words):
            if not word.startswith(prefix) or len(word) == size:
                raise InputError(
                    f"{sentence.where(position)}: {word!r} is no word behind the prefix {prefix!r} "
                    f"that {num_with:,} of {num_words:,} words of the file have; mend the line"
                )
    reading.notice("prefix", prefix)
    return [replace(s, words=tuple(w[size:] for w in s.words)) for s in sentences]
