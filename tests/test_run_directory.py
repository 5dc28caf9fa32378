"""The stage contract: partial → complete, up to date, refusal, force, resume, lock, names."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from counting_stage import CountConfig, count

from bbert import run_directory
from bbert.errors import InputError
from bbert.json_files import read_json, write_json_atomically
from bbert.run_directory import find_run, list_runs, open_run
from bbert.stage_config import config_hash, identity, joined_name, knobs_that_differ


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


def elsewhere(work: Path, tmp_path: Path, name: str) -> Path:
    """Move a run to another disk and leave a link to it."""
    there = tmp_path / "elsewhere"
    shutil.move(work / "corpora" / name, there)
    (work / "corpora" / name).symlink_to(there)
    return there


def test_a_run_that_is_a_link_is_found_and_replaced_and_its_files_stay(
    work: Path, tmp_path: Path
) -> None:
    count(CountConfig(work=work))
    there = elsewhere(work, tmp_path, "run")
    assert not count(CountConfig(work=work))
    assert count(CountConfig(work=work, force=True))
    assert not count(CountConfig(work=work)), "what --force left was in the way"
    assert [path.name for path in (work / "corpora").iterdir()] == ["run"]
    assert not (work / "corpora/run").is_symlink()
    assert (there / "manifest.json").is_file()


def test_a_begun_run_that_is_a_link_goes_on_or_starts_anew(work: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="planted"):
        count(CountConfig(work=work), fail_at=1)
    there = elsewhere(work, tmp_path, "run.partial")
    assert count(CountConfig(work=work, limit=4, force=True))
    assert (there / "0.txt").is_file()
    assert len(list((work / "corpora/run").glob("*.txt"))) == 4


def test_a_link_to_nowhere_is_in_the_way_before_anything_is_computed(work: Path) -> None:
    (work / "corpora").mkdir(parents=True)
    (work / "corpora/run").symlink_to(work / "nowhere")
    with pytest.raises(InputError, match="is in the way: it is not a bbert run"):
        count(CountConfig(work=work))
    assert not (work / "corpora/run.partial").exists()


@pytest.mark.parametrize(("content", "key"), [("{}", "config"), ('{"config": {}}', "inputs")])
def test_a_manifest_without_what_is_compared_is_named(work: Path, content: str, key: str) -> None:
    count(CountConfig(work=work))
    (work / "corpora/run/manifest.json").write_text(content)
    with pytest.raises(InputError, match=rf"manifest\.json: '{key}' is missing, so it is damaged"):
        count(CountConfig(work=work))


def test_a_begun_run_whose_record_is_empty_is_named(work: Path) -> None:
    with pytest.raises(RuntimeError, match="planted"):
        count(CountConfig(work=work), fail_at=1)
    (work / "corpora/run.partial/run.json").write_text("{}")
    with pytest.raises(InputError, match=r"run\.json: 'config' is missing"):
        count(CountConfig(work=work))


def test_no_room_for_json_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json_atomically(tmp_path / "a.json", {"old": 1})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_json_atomically(tmp_path / "a.json", {"new": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert read_json(tmp_path / "a.json") == {"old": 1}


def test_a_run_is_called_as_its_folder_wherever_one_stands(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(CountConfig(work=work))
    monkeypatch.chdir(work / "corpora/run")
    assert find_run(work, "corpus", ".").name == "run"
    (work / "corpora/run/text").mkdir()
    monkeypatch.chdir(work / "corpora/run/text")
    assert find_run(work, "corpus", "..").name == "run"


def test_the_revision_is_that_of_the_code_which_computed(
    work: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not of the code at the end, hours later; and a run of two revisions says so."""
    revisions = iter(("first", "second", "third"))
    monkeypatch.setattr(run_directory, "git_revision", lambda: next(revisions))
    assert count(CountConfig(work=work, name="a"))
    manifest = find_run(work, "corpus", "a").manifest
    assert manifest["git_revision"] == "first"
    assert "begun_git_revision" not in manifest
    with pytest.raises(RuntimeError, match="planted"):
        count(CountConfig(work=work, name="b"), fail_at=1)
    assert count(CountConfig(work=work, name="b"))
    manifest = find_run(work, "corpus", "b").manifest
    assert (manifest["begun_git_revision"], manifest["git_revision"]) == ("second", "third")
    assert "begun by other code: second, now third" in caplog.text
