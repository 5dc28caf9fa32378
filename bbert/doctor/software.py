"""What is installed: Python, the packages, programs beside them."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from bbert.doctor.finding import Finding, State
from bbert.doctor.installed import output_of, version_of
from bbert.reproduce.workflow import OLDEST_SNAKEMAKE

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where bbert was installed from with `pip install -e`."""


def python() -> Finding:
    """The interpreter's version."""
    version = platform.python_version()
    state: State = "ok" if sys.version_info >= (3, 11) else "missing"
    return Finding("Python", state, f"{version}, {sys.executable}",
                   "" if state == "ok" else "install Python 3.11 or newer")  # fmt: skip


def packages() -> Iterator[Finding]:
    """Installed packages against bbert's requirements and, in a checkout, the tested versions."""
    from packaging.requirements import Requirement

    try:
        written = metadata.requires("bbert") or []
    except metadata.PackageNotFoundError:
        yield Finding("packages", "missing", "bbert is not installed", "pip install -e .")
        return
    required = [Requirement(line) for line in written]
    required = [r for r in required if r.marker is None or r.marker.evaluate({"extra": ""})]
    wrong = [r for r in required if not r.specifier.contains(version_of(r.name) or "0", True)]
    if wrong:
        shown = ", ".join(f"{r.name} {version_of(r.name) or 'absent'}" for r in wrong)
        mend = "pip install " + " ".join(f"'{r.name}{r.specifier}'" for r in wrong)
        yield Finding("packages", "missing", shown, mend)
    else:
        yield Finding(
            "packages", "ok", f"bbert {version_of('bbert')}, all {len(required)} it needs"
        )
    different = _untested(CHECKOUT / "constraints.txt")
    if different:
        yield Finding("tested versions", "note", ", ".join(different),
                      "pip install -c constraints.txt -e . (only if something fails)")  # fmt: skip


def _untested(constraints: Path) -> list[str]:
    """Installed packages whose version is not the one in the constraints file."""
    from packaging.requirements import Requirement

    different = []
    for line in constraints.read_text().splitlines() if constraints.is_file() else ():
        line = line.split("#")[0].strip()
        if not line:
            continue
        wanted = Requirement(line)
        installed = version_of(wanted.name)
        if installed is not None and not wanted.specifier.contains(installed, True):
            different.append(f"{wanted.name} {installed} (tested {wanted.specifier})")
    return different


def deepspeed() -> Iterator[Finding]:
    """DeepSpeed and the launchers; its operations are never compiled (`import_deepspeed`)."""
    version = version_of("deepspeed")
    if version is None:
        yield Finding("DeepSpeed", "missing", "not installed", "pip install deepspeed")
    else:
        yield Finding("DeepSpeed", "ok", version)
    yield command("deepspeed", "launcher", "pip install deepspeed")
    yield command("torchrun", "launcher", "pip install torch")


def compiler() -> Finding:
    """A compiler by a name that torch.compile looks for; nothing else of bbert calls one."""
    for name in ("g++", "clang++"):
        path = shutil.which(name)
        if path:
            first = (output_of([path, "--version"]).splitlines() or ["version unknown"])[0]
            return Finding("C++ compiler", "ok", f"{first}, {path}")
    return Finding("C++ compiler", "missing", "no g++ or clang++: runs go on without torch.compile",
                   "apt-get install g++ (or your system's package)")  # fmt: skip


def command(name: str, purpose: str, mend: str) -> Finding:
    """A program on the PATH or beside this Python."""
    beside = Path(sys.executable).parent / name
    path = shutil.which(name) or (str(beside) if os.access(beside, os.X_OK) else None)
    if path is None:
        return Finding(name, "missing", f"not found ({purpose})", mend)
    return Finding(name, "ok", f"{path} ({purpose})")


def wikiextractor() -> Finding:
    """wikiextractor 3.1, needed for dumps only; 3.0 does not start on Python 3.11."""
    from packaging.version import Version

    version, mend = version_of("wikiextractor"), "pip install 'wikiextractor>=3.1'"
    if version is None:
        return Finding("wikiextractor", "missing", "not installed; needed to read dumps", mend)
    if Version(version) < Version("3.1"):
        return Finding("wikiextractor", "missing", f"{version} is too old", mend)
    return Finding("wikiextractor", "ok", f"{version} (reads Wikipedia dumps)")


def snakemake() -> Finding:
    """Snakemake, which `bbert reproduce` starts."""
    from packaging.version import Version

    version, mend = version_of("snakemake"), f"pip install 'snakemake>={OLDEST_SNAKEMAKE}'"
    if version is None:
        return Finding("snakemake", "missing", "not installed; needed by bbert reproduce", mend)
    if Version(version) < Version(OLDEST_SNAKEMAKE):
        return Finding("snakemake", "missing", f"{version} is too old", mend)
    return Finding("snakemake", "ok", f"{version} (bbert reproduce)")
