"""The final text: one sentence a line, documents kept, the same for any number of workers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import zstandard
from dump_files import plain_text
from hypothesis import given, settings
from hypothesis import strategies as st

from bbert.corpus import text as text_module
from bbert.corpus.plain_text import Piece
from bbert.corpus.sentences import final_text
from bbert.corpus.text import write_text
from bbert.corpus.workers import Workers
from bbert.fake import WHITE_SPACE, give_way
from bbert.languages import Language, unfake

en, enfake = Language.parse("en"), Language.parse("enfake")


def read(path: Path) -> str:
    """A `.txt.zst` file as any reader gives it, which may stop after the first frame."""
    with zstandard.open(path, "rt", encoding="utf-8", newline="") as stream:
        return stream.read()


def test_sentences_words_and_documents():
    result = final_text('Mr. Smith left. "Why?" she\tasked.\nThe end!\n\nDoc two.', en, False)
    assert result.text.decode().split("\n\n") == [
        'Mr . Smith left .\n" Why ? " she asked .\nThe end !',
        "Doc two .\n",
    ]
    assert (result.documents, result.sentences, result.words) == (2, 4, 18)


def test_presplit_lines_stay_sentences():
    result = final_text("One. Two.\nthree", en, presplit=True)
    assert result.text == b"One . Two .\nthree\n"


def test_documents_without_text_are_dropped_and_counted():
    result = final_text("\x00\x01\n\u200b\x02\n\n\x03\n\nreal", en, False)
    assert result.text.decode() == "\u200b\n\nreal\n"
    assert (result.documents, result.empty_documents, result.removed_characters) == (2, 1, 4)


awkward = st.text(
    st.characters(codec="utf-8")
    | st.sampled_from("ab.!? \t\x00\x1c\x85\u2028\u3000\ufffd漢\u0301\U00030d72"),
    max_size=30,
).map(lambda line: line.replace("\n", " ").replace("\r", " "))
documents = st.lists(st.lists(awkward, min_size=1, max_size=3), min_size=1, max_size=4)


@given(documents, st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_text_becomes_well_formed(documents: list[list[str]], presplit: bool):
    raw = "\n\n".join(
        "\n".join(line for line in document if line.strip()) or "x" for document in documents
    )
    plain = final_text(raw, en, presplit, [give_way])
    shifted = final_text(raw, enfake, presplit)
    text = plain.text.decode()
    lines = text.split("\n")[:-1]
    assert plain.sentences == sum(map(bool, lines))
    assert plain.words == sum(len(line.split(" ")) for line in lines if line)
    assert plain.documents == len([d for d in text.split("\n\n") if d.strip("\n")])
    assert plain.documents + plain.empty_documents == len(documents)
    assert not re.search(r"(?m)^ | $|  ", text)
    assert not text.startswith("\n")
    assert "\n\n\n" not in text
    assert set(plain.characters) == set(map(ord, text)) - {0x20, 0x0A}
    white = {chr(code) for code in WHITE_SPACE}
    assert set(shifted.text.decode()) & set(text) <= white
    assert give_way(unfake(shifted.text.decode())) == text
    counts = ("documents", "sentences", "words", "removed_characters", "empty_documents")
    assert [getattr(plain, c) for c in counts] == [getattr(shifted, c) for c in counts]


def pieces_of(text: str) -> list[Piece]:
    return [Piece(document.strip("\n"), True) for document in text.split("\n\n")]


@pytest.mark.parametrize("language", [en, enfake])
def test_batches_and_workers_do_not_show(tmp_path: Path, monkeypatch, language: Language):
    pieces = pieces_of(plain_text(60))
    whole = write_text(tmp_path / "whole.txt.zst", pieces, language, False)
    monkeypatch.setattr(text_module, "BATCH_CHARACTERS", 300)
    batched = write_text(tmp_path / "batched.txt.zst", pieces, language, False)
    with Workers(2) as workers:
        shared = write_text(tmp_path / "shared.txt.zst", pieces, language, False, workers=workers)
    assert read(tmp_path / "whole.txt.zst") == read(tmp_path / "batched.txt.zst")
    assert (tmp_path / "batched.txt.zst").read_bytes() == (tmp_path / "shared.txt.zst").read_bytes()
    assert whole.numbers() == batched.numbers() == shared.numbers()
    assert np.array_equal(whole.characters, shared.characters)
    assert whole.documents == 60
    assert whole.bytes == len(read(tmp_path / "whole.txt.zst").encode())


def test_parts_of_a_long_document_join_without_a_blank_line(tmp_path: Path):
    pieces = [
        Piece("one", True),
        Piece("two\nthree", False),
        Piece("four", False),
        Piece("", True),
        Piece("\x00", False),
        Piece("\x01", True),
        Piece("five", True),
    ]
    counts = write_text(tmp_path / "text.txt.zst", pieces, en, False)
    assert read(tmp_path / "text.txt.zst") == "one\n\ntwo\nthree\nfour\n\nfive\n"
    assert (counts.documents, counts.empty_documents, counts.sentences) == (3, 1, 5)
