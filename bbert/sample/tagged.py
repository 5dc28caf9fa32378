"""NER as in PAN-X and part of speech as in XTREME's `udpos`.

One token and its tag a line, a blank line after a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bbert.sample.sentence import Sentence


def write_ner(path: Path, sentences: Iterable[Sentence]) -> None:
    """Write entity tags in IOB2 (PER, LOC, ORG)."""
    _write(path, ([(word.form, word.entity) for word in sentence] for sentence in sentences))


def write_pos(path: Path, sentences: Iterable[Sentence]) -> None:
    """Write universal part-of-speech tags."""
    _write(path, ([(word.form, word.upos) for word in sentence] for sentence in sentences))


def _write(path: Path, rows: Iterable[list[tuple[str, str]]]) -> None:
    blocks = ("\n".join(f"{form}\t{tag}" for form, tag in row) for row in rows)
    path.write_text("".join(block + "\n\n" for block in blocks), encoding="utf-8")
