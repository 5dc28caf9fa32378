"""What a manifest says of the code: the revision that ran, and the versions."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from bbert import provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a package in which this module stands."""
    root = tmp_path / "checkout"
    (root / "bbert").mkdir(parents=True)
    git(root, "init", "--quiet")
    (root / "bbert" / "provenance.py").write_text("")
    (root / ".gitignore").write_text("*.log\n")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "one")
    monkeypatch.setattr(provenance, "__file__", str(root / "bbert" / "provenance.py"))
    return root


def test_a_clean_checkout_is_its_commit_whatever_lies_beside_the_package(checkout: Path) -> None:
    (checkout / "notes.txt").write_text("mine")
    (checkout / "bbert" / "of_a_run.log").write_text("ignored by git")
    assert provenance.git_revision() == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("changed", ["provenance.py", "task_of_mine.py"])
def test_an_edited_file_and_a_module_that_git_does_not_know_are_changes(
    checkout: Path, changed: str
) -> None:
    (checkout / "bbert" / changed).write_text("x = 1\n")
    assert provenance.git_revision() == git(checkout, "rev-parse", "HEAD") + "+changes"


def test_the_repository_of_a_hook_is_not_the_one_of_the_code(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    git(other, "commit", "--quiet", "--allow-empty", "--message", "two")
    revision = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert provenance.git_revision() == revision


def test_outside_a_checkout_there_is_no_revision(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "__file__", str(checkout / "bbert" / "in" / "provenance.py"))
    assert provenance.git_revision() is None


def test_a_folder_that_was_never_installed_has_a_version_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A card is written with it, at the end of a run."""
    true_version = metadata.version

    def version(name: str) -> str:
        if name == "bbert":
            raise metadata.PackageNotFoundError(name)
        return true_version(name)

    monkeypatch.setattr(metadata, "version", version)
    assert provenance.package_versions()["bbert"] == "0+unknown"
    assert {"python", "torch", "scipy"} <= provenance.package_versions().keys()
