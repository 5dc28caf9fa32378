"""`bbert doctor`: what this machine has, what is missing and the mend.

Every check is a function that returns findings; none changes anything. torch is imported only where
its build can drive a GPU, because the import takes seconds and a CPU build has nothing to ask.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from bbert.processor_precision import has_bf16, vector_units
from bbert.stage_config import Switch, default_work
from bbert.usable_processors import allowed_processors, container_quota

GIGABYTE = 1e9
_LITTLE_DISK = 5 * GIGABYTE
_TOO_LITTLE_DISK = 0.5 * GIGABYTE
_LITTLE_MEMORY = 4 * GIGABYTE
_LITTLE_SHARED_MEMORY = 1 * GIGABYTE  # a container's default is 64 MB
_SECONDS = 20

State = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class DoctorConfig:
    """Show what this machine has for bbert, what is missing and the mend; changes nothing."""

    work: Path = field(default_factory=default_work)
    """Folder whose disk and permissions are looked at; also $BBERT_WORK."""
    quiet: Switch = False
    """Only errors and the final result."""
    debug: Switch = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Finding:
    """One line of the table; `mend` is what to do about a "note" or something "missing"."""

    topic: str
    state: State
    found: str
    mend: str = ""


def run(config: DoctorConfig) -> Any:
    """All findings as a table for the terminal."""
    from rich.table import Table

    table = Table(title="What this machine has for bbert", title_justify="left")
    for header in ("", "State", "Found", "Mend"):
        table.add_column(header, overflow="fold")
    styles = {"ok": "green", "note": "yellow", "missing": "red"}
    found = list(findings(config.work))
    for finding in found:
        state = f"[{styles[finding.state]}]{finding.state}[/]"
        cells = (finding.topic, finding.found, finding.mend)
        topic, what, mend = (text.replace("[", r"\[") for text in cells)
        table.add_row(topic, state, what, mend)
    missing = sum(finding.state == "missing" for finding in found)
    table.caption = f"{missing} missing" if missing else "nothing is missing"
    return table


def findings(work: Path) -> Iterator[Finding]:
    """Every check's findings, in the order of the table."""
    yield _python()
    yield from packages()
    yield from torch_and_devices()
    yield from deepspeed()
    yield compiler()
    yield wikiextractor()
    yield snakemake()
    yield cores()
    yield memory()
    yield shared_memory()
    yield disk(work)
    yield caches()


def _python() -> Finding:
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
    wrong = [r for r in required if not r.specifier.contains(_version(r.name) or "0", True)]
    if wrong:
        shown = ", ".join(f"{r.name} {_version(r.name) or 'absent'}" for r in wrong)
        mend = "pip install " + " ".join(f"'{r.name}{r.specifier}'" for r in wrong)
        yield Finding("packages", "missing", shown, mend)
    else:
        yield Finding("packages", "ok", f"bbert {_version('bbert')}, all {len(required)} it needs")
    different = _untested(Path(__file__).resolve().parent.parent / "constraints.txt")
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
        installed = _version(wanted.name)
        if installed is not None and not wanted.specifier.contains(installed, True):
            different.append(f"{wanted.name} {installed} (tested {wanted.specifier})")
    return different


def torch_and_devices() -> Iterator[Finding]:
    """The torch build, the GPUs it can drive with their memory, and bf16."""
    version, specification = _version("torch"), find_spec("torch")
    if version is None or specification is None or specification.origin is None:
        yield Finding("torch", "missing", "not installed", "pip install -c constraints.txt -e .")
        return
    cuda = _cuda_of_build(Path(specification.origin).parent)
    problem = _why_torch_cannot_be_loaded() if cuda else None
    if problem is not None:
        yield Finding("torch", "missing", f"{version}, built for CUDA {cuda}: {problem}",
                      "install torch again, a build for this machine's driver "
                      "(pytorch.org/get-started)")  # fmt: skip
        yield _processor_precision()
        return
    yield Finding("torch", "ok", f"{version}, built for {f'CUDA {cuda}' if cuda else 'the CPU'}")
    cards = _graphics_cards()
    if cuda is None:
        if cards:
            yield Finding("GPU", "note", f"{', '.join(cards)}, unused: torch is a CPU build",
                          "install a CUDA build of torch (pytorch.org/get-started)")  # fmt: skip
        else:
            yield Finding("GPU", "note", "none: everything runs on the CPU",
                          "enough for the sample; pretraining at scale needs one")  # fmt: skip
        yield _processor_precision()
        return
    import torch

    if not torch.cuda.is_available():
        shown = f"{', '.join(cards)}; torch sees none of them" if cards else "none is seen"
        yield Finding("GPU", "note", shown,
                      "check the driver with `nvidia-smi`; in a container: --gpus all")  # fmt: skip
        yield _processor_precision()
        return
    names = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        names.append(f"{properties.name} {properties.total_memory / GIGABYTE:.0f} GB")
    yield Finding("GPU", "ok", ", ".join(names))
    bf16 = torch.cuda.is_bf16_supported()
    yield Finding("precision", "ok" if bf16 else "note", f"bf16 {'yes' if bf16 else 'no'}",
                  "" if bf16 else "bbert pretrain --precision fp32")  # fmt: skip


def _why_torch_cannot_be_loaded() -> str | None:
    """What its import says, in a line; None where it succeeds."""
    try:
        import_module("torch")
    except Exception as error:  # of a library: ImportError, OSError, RuntimeError, …
        said = str(error).strip().splitlines() or [""]
        return f"cannot be loaded ({type(error).__name__}: {said[0]})"
    return None


def _cuda_of_build(package: Path) -> str | None:
    """The CUDA version in torch's own `version.py`, without importing torch."""
    try:
        text = (package / "version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(r"^cuda\b[^=\n]*=\s*'([\d.]+)'", text, re.MULTILINE)
    return match.group(1) if match else None


def _graphics_cards() -> list[str]:
    lines = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]).splitlines()
    return [line.strip() for line in lines if line.strip()]


def _processor_precision() -> Finding:
    units, bf16 = vector_units(), has_bf16()
    answer = {True: "yes", False: "no", None: "unknown"}[bf16]
    found = f"CPU: {', '.join(units) or 'no wide vector units seen'}; bf16 in hardware"
    return Finding("precision", "ok", f"{found}: {answer}")


def deepspeed() -> Iterator[Finding]:
    """DeepSpeed and the launchers; its operations are never compiled (`import_deepspeed`)."""
    version = _version("deepspeed")
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
            first = (_output([path, "--version"]).splitlines() or ["version unknown"])[0]
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

    version, mend = _version("wikiextractor"), "pip install 'wikiextractor>=3.1'"
    if version is None:
        return Finding("wikiextractor", "missing", "not installed; needed to read dumps", mend)
    if Version(version) < Version("3.1"):
        return Finding("wikiextractor", "missing", f"{version} is too old", mend)
    return Finding("wikiextractor", "ok", f"{version} (reads Wikipedia dumps)")


def snakemake() -> Finding:
    """Snakemake, which `bbert reproduce` starts."""
    version = _version("snakemake")
    if version is None:
        return Finding("snakemake", "missing", "not installed; needed by bbert reproduce",
                       "pip install 'snakemake>=9'")  # fmt: skip
    return Finding("snakemake", "ok", f"{version} (bbert reproduce)")


def cores() -> Finding:
    """Processor cores that this process may use, with a container's limit."""
    found = f"{allowed_processors()} usable"
    if (quota := container_quota()) is not None:
        found += f", limited to {quota:g} by the container"
    return Finding("cores", "ok", found)


def memory() -> Finding:
    """Main memory, and what is free of it or allowed by a container."""
    amounts = {
        key: int(kilobytes) * 1024
        for key, kilobytes in re.findall(r"^(\w+):\s+(\d+) kB", _read("/proc/meminfo"), re.M)
    }
    total, free = amounts.get("MemTotal"), amounts.get("MemAvailable")
    if total is None or free is None:
        return Finding("memory", "note", "cannot be read on this system")
    limit = _read("/sys/fs/cgroup/memory.max").strip()
    usable = min(free, int(limit)) if limit.isdigit() else free
    found = f"{usable / GIGABYTE:.1f} GB usable of {total / GIGABYTE:.1f} GB"
    if usable < _LITTLE_MEMORY:
        return Finding("memory", "note", found, "close other programs; smaller --micro-batch-size")
    return Finding("memory", "ok", found)


def shared_memory(folder: Path = Path("/dev/shm")) -> Finding:
    """Space in shared memory, through which NCCL joins the processes of one machine's GPUs."""
    topic, mend = "shared memory", "in a container: --shm-size 8g; needed for several GPUs"
    try:
        size = shutil.disk_usage(folder).total
    except OSError:
        return Finding(topic, "note", f"no {folder}", mend)
    found = f"{size / GIGABYTE:.2f} GB at {folder}"
    if not os.access(folder, os.W_OK):
        return Finding(topic, "note", f"{folder} cannot be written", f"chmod 1777 {folder}")
    if size < _LITTLE_SHARED_MEMORY:
        return Finding(topic, "note", found, mend)
    return Finding(topic, "ok", found)


def caches() -> Finding:
    """Permission in the folders that libraries write to: hub files, compiled code, temporary."""
    home = Path.home()
    general = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    folders = {
        "HF_HOME": general / "huggingface",
        "TRITON_CACHE_DIR": home / ".triton",
        "TMPDIR": Path(tempfile.gettempdir()),
    }
    places = {name: Path(os.environ.get(name) or folder) for name, folder in folders.items()}
    closed = {name: place for name, place in places.items() if not _is_writable(place)}
    if closed:
        found = ", ".join(str(place) for place in closed.values()) + " cannot be written"
        mend = "export " + " ".join(f"{name}=FOLDER" for name in closed)
        return Finding("caches", "missing", found, mend)
    return Finding("caches", "ok", ", ".join(map(str, places.values())))


def _is_writable(folder: Path) -> bool:
    """Whether `folder`, or the nearest folder above it that exists, takes a file."""
    try:
        with tempfile.TemporaryFile(dir=_nearest(folder)):
            return True
    except OSError:
        return False


def _nearest(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def disk(work: Path) -> Finding:
    """Free space and permission at the work folder, which need not exist yet."""
    try:
        folder = _nearest(work)
        free = shutil.disk_usage(folder).free
    except OSError as error:  # a folder above it that may not be entered
        return Finding("work folder", "missing", f"{work.absolute()}: {error.strerror}",
                       "give another folder with --work or $BBERT_WORK")  # fmt: skip
    found = f"{free / GIGABYTE:.1f} GB free at {work.absolute()}"
    if not _is_writable(folder):
        return Finding("work folder", "missing", f"{folder} cannot be written",
                       "give another folder with --work or $BBERT_WORK")  # fmt: skip
    if free < _TOO_LITTLE_DISK:
        return Finding("work folder", "missing", found, "free some space, or --work elsewhere")
    if free < _LITTLE_DISK:
        return Finding(
            "work folder", "note", found, "enough for the sample; real corpora need more"
        )
    return Finding("work folder", "ok", found)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _output(arguments: list[str]) -> str:
    """Standard output of a program; "" where it is absent, fails or hangs."""
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""
