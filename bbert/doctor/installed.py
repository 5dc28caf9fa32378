"""Versions of packages and what other programs say, "" or None where they are absent."""

from __future__ import annotations

import subprocess
from importlib import metadata

_SECONDS = 20


def version_of(package: str) -> str | None:
    """The installed version; None where the package is absent."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def output_of(arguments: list[str]) -> str:
    """Standard output of a program; "" where it is absent, fails or hangs."""
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""
