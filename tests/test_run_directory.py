"""The stage contract: partial → complete, up to date, refusal, force, resume, lock, names."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from counting_stage import CountConfig, count

from bbert.errors import InputError
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
