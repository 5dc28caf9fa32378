"""`bbert doctor`: it looks, names what is missing with its mend, and changes nothing."""

from __future__ import annotations

import errno
import io
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from bbert.doctor import machine, run, software, torch_build
from bbert.doctor.config import DoctorConfig
from bbert.doctor.finding import Finding


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any program on the PATH or beside Python."""
    empty = tmp_path / "bin"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setattr(sys, "executable", str(empty / "python"))
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
    for finding in run.findings(tmp_path / "not" / "yet"):
        assert finding.found
        assert finding.state == "ok" or finding.mend
    assert list(tmp_path.iterdir()) == []


def test_the_command_is_quick_and_exits_with_0(tmp_path: Path):
    command = [sys.executable, "-m", "bbert", "doctor", "--work", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    missing = len(re.findall(r"│ missing +│", done.stdout))
    assert (f" {missing} missing" if missing else " nothing is missing") in done.stdout
    for topic in ("Python", "torch", "precision", "DeepSpeed", "C++ compiler", "memory"):
        assert topic in done.stdout


def test_a_missing_compiler_and_launcher(bare_path: Path):
    assert software.compiler().state == "missing"
    assert "apt-get install" in software.compiler().mend
    launcher = software.command("torchrun", "launcher", "pip install torch")
    assert launcher == Finding("torchrun", "missing", "not found (launcher)", "pip install torch")


def test_a_program_beside_python_is_found(bare_path: Path):
    program = bare_path / "ninja"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert software.command("ninja", "builds", "").state == "ok"


def test_wikiextractor_absent_or_too_old(monkeypatch: pytest.MonkeyPatch):
    without("wikiextractor", monkeypatch)
    assert software.wikiextractor().state == "missing"
    without("wikiextractor", monkeypatch, instead="3.0.6")
    assert "too old" in software.wikiextractor().found


def test_packages_that_do_not_fit(monkeypatch: pytest.MonkeyPatch):
    without("sentencex", monkeypatch)
    found = {finding.topic: finding for finding in software.packages()}["packages"]
    assert found.state == "missing"
    assert found.found == "sentencex absent"
    assert found.mend.startswith("pip install 'sentencex>=")


def test_versions_other_than_the_tested_ones(tmp_path: Path):
    rich = metadata.version("rich")
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"# tested\nrich=={rich}\ntyro==0.0.1  # old\nabsent-package==1\n")
    (different,) = software._untested(constraints)
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
    assert torch_build._cuda_of_build(tmp_path) == cuda
    assert torch_build._cuda_of_build(tmp_path / "absent") is None


def test_no_snakemake(monkeypatch: pytest.MonkeyPatch):
    assert software.snakemake().state == "ok"
    without("snakemake", monkeypatch)
    assert software.snakemake().state == "missing"
    assert "pip install" in software.snakemake().mend
    without("snakemake", monkeypatch, instead="9.15.0")
    assert software.snakemake().state == "missing"
    assert "too old" in software.snakemake().found


@pytest.mark.parametrize(("size", "state"), [(64 * 2**20, "note"), (8 * 2**30, "ok")])
def test_the_shared_memory_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, state: str
):
    usage = type("Usage", (), {"total": size, "free": size})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: usage)
    found = machine.shared_memory(tmp_path)
    assert found.state == state
    assert ("--shm-size" in found.mend) == (state == "note")


def test_no_shared_memory_at_all(tmp_path: Path):
    assert machine.shared_memory(tmp_path / "absent").state == "note"


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("HF_HOME", "TRITON_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    assert machine.caches().state == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "TRITON_CACHE_DIR").touch()  # nobody, not even root, can write below a file
    found = machine.caches()
    assert found.state == "missing"
    assert found.found == f"{tmp_path / 'TRITON_CACHE_DIR'} cannot be written"
    assert found.mend == "export TRITON_CACHE_DIR=FOLDER"


@pytest.mark.parametrize("cards", [[], ["NVIDIA A100"]])
def test_cards_that_torch_cannot_drive(monkeypatch: pytest.MonkeyPatch, cards: list[str]):
    monkeypatch.setattr(torch_build, "_graphics_cards", lambda: cards)
    monkeypatch.setattr(torch_build, "_cuda_of_build", lambda package: None)
    found = {finding.topic: finding for finding in torch_build.torch_and_devices()}["GPU"]
    assert found.state == "note"
    assert found.mend
    assert ("CPU build" in found.found) == bool(cards)
    import torch

    monkeypatch.setattr(torch_build, "_cuda_of_build", lambda package: "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = {finding.topic: finding for finding in torch_build.torch_and_devices()}["GPU"]
    assert "nvidia-smi" in found.mend
    assert "none" in found.found


def test_nothing_is_cut_off_in_eighty_columns(tmp_path: Path):
    from rich.console import Console

    console = Console(width=80, record=True, file=io.StringIO())
    console.print(run.run(DoctorConfig(work=tmp_path)))
    text = console.export_text()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    for finding in run.findings(tmp_path):
        assert finding.topic.split()[0] in text


def test_a_work_folder_that_is_a_file_cannot_be_written(tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    assert machine.disk(file).state == "missing"
    assert machine.disk(file / "below").state == "missing"
    assert machine.disk(tmp_path / "new").state in ("ok", "note")


def test_brackets_are_shown(tmp_path: Path):
    from rich.console import Console

    console = Console(width=200, record=True, file=io.StringIO())
    odd = tmp_path / "[bold]work"
    console.print(run.run(DoctorConfig(work=odd)))
    assert "[bold]work" in console.export_text()


@pytest.mark.parametrize(
    ("states", "said"), [(["ok", "note"], "nothing is missing"), (["missing"] * 2, "2 missing")]
)
def test_what_is_missing_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, states: list, said: str
):
    monkeypatch.setattr(
        run, "findings", lambda work: [Finding("a", state, "b", "c") for state in states]
    )
    assert run.run(DoctorConfig(work=tmp_path)).caption == said


@pytest.mark.parametrize(
    "error", [ImportError("libcudart.so.13: cannot open\nmore"), OSError("libcudart.so.13: bad")]
)
def test_a_torch_that_cannot_be_loaded_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def broken(name: str) -> None:
        assert name == "torch"
        raise error

    monkeypatch.setattr(torch_build, "_cuda_of_build", lambda package: "13.0")
    with monkeypatch.context() as patched:
        patched.setattr(torch_build, "import_module", broken)
        torch, precision = torch_build.torch_and_devices()
    assert (torch.topic, torch.state) == ("torch", "missing")
    assert f"({type(error).__name__}: libcudart.so.13" in torch.found
    assert "\n" not in torch.found
    assert "pytorch.org" in torch.mend
    assert precision.topic == "precision"


def test_a_work_folder_that_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert machine.disk(tmp_path / ("x" * 300)).state == "missing"

    def closed(self: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "exists", closed)
    found = machine.disk(tmp_path / "work")
    assert (found.state, found.found) == ("missing", f"{tmp_path / 'work'}: Permission denied")
    assert "--work" in found.mend


@pytest.mark.parametrize(
    ("taken", "files", "state", "usable"),
    [
        (7_900_000_000, 0, "note", "0.1 GB usable"),
        (7_900_000_000, 7_000_000_000, "ok", "7.1 GB usable"),
        (0, 0, "ok", "8.0 GB usable"),
        (9_000_000_000, 0, "note", "0.0 GB usable"),
    ],
)
def test_what_a_container_has_taken_already_is_not_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int, files: int, state: str, usable: str
):
    (tmp_path / "memory.max").write_text("8000000000\n")
    (tmp_path / "memory.current").write_text(f"{taken}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {files}\nactive_file 2\n")
    monkeypatch.setattr("bbert.container_memory.CONTROL_GROUP", tmp_path)
    texts = {"/proc/meminfo": "MemTotal: 64000000 kB\nMemAvailable: 32000000 kB\n"}
    monkeypatch.setattr(machine, "_read", lambda path: texts[path])
    found = machine.memory()
    assert found.state == state
    assert found.found.startswith(usable)


@pytest.mark.parametrize(("major", "state", "said"), [(7, "note", "no"), (8, "ok", "yes")])
def test_bf16_that_a_gpu_only_emulates_is_none(
    monkeypatch: pytest.MonkeyPatch, major: int, state: str, said: str
):
    import torch

    card = type("Card", (), {"name": "Card", "major": major, "minor": 5, "total_memory": 16e9})
    monkeypatch.setattr(torch_build, "_cuda_of_build", lambda package: "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: card)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    found = {finding.topic: finding for finding in torch_build.torch_and_devices()}["precision"]
    assert (found.state, found.found) == (state, f"bf16 in hardware: {said}")
    assert ("--precision fp32" in found.mend) == (state == "note")


def test_a_work_folder_that_is_a_link_to_nowhere(tmp_path: Path):
    (tmp_path / "work").symlink_to(tmp_path / "unmounted")
    for work in (tmp_path / "work", tmp_path / "work" / "below"):
        found = machine.disk(work)
        assert (found.state, found.found) == ("missing", f"{work}: No such file or directory")
        assert "--work" in found.mend


def test_no_folder_for_temporary_files_is_a_finding(monkeypatch: pytest.MonkeyPatch):
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(machine.tempfile, "gettempdir", none)
    found = machine.caches()
    assert found.state == "missing"
    assert "TMPDIR" in found.mend


def test_a_user_without_a_home_gets_findings(monkeypatch: pytest.MonkeyPatch):
    def none(path: str) -> str:
        return path  # what os.path.expanduser says where it knows no home

    monkeypatch.setattr(machine.os.path, "expanduser", none)
    assert machine.caches().found
