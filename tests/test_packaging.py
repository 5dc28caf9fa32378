"""The package: its version comes from git, its wheel holds all that the commands read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import bbert

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SHIPPED = ("bbert", "pipelines", "configs")
"""Folders whose files are all in the wheel."""


def shipped_files() -> Iterator[Path]:
    """Every file that the wheel must hold and that is not a Python module, relative to ROOT."""
    for folder in SHIPPED:
        for path in sorted((ROOT / folder).rglob("*")):
            kept = path.is_file() and path.suffix not in (".py", ".pyc")
            if kept and not any(part.startswith(".") for part in path.parts):
                yield path.relative_to(ROOT)


def names_of_requirements() -> list[str]:
    project = PROJECT["project"]
    lines = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    lines += [line for extra in project["optional-dependencies"].values() for line in extra]
    return sorted({re.split(r"[\[<>=;\s]", line)[0] for line in lines})


def test_the_version_is_the_one_of_the_installed_package():
    assert bbert.__version__ == metadata.version("bbert")
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        bbert.absent  # noqa: B018


@pytest.mark.parametrize("path", shipped_files(), ids=str)
def test_every_file_that_the_commands_read_is_declared(path: Path):
    tool = PROJECT["tool"]["setuptools"]
    if path.parts[0] == "bbert":
        below = path.relative_to("bbert")
        patterns = tool["package-data"]["bbert"]
        assert any(below.match(pattern.removeprefix("**/")) for pattern in patterns)
    else:
        patterns = tool["data-files"].get(f"share/bbert/{path.parent}", [])
        assert any(path.match(pattern) for pattern in patterns), f"data-files lacks {path.parent}"


def test_every_dependency_has_its_tested_version_and_its_line_in_the_decisions():
    tested = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    table = (ROOT / "docs" / "decisions" / "dependencies.md").read_text(encoding="utf-8").lower()
    for name in names_of_requirements():
        if name != "setuptools":  # the newest at every set-up, as pip is
            assert re.search(rf"^{name.replace('_', '-')}==", tested, re.M), name
        assert re.search(rf"(^\||,) {name}\b", table, re.M), name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive without a network, by this environment's tools."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("wheel")
    environment = {**os.environ, "PIP_NO_INDEX": "1"}
    source = folder / "source"
    clone = ["git", "clone", "--quiet", "--depth", "1", "--no-tags", ROOT.as_uri(), str(source)]
    if subprocess.run(clone, capture_output=True).returncode:
        pytest.skip("not a git checkout")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(source)], check=True, env=environment, capture_output=True)
    assert list(folder.glob("*.tar.gz"))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the wheel, and our libraries, not us."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # a path in a .pth file is searched, but its own .pth files (an editable bbert) are not read
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def in_empty_folder(
    installed: Path, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "BBERT_WORK")}
    environment["PATH"] = f"{installed}:{environment['PATH']}"
    return subprocess.run(
        [str(installed / arguments[0]), *arguments[1:]], cwd=folder, env=environment,
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip


@pytest.mark.slow
def test_the_wheel_holds_every_file(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for path in shipped_files():
        if subprocess.run(["git", "-C", str(ROOT), "ls-files", "--error-unmatch", str(path)],
                          capture_output=True).returncode == 0:  # fmt: skip
            assert any(name.endswith(path.as_posix()) for name in names), path
    assert re.match(r"bbert-\d+\.\d+\.\d+(\.dev\d+\+g[0-9a-f]+)?", wheel.name)
    assert not any(name.startswith(("tests/", "docs/", "benchmarks/")) for name in names)


@pytest.mark.slow
def test_the_wheel_runs_where_no_source_is(installed: Path, wheel: Path, tmp_path: Path):
    where = in_empty_folder(installed, tmp_path, "python", "-c", "import bbert; print(bbert)")
    assert str(installed.parent) in where.stdout
    version = in_empty_folder(installed, tmp_path, "bbert", "--version")
    assert version.stdout.split()[1] == wheel.name.split("-")[1]
    listed = in_empty_folder(installed, tmp_path, "bbert", "reproduce", "--list")
    assert listed.returncode == 0, listed.stderr
    assert "k2020" in listed.stdout
    doctor = in_empty_folder(installed, tmp_path, "bbert", "doctor")
    assert doctor.returncode == 0, doctor.stderr
    demo = in_empty_folder(
        installed, tmp_path, "bbert", "demo", "--steps", "50", "--seeds", "1", "--tasks", "pos"
    )
    assert demo.returncode == 0, demo.stderr
    assert list(tmp_path.glob("work/reports/*/*.html"))
    assert list(tmp_path.glob("work/models/*/model/README.md")), "cards need their templates"
