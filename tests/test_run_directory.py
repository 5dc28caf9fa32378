"""The stage contract: partial → complete, up to date, refusal, force, resume, lock, kill -9."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field, replace
from itertools import count as numbers
from pathlib import Path

import pytest

from bbert import run_directory
from bbert.errors import InputError
from bbert.run_directory import find_run, list_runs, open_run
from bbert.stage_config import (
    EXECUTION,
    StageConfig,
    config_hash,
    identity,
    joined_name,
    knobs_that_differ,
)


@dataclass(frozen=True)
class CountConfig(StageConfig):
    """A stage for the tests."""

    limit: int = 3
    """How far to count."""
    nsp: bool = True
    """A switch."""
    processes: int = field(default=1, metadata=EXECUTION)
    """Cannot change the result."""


def count(config: CountConfig, inputs: tuple[Path, ...] = (), fail_at: int | None = None) -> bool:
    """Write one file per step; True where something was computed."""
    with open_run("corpus", config.name or "run", config, inputs) as run:
        if run.up_to_date:
            return False
        for number in range(config.limit):
            with run.step(f"number-{number}") as step:
                if not step.done:
                    if number == fail_at:
                        raise RuntimeError("planted")
                    (run.path / f"{number}.txt").write_text(str(number))
                    step.counts["written"] = number
            run.counts[f"number-{number}"] = step.counts["written"]
        run.finish()
        return True


def test_manifest_holds_what_the_specification_names(work: Path, tmp_path: Path) -> None:
    source = tmp_path / "input.txt"
    source.write_text("text")
    assert count(CountConfig(work=work, seed=7), (source,))
    run = find_run(work, "corpus", None)
    manifest = run.manifest
    names = "stage name config config_hash inputs seed versions git_revision started finished"
    assert set(names.split()) | {"seconds", "counts", "metrics"} <= manifest.keys()
    assert manifest["stage"] == "corpus"
    assert manifest["seed"] == 7
    assert manifest["config"]["limit"] == 3
    assert "processes" not in manifest["config"]
    assert manifest["inputs"][0]["path"] == str(source)
    assert len(manifest["inputs"][0]["sha256"]) == 64
    assert manifest["counts"] == {f"number-{n}": n for n in range(3)}
    assert not (run.path / ".steps").exists()
    assert (run.path / "config.yaml").is_file()


def test_same_command_is_up_to_date_and_recomputes_nothing(work: Path) -> None:
    config = CountConfig(work=work)
    assert count(config)
    before = (work / "corpora/run/manifest.json").read_bytes()
    assert not count(config)
    assert not count(replace(config, processes=2)), "execution options are not part of a run"
    assert (work / "corpora/run/manifest.json").read_bytes() == before


def test_other_configuration_is_refused_naming_the_keys_and_force_replaces(work: Path) -> None:
    count(CountConfig(work=work))
    with pytest.raises(InputError, match=r"--limit 3 → 4") as refusal:
        count(CountConfig(work=work, limit=4))
    assert "--force" in str(refusal.value)
    assert str(refusal.value).count("\n") == 1
    assert count(CountConfig(work=work, limit=4, force=True))
    assert find_run(work, "corpus", "run").manifest["config"]["limit"] == 4


def test_changed_input_is_refused(work: Path, tmp_path: Path) -> None:
    source = tmp_path / "input.txt"
    source.write_text("one")
    count(CountConfig(work=work), (source,))
    source.write_text("two")
    with pytest.raises(InputError, match=r"input.*input\.txt"):
        count(CountConfig(work=work), (source,))


def test_inputs_that_changed_places_are_refused_and_moved_ones_are_not(
    work: Path, tmp_path: Path
) -> None:
    paths = [tmp_path / "text" / name for name in ("en.txt", "es.txt")]
    paths[0].parent.mkdir()
    for path, content in zip(paths, ("one", "uno"), strict=True):
        path.write_text(content)
    config = CountConfig(work=work)
    with pytest.raises(RuntimeError, match="planted"):
        count(config, tuple(paths), fail_at=1)
    for path, content in zip(paths, ("uno", "one"), strict=True):
        path.write_text(content)
    with pytest.raises(InputError, match=r"input.*en\.txt"):
        count(config, tuple(paths))
    for path, content in zip(paths, ("one", "uno"), strict=True):
        path.write_text(content)
    assert count(config, tuple(paths))
    moved = paths[0].parent.rename(tmp_path / "moved")
    assert not count(config, tuple(moved / path.name for path in paths))


def test_with_renew_a_run_of_other_inputs_is_replaced_and_one_of_other_options_refused(
    work: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.txt"
    data.write_text("one")
    config = CountConfig(work=work, renew=True)
    assert count(config, (data,))
    assert not count(config, (data,)), "the same inputs: up to date"
    data.write_text("two")
    with pytest.raises(InputError, match=r"data\.txt"):
        count(replace(config, renew=False), (data,))
    with pytest.raises(InputError, match="--limit 3 → 4"):
        count(replace(config, limit=4), (data,))
    assert count(config, (data,))
    data.write_text("three")
    with pytest.raises(RuntimeError):
        count(config, (data,), fail_at=1)
    data.write_text("four")  # nor is what was begun with the third gone on with
    assert count(config, (data,))
    assert not count(replace(config, renew=False), (data,))


@dataclass(frozen=True)
class LaterConfig(CountConfig):
    """The same stage in a later version."""

    further: tuple[str, ...] = ()
    """An option that runs of before do not know."""
    another: str | None = None
    """And one more."""


def test_a_run_of_a_version_without_an_option_is_one_that_was_not_given_it(work: Path) -> None:
    assert count(CountConfig(work=work))
    assert not count(LaterConfig(work=work))
    with pytest.raises(InputError, match="--further None → "):
        count(LaterConfig(work=work, further=("a",)))


def test_failed_run_leaves_only_partial_and_goes_on(work: Path) -> None:
    config = CountConfig(work=work)
    with pytest.raises(RuntimeError, match="planted"):
        count(config, fail_at=2)
    assert not (work / "corpora/run").exists()
    first = (work / "corpora/run.partial/0.txt").stat().st_mtime_ns
    assert count(config)
    assert (work / "corpora/run/0.txt").stat().st_mtime_ns == first, "a finished step ran again"
    assert not (work / "corpora/run.partial").exists()


def test_partial_run_of_another_configuration_is_refused(work: Path) -> None:
    with pytest.raises(RuntimeError):
        count(CountConfig(work=work), fail_at=1)
    with pytest.raises(InputError, match="--limit"):
        count(CountConfig(work=work, limit=5))
    assert count(CountConfig(work=work, limit=5, force=True))


def test_bad_input_leaves_nothing(work: Path) -> None:
    config = CountConfig(work=work)
    with pytest.raises(InputError), open_run("corpus", "run", config) as run:
        (run.path / "half").write_text("x")
        raise InputError("bad")
    assert list((work / "corpora").iterdir()) == []


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


def test_second_process_is_refused_while_the_first_writes(work: Path) -> None:
    config = CountConfig(work=work)
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from test_run_directory import CountConfig, count\n"
        f"from pathlib import Path\ncount(CountConfig(work=Path({str(work)!r})))"
    )
    with open_run("corpus", "run", config):
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"process {os.getpid()} is writing this run" in second.stderr


def test_newest_complete_run_is_taken_and_missing_ones_are_named(work: Path) -> None:
    with pytest.raises(InputError, match="bbert corpus build"):
        find_run(work, "corpus", None)
    for name in ("b", "a"):
        count(CountConfig(work=work, name=name))
        time.sleep(0.002)
    assert [run.name for run in list_runs(work, "corpus")] == ["b", "a"]
    assert find_run(work, "corpus", None).name == "a"
    assert find_run(work, "corpus", str(work / "corpora/b")).name == "b"
    with pytest.raises(InputError, match=r"there: b, a"):
        find_run(work, "corpus", "c")


def test_damaged_manifest_is_named(work: Path) -> None:
    count(CountConfig(work=work))
    (work / "corpora/run/manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest\.json: damaged"):
        count(CountConfig(work=work))


def test_name_and_hash_follow_the_knobs(work: Path) -> None:
    assert knobs_that_differ(CountConfig(work=work)) == []
    assert knobs_that_differ(CountConfig(work=work, limit=12, nsp=False)) == ["limit12", "no-nsp"]
    one, two = (identity(CountConfig(work=work, limit=n)) for n in (1, 2))
    assert config_hash(one) != config_hash(two)
    assert config_hash(one) == config_hash(dict(reversed(one.items())))


def test_long_names_are_cut_and_stay_apart() -> None:
    assert joined_name(["a", "depth12"]) == "a-depth12"
    one, two = (joined_name(["ü" * 150, end]) for end in ("x", "y"))
    assert one != two
    assert max(len(one.encode()), len(two.encode())) <= 180


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
