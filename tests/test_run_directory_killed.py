"""A run killed at any moment loses nothing: the same command completes it."""

from __future__ import annotations

import errno
import json
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from itertools import count as numbers
from pathlib import Path

import pytest
from counting_stage import CountConfig, count

from bbert import run_directory
from bbert.run_directory import find_run, list_runs


class Killed(BaseException):
    """A process that ends here."""


def kill_at(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """End the process before file operation number `moment` of `Run.finish`."""
    number = numbers()

    def ending(operation):
        def either(*arguments, **options):
            if next(number) == moment:
                raise Killed
            return operation(*arguments, **options)

        return either

    finish = run_directory.Run.finish

    def finish_and_be_killed(run: run_directory.Run) -> run_directory.RunDirectory:
        with monkeypatch.context() as within:
            for name in ("rename", "replace", "unlink", "write_text"):
                within.setattr(Path, name, ending(getattr(Path, name)))
            within.setattr(shutil, "rmtree", ending(shutil.rmtree))
            return finish(run)

    monkeypatch.setattr(run_directory.Run, "finish", finish_and_be_killed)


def written_at(folder: Path) -> list[int]:
    return [(folder / f"{number}.txt").stat().st_mtime_ns for number in range(3)]


@pytest.mark.parametrize("force", [False, True])
def test_killed_at_any_moment_of_its_end_a_run_loses_nothing(
    tmp_path: Path, force: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for moment in numbers():
        work = tmp_path / str(moment)
        folder, partial = work / "corpora/run", work / "corpora/run.partial"
        config = CountConfig(work=work, force=force)
        if force:
            count(config)
        before = written_at(folder) if force else []
        with monkeypatch.context() as here:
            kill_at(here, moment)
            try:
                count(config)
                break  # the end has fewer moments
            except Killed:
                pass
        complete = [path for path in (folder, partial) if (path / "2.txt").exists()]
        newest = max(written_at(path) for path in complete)
        assert newest != before
        count(config)
        assert written_at(folder) == newest, "what was complete has been computed again"
        assert sorted(path.name for path in folder.parent.iterdir()) == ["run"]
        left = {"config.yaml", "manifest.json", *(f"{number}.txt" for number in range(3))}
        assert {path.name for path in folder.iterdir()} == left
        assert not count(replace(config, force=False))
    assert moment > 5


def test_after_a_killed_replacement_the_new_run_is_there_without_force_too(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(CountConfig(work=work))
    before = written_at(work / "corpora/run")
    rename = Path.rename

    def rename_but_the_new_one(path: Path, target: Path) -> Path:
        if path.suffix == ".partial":
            raise Killed
        return rename(path, target)

    with monkeypatch.context() as here, pytest.raises(Killed):
        here.setattr(Path, "rename", rename_but_the_new_one)
        count(CountConfig(work=work, force=True))
    assert list_runs(work, "corpus") == [], "the run that was put aside is no run"
    assert not count(CountConfig(work=work))
    assert written_at(work / "corpora/run") > before


def test_no_room_for_the_manifest_leaves_a_run_that_goes_on(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CountConfig(work=work)
    write = run_directory.write_json_atomically

    def write_but_the_manifest(path: Path, content: dict) -> None:
        if path.name == "manifest.json":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, content)

    with monkeypatch.context() as here, pytest.raises(OSError, match="No space"):
        here.setattr(run_directory, "write_json_atomically", write_but_the_manifest)
        count(config)
    before = written_at(work / "corpora/run.partial")
    assert count(config)
    assert written_at(work / "corpora/run") == before


def test_interrupted_replacement_is_undone(work: Path) -> None:
    count(CountConfig(work=work))
    (work / "corpora/run").rename(work / "corpora/.run.replaced")
    assert not count(CountConfig(work=work)), "the replaced run was not put back"


SLOW_STAGE = """
    import time
    from pathlib import Path
    from bbert.run_directory import open_run
    from bbert.stage_config import StageConfig
    with open_run("corpus", "run", StageConfig(work=Path({work!r}))) as run:
        if not run.up_to_date:
            for number in range(40):
                with run.step(f"number-{{number}}") as step:
                    if not step.done:
                        with open(run.path / f"{{number}}.txt", "w") as stream:
                            for part in range(5):
                                stream.write(str(part)); stream.flush(); time.sleep(0.004)
                        step.counts["parts"] = part
                run.counts[str(number)] = step.counts["parts"]
            run.finish()
"""


def test_killed_at_random_moments_the_same_command_completes(work: Path) -> None:
    code = textwrap.dedent(SLOW_STAGE.format(work=str(work)))
    moments = random.Random(0)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", code])
        time.sleep(0.35 + moments.random() * 0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
        final = work / "corpora/run"
        assert not final.exists() or json.loads((final / "manifest.json").read_text())
    subprocess.run([sys.executable, "-c", code], check=True)
    final = work / "corpora/run"
    assert [(final / f"{n}.txt").read_text() for n in range(40)] == ["01234"] * 40
    assert find_run(work, "corpus", "run").manifest["counts"] == {str(n): 4 for n in range(40)}
