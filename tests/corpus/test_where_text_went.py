"""A language without text: the error names the step at which its documents went."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dump_files import plain_text

from bbert.cli import main


def build(folder: Path, content: bytes, *options: str) -> int:
    path = folder / "en.txt"
    path.write_bytes(content)
    (folder / "es.txt").write_text(plain_text(20, seed=1))
    return main(
        ["corpus", "build", "--work", str(folder / "work"), "--quiet", "--vocab-size", "100",
         "--text", f"en={path}", "--text", f"es={folder / 'es.txt'}", *options]
    )  # fmt: skip


CASES: dict[str, tuple[bytes, list[str], str]] = {
    "read: blank lines": (b"\n  \n\t\n\n", [], r"only blank lines \(2 of them with spaces\)"),
    "read: no space either": (b"\n\n\n", [], "only blank lines were read"),
    "dealt": (
        b"One. Two.\n",
        ["--languages", "en", "enfake", "es"],
        r"1 document\(s\) cannot be dealt to 2 languages, and 'enfake' got none|"
        r"1 document\(s\) cannot be dealt to 2 languages, and 'en' got none",
    ),
    "kept": (b"One. Two.\n", ["--max-bytes", "9"], "--max-bytes 9: no document of 'en' is that"),
    "emptied by tokenisation": (
        b"\x00\x01\n\n\x02\x03\n\n\x04\n",
        [],
        r"3 document\(s\) read, 3 dealt to it, 3 kept, and none of them has a word "
        r"\(5 control characters were removed\)",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_step_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    content, options, message = CASES[case]
    assert build(tmp_path, content, *options) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert re.search(message, error), error
    assert str(tmp_path / "en.txt") in error or "--max-bytes" in error


def test_a_language_without_a_known_word_fails_the_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its documents are all there, but their tokens say nothing."""
    unique = "\n\n".join(f"w{i}" for i in range(2)).encode()
    options = ["--tokenization", "word", "--smoothing", "1", "--sample-sentences", "1000"]
    frequent = "\n\n".join("a b c d e f g h i j k l m n o p q r s t u v x y z " * 9 for _ in "ab")
    (tmp_path / "fr.txt").write_text(frequent + "\n")
    options += ["--text", f"fr={tmp_path / 'fr.txt'}", "--vocab-size", "64"]
    assert build(tmp_path, unique, *options) == 1
    assert "en: 0.00% of the words are in the vocabulary" in capsys.readouterr().err
