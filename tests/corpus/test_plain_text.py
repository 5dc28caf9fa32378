"""Plain text comes as the documents that a simple reading gives, however it is cut into blocks."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbert.corpus import plain_text
from bbert.corpus.plain_text import Piece, read_pieces
from bbert.errors import InputError

lines = st.lists(st.text("ab ü漢.\u00a0", max_size=6), max_size=25)
line_ends = st.sampled_from(["\n", "\r\n", "\r"])


def documents(pieces: list[Piece]) -> list[str]:
    """The pieces put together again."""
    result, parts = [], []
    for text, ends_document in pieces:
        if text:
            parts.append(text)
        if ends_document:
            result.append("\n".join(parts))
            parts = []
    assert not parts
    return result


def cut(line: str) -> list[str]:
    """A line in parts of at most `MAX_LINE_CHARACTERS`: cut after a sentence or else a space, but
    in the second half of a part, or else anywhere."""
    longest = plain_text.MAX_LINE_CHARACTERS
    parts = []
    while len(line) > longest:
        ends = range(longest // 2 + 1, longest + 1)
        sentences = [i for i in ends if line[i - 2 : i] == ". " and i >= longest // 2 + 2]
        spaces = [i for i in ends if line[i - 1] == " "]
        end = max(sentences or spaces or [longest])
        parts.append(line[:end])
        line = line[end:]
    return [*parts, line]


def reference_documents(text: str) -> list[str]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "\n".join(part for line in text.split("\n") for part in cut(line))
    text = "\n".join("" if line.isspace() else line for line in text.split("\n"))
    return [document.strip("\n") for document in re.split(r"\n{2,}", text) if document.strip("\n")]


@given(lines, st.data())
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_documents_do_not_depend_on_blocks(tmp_path: Path, monkeypatch, lines, data):
    text = "".join(line + data.draw(line_ends) for line in lines)
    text = data.draw(st.sampled_from(["", "\ufeff"])) + text
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    monkeypatch.setattr(plain_text, "_BLOCK_BYTES", data.draw(st.integers(4, 12)))
    monkeypatch.setattr(plain_text, "PIECE_CHARACTERS", data.draw(st.integers(1, 12)))
    monkeypatch.setattr(plain_text, "MAX_LINE_CHARACTERS", data.draw(st.sampled_from([4, 5, 99])))
    monkeypatch.setattr("bbert.corpus.compressed._READ_BYTES", data.draw(st.integers(1, 12)))
    pieces = list(read_pieces([path]))
    assert documents(pieces) == reference_documents(text.removeprefix("\ufeff"))
    assert all("\n\n" not in text and text == text.strip("\n") for text, _ in pieces)


def test_the_end_of_a_file_ends_a_document(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"{name} one\n{name} two")
    pieces = list(read_pieces([tmp_path / "a", tmp_path / "b"]))
    assert pieces == [Piece("a one\na two", True), Piece("b one\nb two", True)]


def test_what_was_treated_is_counted(tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffone\r\n \t\r\ntwo\rthree\n".encode())
    counts: Counter[str] = Counter()
    assert documents(list(read_pieces([path], counts))) == ["one", "two\nthree"]
    assert counts == {"byte_order_marks": 1, "carriage_returns": 3, "white_lines": 1}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_unicode_encodings_are_known_by_their_mark(tmp_path: Path, encoding: str):
    text = "\ufeff" * (encoding[-2:] in ("le", "be")) + "señor 漢 😀\n\nдва\n"
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode(encoding))
    assert documents(list(read_pieces([path]))) == ["señor 漢 😀", "два"]


@pytest.mark.parametrize("block_bytes", [3, 1 << 20])
def test_bad_utf8_is_named_by_line_and_byte(tmp_path: Path, monkeypatch, block_bytes: int):
    monkeypatch.setattr(plain_text, "_BLOCK_BYTES", block_bytes)
    monkeypatch.setattr("bbert.corpus.compressed._READ_BYTES", block_bytes)
    path = tmp_path / "text.txt"
    path.write_bytes("uno\ndós\n".encode() + "añb\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"text\.txt: line 3, byte 10 is not UTF-8"):
        list(read_pieces([path]))
    path.write_bytes("uno\ndó".encode()[:-1])
    with pytest.raises(InputError, match="line 2, byte 5 is not UTF-8"):
        list(read_pieces([path]))


def test_long_lines_are_cut_after_sentences_and_counted(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(plain_text, "MAX_LINE_CHARACTERS", 20)
    path = tmp_path / "text.txt"
    path.write_text("Twelve words. A dozen. Of them. No more\nshort\n" + "x" * 30 + "e\u0301" * 9)
    counts: Counter[str] = Counter()
    assert documents(list(read_pieces([path], counts))) == [
        "Twelve words. \nA dozen. Of them. \nNo more\nshort\n"
        + "x" * 20 + "\n" + "x" * 10 + "e\u0301" * 5 + "\n" + "e\u0301" * 4
    ]  # fmt: skip
    assert counts["long_line_cuts"] == 4


def test_a_mark_stays_with_its_letter_where_a_line_is_cut(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(plain_text, "MAX_LINE_CHARACTERS", 9)
    path = tmp_path / "text.txt"
    path.write_text("e\u0301" * 9)
    [text] = documents(list(read_pieces([path])))
    assert text.split("\n") == ["e\u0301" * 4, "e\u0301" * 4, "e\u0301"]


def test_unicode_line_separators_are_spaces_and_counted(tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_text("one\u2028two\u2029three\x85four\n\n\u2028\n\nfive\n", newline="\n")
    counts: Counter[str] = Counter()
    found = documents(list(read_pieces([path], counts)))
    assert found == ["one\u2028two\u2029three\x85four", "five"]
    assert counts == {"unicode_line_separators": 4, "white_lines": 1}


@pytest.mark.slow
def test_one_line_of_a_hundred_megabytes_takes_little_time_and_memory(tmp_path: Path):
    """Reading keeps a block and a piece of the line in memory, and never the line."""
    import tracemalloc

    path = tmp_path / "text.txt"
    with path.open("w") as file:
        for number in range(2_000_000):
            file.write(f"Sentence number {number} of one line, fifty characters. ")
    assert path.stat().st_size > 100e6
    tracemalloc.start()
    began = time.perf_counter()
    size = sum(len(piece.text) for piece in read_pieces([path]))
    seconds = time.perf_counter() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 100e6
    assert peak < 30e6
    assert seconds < 30
