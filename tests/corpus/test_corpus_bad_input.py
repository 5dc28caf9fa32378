"""What a user can get wrong: named in at most two lines, exit code 2, nothing left behind."""

from __future__ import annotations

import bz2
import gzip
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from dump_files import article, dump, page, plain_text

from bbert.cli import main

GOOD = dump([page(f"A {n}", article(n), number=n) for n in range(3)])


def binary(content: bytes) -> Callable[[Path], list[str]]:
    def make(path: Path) -> list[str]:
        path.write_bytes(content)
        return ["--dump", f"en={path}"]

    return make


def text(content: bytes, *options: str) -> Callable[[Path], list[str]]:
    def make(path: Path) -> list[str]:
        path.write_bytes(content)
        return ["--text", f"en={path}", *options]

    return make


def with_config(content: str) -> Callable[[Path], list[str]]:
    def make(path: Path) -> list[str]:
        path.write_text(content)
        return ["--config", str(path)]

    return make


CASES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "truncated bz2": (binary(bz2.compress(GOOD.encode())[:-100]), "cut off"),
    "truncated gz": (binary(gzip.compress(GOOD.encode())[:-100]), "cut off"),
    "truncated xml": (binary(GOOD.encode()[:-500]), "cut off"),
    "empty file": (binary(b""), "is empty"),
    "empty bz2": (binary(bz2.compress(b"")), "is empty"),
    "no pages": (binary(dump([]).encode()), "without a single page"),
    "zero articles": (
        binary(dump([page("A", "#REDIRECT [[B]]", redirect=True)]).encode()),
        "no article",
    ),
    "articles without text": (binary(dump([page("A", "{{Box}}")]).encode()), "no text in any"),
    "no dump: text": (binary(b"Hello, world.\n"), "not XML"),
    "no dump: web page": (binary(b"<!DOCTYPE html><html><p>x</p></html>"), "<html>"),
    "no dump: image": (binary(b"\x89PNG\r\n\x1a\n" + bytes(range(256))), "not XML|not UTF-8"),
    "a dump as text": (text(GOOD.encode()), "is a MediaWiki dump; give --dump"),
    "a compressed dump as text": (text(bz2.compress(GOOD.encode())), "give --dump"),
    "no dump: archive": (binary(b"PK\x03\x04" + bytes(100)), "zip archive"),
    "bad UTF-8 in a dump": (binary(GOOD.replace("river", "r\xedo").encode("latin-1")), "not UTF-8"),
    "bad UTF-8 in a text": (text("uno\ndós\n".encode("latin-1")), "line 2, byte 5 is not UTF-8"),
    "nothing but control characters": (text(b"\x00\x01\n\n\x02\n"), "no text in it"),
    "nothing but blank lines": (text(b"\n  \n\n"), "no text in it"),
    "unknown language": (lambda path: ["--languages", "xx"], "'xx' is unknown"),
    "not in the sample": (lambda path: ["--languages", "en", "it"], "no text in 'it'"),
    "not in the sample, planned": (
        lambda path: ["--languages", "en", "it", "--dry-run"],
        "no text in 'it'",
    ),
    "nothing to share": (text(b"One.\n", "--shared-text", "same"), "--shared-text same"),
    "unknown language of a file": (lambda path: ["--text", f"xx={path}"], "'xx' is unknown"),
    "missing file": (lambda path: ["--text", f"en={path}"], "no such file"),
    "a folder": (lambda path: ["--text", f"en={path.parent}"], "is a folder"),
    "no language": (lambda path: ["--text", str(path)], "LANGUAGE=FILE"),
    "a language without text": (text(b"One.\n", "--languages", "en", "es"), "no text for 'es'"),
    "text that nobody uses": (
        text(b"One.\n", "--languages", "es"),
        "not among --languages|no text",
    ),
    "one document for two": (
        text(b"One. Two.\n", "--languages", "en", "enfake"),
        "blank lines between documents",
    ),
    "too few bytes": (text(b"One. Two.\n", "--max-bytes", "3"), "--max-bytes 3"),
    "mirror of nothing": (text(b"One.\n", "--vocab", "mirror"), "--vocab mirror"),
    "unknown key": (with_config("seed: 1\nvocab_sise: 8000\n"), r":2: unknown option 'vocab_sise'"),
    "wrong type in YAML": (with_config("vocab_size: many\n"), r":1: vocab_size"),
    "wrong choice in YAML": (with_config("vocab: twin\n"), r":1: vocab"),
    "wrong type": (lambda path: ["--vocab-size", "many"], "vocab-size"),
    "wrong choice": (lambda path: ["--shared-text", "mixed"], "shared-text"),
    "unknown option": (lambda path: ["--vocab-sise", "8"], "--vocab-size"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(tmp_path: Path, capsys, case: str):
    make, message = CASES[case]
    options = make(tmp_path / "input")
    work = tmp_path / "work"
    code = main(["corpus", "build", "--work", str(work), "--name", "bad", *options])
    error = capsys.readouterr().err
    assert code == 2, error
    # What came before the error was found is progress.
    lines = error[error.index("bbert corpus build: ") :].strip().splitlines()
    assert len(lines) <= 2, error
    assert any(line.startswith("bbert corpus build: ") for line in lines)
    assert "Traceback" not in error
    assert re.search(message, error), error
    assert not list(work.glob("corpora/*"))


def test_a_vocabulary_that_the_text_cannot_fill(tmp_path: Path, capsys):
    path = tmp_path / "en.txt"
    path.write_text(plain_text(5))
    work = tmp_path / "work"
    build = ["corpus", "build", "--work", str(work), "--quiet", "--text", f"en={path}"]
    assert main([*build, "--vocab-size", "50000"]) == 2
    error = capsys.readouterr().err
    assert "--vocab-size 50000 is more than the text can fill" in error
    largest = int(error.split("the largest possible here is ")[1])
    assert main([*build, "--vocab-size", str(largest + 1), "--force"]) == 2
    assert main([*build, "--vocab-size", str(largest), "--name", "largest"]) == 0
    assert len(error.strip().splitlines()) <= 2
    assert [path.name for path in work.glob("corpora/*")] == ["largest"]


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys):
    path = tmp_path / "en.txt"
    path.write_text("One.\n")
    options = ["--text", f"en={path}", "--work", "/proc/bbert"]
    assert main(["corpus", "build", *options]) == 2
    error = capsys.readouterr().err
    assert "/proc/bbert" in error
    assert len(error.strip().splitlines()) <= 2


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 1 MB; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no mount program")
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(tmp_path: Path, small_disk: Path, capsys):
    path = tmp_path / "en.txt"
    path.write_text("\n\n".join(f"{os.urandom(3000).hex()}." for _ in range(1000)))
    options = ["--text", f"en={path}", "--work", str(small_disk), "--quiet", "--vocab-size", "200"]
    assert main(["corpus", "build", "--name", "full", *options]) == 1
    error = capsys.readouterr().err
    assert "No space left on device" in error
    assert len(error.strip().splitlines()) <= 2
    assert not (small_disk / "corpora" / "full").exists()
