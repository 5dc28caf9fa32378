"""Where a result came from: hashes of its inputs, versions of packages, revision of the code."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import bbert

PACKAGES = (
    "torch", "transformers", "tokenizers", "sentencepiece", "sentencex", "datasets",
    "deepspeed", "wikiextractor", "numpy", "scipy", "safetensors", "seqeval",
)  # fmt: skip

_OF_A_HOOK = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"})


def fingerprint(
    paths: Iterable[Path], known: Iterable[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """SHA-256 of every file, as `{path, sha256, bytes, modified_ns}`.

    A file whose size and modification time equal those in `known` is not read again.
    """
    before = {entry["path"]: entry for entry in known}
    result = []
    for path in paths:
        absolute = path.resolve()
        status = absolute.stat()
        entry = before.get(str(absolute))
        unchanged = (
            entry is not None
            and entry.get("bytes") == status.st_size
            and entry.get("modified_ns") == status.st_mtime_ns
        )
        result.append(
            {
                "path": str(absolute),
                "sha256": entry["sha256"] if entry and unchanged else sha256(absolute),
                "bytes": status.st_size,
                "modified_ns": status.st_mtime_ns,
            }
        )
    return result


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a number."""
    versions = {"python": sys.version.split()[0], "bbert": bbert.__version__}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_revision() -> str | None:
    """Commit of the source tree, with "+changes" if a file of it was edited or a module was added
    that git does not know; None outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        revision = _git(root, "rev-parse", "HEAD")
        edited = _git(root, "status", "--porcelain", "--untracked-files=no")
        added = _git(root, "ls-files", "--others", "--exclude-standard", "--", "bbert")
    except (OSError, subprocess.SubprocessError):
        return None
    return revision + ("+changes" if edited or added else "")


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    # Set while a hook of git runs, and stronger than the folder: they lead to another repository.
    environment = {key: value for key, value in os.environ.items() if key not in _OF_A_HOOK}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=20, env=environment
    )
    return done.stdout.strip()
