"""Blocks of words put together again are the text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbert.corpus.word_blocks import count_sentences, word_blocks

words = st.text(st.characters(exclude_categories=("Cs", "Z", "Cc")), min_size=1, max_size=6).filter(
    lambda word: not any(c.isspace() for c in word)
)
sentences = st.lists(words, min_size=1, max_size=5).map(" ".join)
documents = st.lists(st.lists(sentences, min_size=1, max_size=4), max_size=4)


def read(path: Path, block_bytes: int) -> list[list[str]]:
    """The documents, as lists of sentences."""
    found: list[list[str]] = []
    for block in word_blocks(path, block_bytes):
        text = [block.types[i].decode() for i in block.words_W]
        ends = np.cumsum(block.sentence_lengths_S)
        assert len(text) == (ends[-1] if len(ends) else 0)
        for end, length, starts in zip(
            ends, block.sentence_lengths_S, block.starts_document_S, strict=True
        ):
            if starts:
                found.append([])
            found[-1].append(" ".join(text[end - length : end]))
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents, st.integers(1, 40), st.booleans(), st.booleans(), st.integers(1, 3))
def test_blocks_give_the_text_back(
    tmp_path: Path,
    documents: list[list[str]],
    block_bytes: int,
    compressed: bool,
    last_break: bool,
    num_blank: int,
) -> None:
    text = ("\n" * (num_blank + 1)).join("\n".join(sentences) for sentences in documents)
    content = (text + "\n" * last_break).encode()
    path = tmp_path / ("text.txt.zst" if compressed else "text.txt")
    path.write_bytes(zstandard.compress(content) if compressed else content)
    assert read(path, block_bytes) == documents
    assert count_sentences(path) == sum(map(len, documents))


def test_several_compressed_frames_are_read(tmp_path: Path) -> None:
    path = tmp_path / "text.txt.zst"
    path.write_bytes(zstandard.compress(b"a b\nc") + zstandard.compress(b"d\n\ne\n"))
    assert read(path, 100) == [["a b", "cd"], ["e"]]


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n \n"])
def test_text_without_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    assert read(path, 10) == []


def test_progress_adds_up_to_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"some words\n" * 1000)
    taken: list[float] = []
    for _ in word_blocks(path, 512, taken.append):
        pass
    assert sum(taken) == pytest.approx(path.stat().st_size / 1e6)
