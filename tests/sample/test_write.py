"""`bbert sample`: same seed same bytes, and what it leaves alone."""

from __future__ import annotations

import bz2
import errno
import hashlib
import json
from pathlib import Path

import pytest
from sample_files import LANGUAGES, PARTS

from bbert.cli import main
from bbert.errors import InputError
from bbert.sample import write
from bbert.sample.config import SampleConfig
from bbert.sample.run import run
from bbert.sample.write import write_sample


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of a few sentences."""
    monkeypatch.setattr(write, "DUMP_SENTENCES", dict.fromkeys(LANGUAGES, 60))
    monkeypatch.setattr(write, "TAGGED_SENTENCES", dict.fromkeys(PARTS, 20))
    monkeypatch.setattr(write, "XNLI_PROMPTS", dict.fromkeys(PARTS, 5))
    monkeypatch.setattr(write, "PAWSX_PAIRS", dict.fromkeys(PARTS, 10))
    monkeypatch.setattr(write, "PARALLEL_LINES", 10)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_bytes_are_those_of_the_version(sample: Path) -> None:
    """Published numbers stand on them: where they are to change, `VERSION` is raised as well."""
    whole = hashlib.sha256()
    for path in sorted(path for path in sample.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".bz2":  # what a compressor makes of it is its own affair
            content = bz2.decompress(content)
        whole.update(f"{path.relative_to(sample)}\0".encode() + hashlib.sha256(content).digest())
    expected = {4: "34b5df5c9932f03538a8e06a04c745e5cc5c3c549e37bb7c37f98fc6d10ea21e"}
    assert {write.VERSION: whole.hexdigest()} == expected


@pytest.mark.usefixtures("small")
def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_sample(tmp_path / name, seed)
    first, same, other = (digests(tmp_path / name) for name in "abc")
    assert first == same
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


@pytest.mark.usefixtures("small")
def test_an_existing_sample_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    (tmp_path / ".sample.partial").mkdir()
    (tmp_path / ".sample.partial" / "rest").write_text("of a killed run")
    (tmp_path / "sample.partial").mkdir()
    folder.mkdir()
    assert write_sample(folder, 1)
    assert not (folder / "rest").exists()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert not write_sample(folder, 1)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(InputError, match="seed 2"):
        write_sample(folder, 2)
    record = json.loads((folder / write.RECORD).read_text())
    assert record["seed"] == 1
    assert record["version"] == write.VERSION
    assert record["languages"] == list(LANGUAGES)


def test_other_data_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="mine"):
        write_sample(tmp_path / "mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file"):
        write_sample(tmp_path / "file")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


@pytest.mark.usefixtures("small")
def test_command(tmp_path: Path) -> None:
    config = SampleConfig(tmp_path / "sample", seed=3)
    assert "wrote" in run(config)
    assert "up to date" in run(config)
    with pytest.raises(ValueError, match="--seed -1"):
        SampleConfig(tmp_path, seed=-1)


@pytest.mark.usefixtures("small")
def test_the_current_folder_and_those_above_it_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "above" / "here"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    for folder in (".", "..", str(here), "/", "../../above/"):
        assert main(["sample", folder]) == 2
        assert "current folder or one above it" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["above", "here"]
    assert main(["sample", "../sample"]) == 0
    assert (tmp_path / "above" / "sample" / write.RECORD).is_file()
    monkeypatch.chdir(tmp_path / "above" / "sample")
    assert not write_sample(Path("."))  # the sample itself, as a corpus finds it


@pytest.mark.usefixtures("small")
def test_a_sample_of_an_older_version_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    write_sample(folder)
    record = json.loads((folder / write.RECORD).read_text())
    (folder / write.RECORD).write_text(json.dumps({**record, "version": 3}))
    with pytest.raises(InputError, match="version 4; it holds version 3\ngive another folder, or"):
        write_sample(folder)


def test_a_folder_that_cannot_be_written_has_a_mend_that_the_command_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def closed(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", closed)  # root may write everywhere
    assert main(["sample", str(tmp_path / "closed" / "sample"), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "Permission denied; give a folder that can be written" in said
    assert "--work" not in said
