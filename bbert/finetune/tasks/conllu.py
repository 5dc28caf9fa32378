"""CoNLL-U: words with their universal tags, heads and relations.

Syntactic words carry the annotation; a range (`3-4`, a contraction) and an empty node (`5.1`) are
not words, and are counted. `# text` is the sentence as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bbert.errors import InputError
from bbert.finetune.tasks.reading import Reading
from bbert.finetune.tasks.task import Example, Labels, Sentence
from bbert.finetune.tasks.text_lines import read_lines

NUM_COLUMNS = 10
FORM, TAG, HEAD, RELATION = 1, 3, 6, 7
_TEXT = re.compile(r"#\s*text\s*=\s*(.+)")
_NO_WORDS = {"ranges": re.compile(r"\d+-\d+"), "empty_nodes": re.compile(r"\d+\.\d+")}


@dataclass
class Rows:
    """The words of one sentence: their columns and lines; and its text, empty if not given."""

    file: Path
    text: str = ""
    columns: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def sentence(self, labels: Sequence[str]) -> Sentence:
        """The words with `labels`."""
        start, number = self.lines[0], len(self.lines)
        apart = self.lines[-1] != start + number - 1  # ranges or empty nodes stand between
        words = tuple(columns[FORM] for columns in self.columns)
        lines = tuple(self.lines) if apart else ()
        return Sentence(words, tuple(labels), self.file, start, lines, self.text)


def conllu_sentences(path: Path, reading: Reading) -> Iterator[Rows]:
    """The sentences of a treebank file.

    Raises:
        InputError: a line without ten columns, a word id out of order, a word without a form, no
            sentence at all; with file and line.
    """
    rows = Rows(path)
    empty = True
    for number, line in enumerate([*read_lines(path, reading), ""], start=1):
        if not line.strip():
            if rows.columns:
                yield rows
                empty = False
            rows = Rows(path)
            continue
        if line.startswith("#"):
            if text := _TEXT.match(line):
                rows.text = text[1].strip()
            continue
        columns = line.split("\t")
        if len(columns) != NUM_COLUMNS:
            raise InputError(
                f"{path}:{number}: {len(columns)} columns instead of the {NUM_COLUMNS} of CoNLL-U"
            )
        identifier = columns[0]
        expected = len(rows.columns) + 1
        if identifier != str(expected):
            kind = next((kind for kind, ids in _NO_WORDS.items() if ids.fullmatch(identifier)), "")
            if not kind:
                raise InputError(f"{path}:{number}: word id {identifier!r}, expected {expected}")
            reading.counts[kind] += 1
            continue
        if not columns[FORM].strip():
            raise InputError(f"{path}:{number}: word {identifier} has no form")
        rows.columns.append(columns)
        rows.lines.append(number)
    if empty:
        raise InputError(f"{path}: no sentence in this file")


def write_conllu(
    path: Path,
    language: str,
    examples: Sequence[Example],
    rows: Iterator[Sequence[tuple[str, int, str]]],
) -> None:
    """Write forms with (tag, head, relation) of every word; `_` where there is none."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for number, (example, words) in enumerate(zip(examples, rows, strict=True), start=1):
            assert isinstance(example, Sentence)
            stream.write(f"# sent_id = {language}-{number}\n# text = {' '.join(example.words)}\n")
            annotated = zip(example.words, words, strict=True)
            for word, (form, (tag, head, relation)) in enumerate(annotated, start=1):
                stream.write(f"{word}\t{form}\t_\t{tag}\t_\t_\t{head}\t{relation}\t_\t_\n")
            stream.write("\n")


def write_tags(path: Path, language: str, examples: Sequence[Example], predicted: Labels) -> None:
    """Write forms and tags; every word hangs on the first, so that scorers of trees accept it."""
    write_conllu(
        path,
        language,
        examples,
        ([(tag, min(i, 1), "dep" if i else "root") for i, tag in enumerate(t)] for t in predicted),
    )
