"""The same input and seed give the same bytes, whatever the number of workers; a killed worker is a
clear failure, after which the same command goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from dump_files import article, dump, page, plain_text

from bbert.cli import main
from bbert.corpus import plain_text as reading
from bbert.corpus import text as text_module
from bbert.corpus import word_blocks

VARIANTS = {
    "fake and mirror": ["--languages", "enfake", "en", "--vocab", "mirror"],
    "unigram": ["--languages", "enfake", "en", "--unigram", "en", "--max-bytes", "60000"],
    "permute": ["--languages", "enfake", "en", "--permute", "enfake=0.5", "--permute", "en=1",
                "--permute-variant", "positions"],
    "paper": ["--languages", "en", "--permute", "en=0.25", "--permute-variant", "paper",
              "--segmentation", "unigram", "--vocab-size", "150"],
    "partial overlap": ["--languages", "enfakeshare30", "en"],
    "reversed": ["--languages", "enreversed", "enfakereversed", "--permute", "enreversed=0.25"],
    "characters": ["--languages", "enfake", "en", "--tokenization", "char"],
    "words": ["--languages", "en", "--tokenization", "word"],
}  # fmt: skip


@pytest.fixture(scope="module")
def dumps(tmp_path_factory) -> list[str]:
    """Three parts of a dump, as options."""
    folder = tmp_path_factory.mktemp("dump")
    for part in range(3):
        pages = [page(f"A {n}", article(n), number=n) for n in range(100 * part, 100 * part + 40)]
        (folder / f"p{part}.xml").write_text(dump(pages))
    return ["--dump", f"en={folder}/p*.xml"]


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> list[str]:
    path = tmp_path_factory.mktemp("text") / "en.txt"
    path.write_text(plain_text(400, seed=3))
    return ["--text", f"en={path}"]


@pytest.fixture
def small_blocks(monkeypatch):
    """Many batches and blocks, and workers for however little there is to do."""
    monkeypatch.setattr("bbert.corpus.workers.WORTH_WORKERS", 0)
    cut_small(monkeypatch)


def cut_small(monkeypatch) -> None:
    """Text goes through the steps in small blocks, long documents in pieces."""
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 700)
    monkeypatch.setattr(reading, "PIECE_CHARACTERS", 900)
    monkeypatch.setattr(text_module, "BATCH_CHARACTERS", 4000)
    monkeypatch.setattr(word_blocks, "BLOCK_BYTES", 3000)


def build(work: Path, options: list[str], processes: int) -> int:
    sized = {"--tokenization", "--vocab-size"} & set(options)
    size = [] if sized else ["--vocab-size", "300"]
    return main(
        ["corpus", "build", "--work", str(work), "--quiet", "--name", "corpus", *options, *size,
         "--processes", str(processes)]
    )  # fmt: skip


def content(corpus: Path) -> dict[str, bytes]:
    """Every file but the manifest, which has the time in it, and the options, with `processes`."""
    return {
        str(path.relative_to(corpus)): path.read_bytes()
        for path in sorted(corpus.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "config.yaml")
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_workers_leave_no_trace(tmp_path: Path, text: list[str], small_blocks, variant: str):
    options = VARIANTS[variant] + text
    corpora = []
    for processes in (1, 2, 3):
        assert build(tmp_path / str(processes), options, processes) == 0
        corpora.append(content(tmp_path / str(processes) / "corpora" / "corpus"))
    languages = VARIANTS[variant][1:3]
    assert f"text/{languages[0]}.txt.zst" in corpora[0]
    for other in corpora[1:]:
        different = [name for name in corpora[0] if corpora[0][name] != other.get(name)]
        assert not different
        assert corpora[0].keys() == other.keys()


@pytest.mark.parametrize("variant", VARIANTS)
def test_block_sizes_leave_no_trace(tmp_path: Path, text: list[str], monkeypatch, variant: str):
    """How much text is in memory at a time decides nothing, the vocabulary's sample included."""
    is_sampled = "char" not in VARIANTS[variant]
    options = VARIANTS[variant] + text + ["--sample-sentences", "500"] * is_sampled
    assert build(tmp_path / "whole", options, 1) == 0
    cut_small(monkeypatch)
    assert build(tmp_path / "small", options, 1) == 0
    whole, small = (content(tmp_path / name / "corpora" / "corpus") for name in ("whole", "small"))
    assert [name for name in whole if whole[name] != small.get(name)] == []
    assert whole.keys() == small.keys()


def test_parts_of_a_dump_side_by_side(tmp_path: Path, dumps: list[str]):
    corpora = []
    options = ["--languages", "en", "--vocab-size", "110", *dumps]  # few words: a small vocabulary
    for processes in (1, 2, 3):
        assert build(tmp_path / str(processes), options, processes) == 0
        corpora.append(content(tmp_path / str(processes) / "corpora" / "corpus"))
    assert corpora[0] == corpora[1] == corpora[2]


class KillsItsWorker:
    """Stands in for the work on a batch: the process that does it is killed, once."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __call__(self, text: str) -> str:
        if not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return text


def test_a_killed_worker_fails_the_build_and_the_same_command_goes_on(
    tmp_path: Path, text: list[str], small_blocks, monkeypatch, capsys
):
    options = ["--languages", "enfake", "en", *text]
    assert build(tmp_path / "undisturbed", options, 2) == 0
    # `en` stands beside `enfake`, which is finished by then
    monkeypatch.setattr("bbert.corpus.language_text.give_way", KillsItsWorker(tmp_path / "killed"))
    work = tmp_path / "work"
    assert build(work, options, 2) == 1
    message = capsys.readouterr().err
    assert "killed (signal 9, SIGKILL) while making the final text of en\n" in message
    assert "run the same command again" in message
    assert "Traceback" not in message
    assert not (work / "corpora" / "corpus").exists()
    finished = work / "corpora" / "corpus.partial" / "text" / "enfake.txt.zst"
    before = finished.stat().st_mtime_ns
    assert build(work, options, 2) == 0
    complete = work / "corpora" / "corpus"
    assert (complete / "text" / "enfake.txt.zst").stat().st_mtime_ns == before
    assert content(complete) == content(tmp_path / "undisturbed" / "corpora" / "corpus")
