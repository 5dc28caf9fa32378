"""`bbert doctor`: it looks, names what is missing with its mend, and changes nothing."""

from __future__ import annotations

import io
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from bbert import doctor
from bbert.doctor import DoctorConfig, Finding


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any program on the PATH or beside Python."""
    empty = tmp_path / "bin"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setattr(sys, "executable", str(empty / "python"))
    monkeypatch.delenv("CXX", raising=False)
    return empty


def without(package: str, monkeypatch: pytest.MonkeyPatch, instead: str | None = None) -> None:
    """Pretend that `package` is absent, or has the version `instead`."""
    true_version = metadata.version

    def version(name: str) -> str:
        if name != package:
            return true_version(name)
        if instead is None:
            raise metadata.PackageNotFoundError(name)
        return instead

    monkeypatch.setattr(metadata, "version", version)


def test_every_finding_that_is_not_ok_has_a_mend(tmp_path: Path):
    for finding in doctor.findings(tmp_path / "not" / "yet"):
        assert finding.found
        assert finding.state == "ok" or finding.mend
    assert list(tmp_path.iterdir()) == []


def test_the_command_is_quick_and_exits_with_0(tmp_path: Path):
    command = [sys.executable, "-m", "bbert", "doctor", "--work", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "nothing is missing" in done.stdout or " missing" in done.stdout
    for topic in ("Python", "torch", "precision", "DeepSpeed", "C++ compiler", "memory"):
        assert topic in done.stdout


def test_a_missing_compiler_and_launcher(bare_path: Path):
    assert doctor.compiler().state == "missing"
    assert "apt-get install" in doctor.compiler().mend
    launcher = doctor.command("torchrun", "launcher", "pip install torch")
    assert launcher == Finding("torchrun", "missing", "not found (launcher)", "pip install torch")


def test_a_program_beside_python_is_found(bare_path: Path):
    program = bare_path / "ninja"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert doctor.command("ninja", "builds", "").state == "ok"


def test_wikiextractor_absent_or_too_old(monkeypatch: pytest.MonkeyPatch):
    without("wikiextractor", monkeypatch)
    assert doctor.wikiextractor().state == "missing"
    without("wikiextractor", monkeypatch, instead="3.0.6")
    assert "too old" in doctor.wikiextractor().found


def test_packages_that_do_not_fit(monkeypatch: pytest.MonkeyPatch):
    without("sentencex", monkeypatch)
    found = {finding.topic: finding for finding in doctor.packages()}["packages"]
    assert found.state == "missing"
    assert found.found == "sentencex absent"
    assert found.mend.startswith("pip install 'sentencex>=")


def test_versions_other_than_the_tested_ones(tmp_path: Path):
    rich = metadata.version("rich")
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"# tested\nrich=={rich}\ntyro==0.0.1  # old\nabsent-package==1\n")
    (different,) = doctor._untested(constraints)
    assert different.startswith("tyro ")
    assert "==0.0.1" in different


@pytest.mark.parametrize(
    ("line", "cuda"),
    [
        ("cuda: Optional[str] = None", None),
        ("cuda: Optional[str] = '13.0'", "13.0"),
        ("cuda = '12.8'", "12.8"),
        ("cuda_note = '12.8'", None),
    ],
)
def test_the_build_of_torch_is_read_without_importing_it(tmp_path: Path, line: str, cuda):
    (tmp_path / "version.py").write_text(f"__version__ = '2.13.0'\n{line}\nhip = None\n")
    assert doctor._cuda_of_build(tmp_path) == cuda
    assert doctor._cuda_of_build(tmp_path / "absent") is None


def test_a_killed_compilation_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    assert "not compiled yet" in doctor._operator().found
    folder = tmp_path / "py311_cpu" / "deepspeed_shm_comm"
    folder.mkdir(parents=True)
    (folder / "deepspeed_shm_comm.so").touch()
    assert doctor._operator().found.startswith("compiled")
    (folder / "lock").touch()
    assert doctor._operator().state == "note"
    assert str(folder / "lock") in doctor._operator().mend


def test_a_work_folder_that_is_a_file_cannot_be_written(tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    assert doctor.disk(file).state == "missing"
    assert doctor.disk(file / "below").state == "missing"
    assert doctor.disk(tmp_path / "new").state in ("ok", "note")


def test_brackets_are_shown(tmp_path: Path):
    from rich.console import Console

    console = Console(width=200, record=True, file=io.StringIO())
    odd = tmp_path / "[bold]work"
    console.print(doctor.run(DoctorConfig(work=odd)))
    assert "[bold]work" in console.export_text()
