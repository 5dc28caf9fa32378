"""CoNLL-U: words and their universal tags.

Syntactic words carry the tags; a range (`3-4`, a contraction) and an empty node (`5.1`) are not
words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.task import Example, Labels, Sentence
from bbert.finetune.tasks.text_lines import read_lines

NUM_COLUMNS = 10
FORM, TAG = 1, 3


def read_conllu_words(path: Path, check: Callable[[str, str], str]) -> list[Sentence]:
    """Sentences of a treebank file with their UPOS tags.

    Args:
        path: the file.
        check: (tag, `file:line`) → the tag to use; raises InputError where it is none.

    Raises:
        InputError: a line without ten columns, a word id out of order, with file and line.
    """
    sentences: list[Sentence] = []
    words: list[str] = []
    tags: list[str] = []
    start = 0
    for number, line in enumerate([*read_lines(path), ""], start=1):
        if not line.strip():
            if words:
                sentences.append(Sentence(tuple(words), tuple(tags), path, start))
                words, tags = [], []
            continue
        if line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != NUM_COLUMNS:
            raise InputError(
                f"{path}:{number}: {len(columns)} columns instead of the {NUM_COLUMNS} of CoNLL-U"
            )
        identifier = columns[0]
        if "-" in identifier or "." in identifier:
            continue
        if identifier != str(len(words) + 1):
            raise InputError(f"{path}:{number}: word id {identifier!r}, expected {len(words) + 1}")
        if not words:
            start = number
        words.append(columns[FORM])
        tags.append(check(columns[TAG], f"{path}:{number}"))
    if not sentences:
        raise InputError(f"{path}: no sentence in this file")
    return sentences


def write_conllu_words(
    path: Path, language: str, examples: Sequence[Example], predicted: Labels
) -> None:
    """Write forms and tags; every word hangs on the first, so that scorers of trees accept it."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for number, (example, tags) in enumerate(zip(examples, predicted, strict=True), start=1):
            assert isinstance(example, Sentence)
            stream.write(f"# sent_id = {language}-{number}\n# text = {' '.join(example.words)}\n")
            for word, (form, tag) in enumerate(zip(example.words, tags, strict=True), start=1):
                head, relation = ("0", "root") if word == 1 else ("1", "dep")
                stream.write(f"{word}\t{form}\t_\t{tag}\t_\t_\t{head}\t{relation}\t_\t_\n")
            stream.write("\n")
