"""A build killed with `-9` and repeated ends with the same bytes as one that was never killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dump_files import article, dump, page, plain_text, write

from bbert.cli import main


@pytest.fixture(scope="module")
def command(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("input")
    pages = [page(f"A {number}", article(number), number=number) for number in range(300)]
    (folder / "en.xml").write_text(dump(pages))
    (folder / "es.txt").write_text(plain_text(3000, seed=1))
    return [
        sys.executable, "-m", "bbert", "corpus", "build", "--quiet", "--languages", "enfake", "en",
        "es", "--dump", f"en={folder}/en.xml", "--text", f"es={folder}/es.txt", "--vocab-size",
        "300", "--max-bytes", "200000", "--name", "killed", "--processes", "2",
    ]  # fmt: skip


def content(corpus: Path) -> dict[str, bytes]:
    """Every file but the manifest, which has the time in it."""
    return {
        str(path.relative_to(corpus)): path.read_bytes()
        for path in sorted(corpus.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def kill_after(command: list[str], work: Path, share: float, seconds: float) -> bool:
    """Run a build and kill it after a share of the time it needs; whether it was still running."""
    partial = work / "corpora" / "killed.partial"
    process = subprocess.Popen([*command, "--work", str(work)])
    while not partial.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(share * seconds)
    was_running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return was_running


def test_killed_at_three_random_moments(command: list[str], tmp_path: Path):
    undisturbed = tmp_path / "undisturbed"
    started = time.monotonic()
    subprocess.run([*command, "--work", str(undisturbed)], check=True, timeout=300)
    seconds = time.monotonic() - started
    expected = content(undisturbed / "corpora" / "killed")
    assert {"config.yaml", "certificate.json", "text/enfake.txt.zst"} < expected.keys()

    work = tmp_path / "work"
    moments = [random.uniform(0.02, 0.6) for _ in range(3)]
    print("killed at", moments, "of", seconds)  # shown if the test fails
    for moment in moments:
        if kill_after(command, work, moment, seconds):
            assert not (work / "corpora" / "killed").exists()
    subprocess.run([*command, "--work", str(work)], check=True, timeout=300)
    assert content(work / "corpora" / "killed") == expected
    assert not (work / "corpora" / "killed.partial").exists()


def test_a_build_that_lacks_only_its_manifest_is_finished(tmp_path: Path, monkeypatch):
    (tmp_path / "en.txt").write_text(plain_text(50))
    build = [
        "corpus", "build", "--work", str(tmp_path), "--quiet", "--text", f"en={tmp_path}/en.txt",
        "--vocab-size", "150", "--name", "late",
    ]  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr("bbert.run_directory.Run.finish", lambda run: sys.exit(9))
        with pytest.raises(SystemExit):
            main(build)
    assert (tmp_path / "corpora" / "late.partial" / "certificate.json").exists()
    assert main(build) == 0
    assert (tmp_path / "corpora" / "late" / "manifest.json").exists()


def test_a_build_killed_while_it_deletes_what_was_extracted_from_goes_on(
    tmp_path: Path, monkeypatch
):
    dump_file = write(tmp_path, dump([page(f"A {i}", article(i), number=i) for i in range(9)]))
    build = [
        "corpus", "build", "--work", str(tmp_path), "--quiet", "--dump", f"en={dump_file}",
        "--vocab-size", "100", "--name", "halved", "--processes", "1",
    ]  # fmt: skip
    delete = shutil.rmtree

    def killed_half_way(path: Path, *arguments, **options):
        if Path(path).name != "dump-en":
            return delete(path, *arguments, **options)
        (Path(path) / "1.text.zst").unlink()  # and what says that it is done is still there
        sys.exit(9)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", killed_half_way)
        with pytest.raises(SystemExit):
            main(build)
    assert (tmp_path / "corpora" / "halved.partial" / "intermediate" / "dump-en").exists()
    assert main(build) == 0
    assert (tmp_path / "corpora" / "halved" / "manifest.json").exists()
    assert not (tmp_path / "corpora" / "halved" / "intermediate").exists()


def test_nothing_keeps_running_after_a_kill(command: list[str], tmp_path: Path):
    work = tmp_path / "work"
    kill_after(command, work, 0.1, 1.0)
    deadline = time.monotonic() + 30
    while left := [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc")))
                   if str(work) in command_line(pid)]:  # fmt: skip
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
