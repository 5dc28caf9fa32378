"""Odd text through the whole build: treated as what it means, counted, and never changed silently.

Every case is built as characters, so that each of them can be found again in the token store.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import zstandard

from bbert.cli import main
from bbert.corpus import plain_text
from bbert.corpus.token_store import TokenStore
from bbert.languages import Language, unfake

ARABIC = "كتاب\u200fٌ جديد، (في) المدينة\u061f עברית\u200e: ‏שלום‏ 12-3"
COMBINING = "e\u0301 a\u030a\u0323 क\u094d\u200dष q\u0307\u0323 \u1112\u1161\u11ab n\u0303o"
ODD = {
    "right to left": (ARABIC + "\n\n" + ARABIC[::-1], {}),
    "combining": (COMBINING + "\n\n" + COMBINING[:5], {}),
    "zero bytes": ("on\x00e t\x00\x00wo\n\nth\x01ree\x7f", {"removed_characters": 5}),
    "lines of spaces": ("one\n \t \u3000\ntwo\n\u00a0\n\nthree", {"white_lines": 2}),
    "mixed line ends": (
        "one\r\ntwo\rthree\n\r\nfour\r\rfive\u2028six\u2029seven",
        {"carriage_returns": 5, "unicode_line_separators": 2},
    ),
    "emoji and private use": ("👩\u200d🚀 \ue000 \U000f0000 ﬁ ½\n\n\U0001f1ee\U0001f1f9", {}),
}
ENCODINGS = {"utf-8": 0, "utf-8-sig": 1, "utf-16": 1, "utf-32": 1}


def build(folder: Path, content: bytes, *options: str) -> tuple[Path, dict[str, Any]]:
    """The corpus of `en` and `enfake` from the same documents, and what the steps counted."""
    path = folder / "en.txt"
    path.write_bytes(content)
    code = main(
        ["corpus", "build", "--work", str(folder), "--quiet", "--name", "odd", "--text",
         f"en={path}", "--languages", "enfake", "en", "--shared-text", "same", "--tokenization",
         "char", "--presplit", "--vocab", "mirror", *options]
    )  # fmt: skip
    assert code == 0
    corpus = folder / "corpora" / "odd"
    certificate = json.loads((corpus / "certificate.json").read_text())
    counts: dict[str, Any] = {}
    for step in certificate["languages"]["en"]["steps"]:
        counts |= step
    return corpus, counts


def final_text(corpus: Path, language: str) -> str:
    with zstandard.open(corpus / "text" / f"{language}.txt.zst", "rt", newline="\n") as stream:
        return stream.read()


def paragraphs(text: str) -> list[list[str]]:
    """What the text means: documents of lines, by another implementation."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for removed in map(chr, (*range(9), *range(14, 32), 127)):
        text = text.replace(removed, "")
    lines = [" ".join(line.split()) for line in text.split("\n")]
    documents, current = [], []
    for line in [*lines, ""]:
        if line:
            current.append(unicodedata.normalize("NFC", line))
        elif current:
            documents.append(current)
            current = []
    return documents


@pytest.mark.parametrize("case", ODD)
def test_odd_text_is_kept_and_counted(tmp_path: Path, case: str) -> None:
    text, expected = ODD[case]
    corpus, counts = build(tmp_path, text.encode())
    for key in ("carriage_returns", "white_lines", "removed_characters", "unicode_line_separators"):
        assert counts.get(key, 0) == expected.get(key, 0), key
    final = final_text(corpus, "en")
    documents = [document.strip("\n").split("\n") for document in final.split("\n\n")]
    without_spaces = [["".join(line.split()) for line in d] for d in documents]
    assert without_spaces == [["".join(line.split()) for line in d] for d in paragraphs(text)]
    assert unfake(final_text(corpus, "enfake")) == Language.parse("en").apply(final)
    # Every character of the final text is a token, and its own one.
    vocabulary = (corpus / "tokenizer" / "vocab.txt").read_bytes().decode().split("\n")
    for name in ("en", "enfake"):
        store = TokenStore.open(corpus, name)
        lines = [line for line in final_text(corpus, name).split("\n") if line]
        assert len(store) == len(lines)
        for ids, line in zip(store, lines, strict=True):
            tokens = [vocabulary[i] for i in ids.tolist()]
            assert "".join(t[2:] if len(t) == 3 else t for t in tokens) == line.replace(" ", "")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_byte_order_marks_and_encodings_give_the_same_corpus(tmp_path: Path, encoding: str) -> None:
    text = f"{ARABIC}\r\n{COMBINING}\n\nseñor 漢\n"
    corpus, counts = build(tmp_path, text.encode(encoding))
    assert counts.get("byte_order_marks", 0) == ENCODINGS[encoding]
    final = final_text(corpus, "en")
    assert not final.startswith("\ufeff")
    expected, _ = build(tmp_path, text.encode(), "--force")
    assert final == final_text(expected, "en")


def test_utf_16_without_a_mark_is_an_error(tmp_path: Path, capsys) -> None:
    path = tmp_path / "en.txt"
    path.write_bytes("señor\n".encode("utf-16-le"))
    assert main(["corpus", "build", "--work", str(tmp_path), "--text", f"en={path}"]) == 2
    assert "line 1, byte 4 is not UTF-8" in capsys.readouterr().err


def test_a_line_longer_than_the_longest_is_cut_counted_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(plain_text, "MAX_LINE_CHARACTERS", 1000)
    monkeypatch.setattr("bbert.corpus.language_text.MAX_LINE_CHARACTERS", 1000)
    words = " ".join(f"word{i}" for i in range(3000))
    corpus, counts = build(tmp_path, f"{words}\nshort\n\nother\n".encode())
    cuts = counts["long_line_cuts"]
    assert len(words) / 1000 - 1 <= cuts <= len(words) / 500
    assert f"were cut, in {cuts} places" in capsys.readouterr().err
    final = final_text(corpus, "en")
    assert final.split() == [*words.split(), "short", "other"]
    assert max(map(len, final.split("\n"))) <= 1000


def test_a_long_line_without_spaces_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_text, "MAX_LINE_CHARACTERS", 1000)
    corpus, counts = build(tmp_path, b"x" * 10_500 + b"\n\ny\n")
    assert counts["long_line_cuts"] == 10
    assert [len(sentence) for sentence in TokenStore.open(corpus, "en")] == [1000] * 10 + [500, 1]
