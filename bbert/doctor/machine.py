"""What the machine has: cores, memory, disk, folders that can be written."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from bbert.container_memory import left_in_container
from bbert.doctor.finding import GIGABYTE, Finding
from bbert.usable_processors import allowed_processors, container_quota

_LITTLE_DISK = 5 * GIGABYTE
_TOO_LITTLE_DISK = 0.5 * GIGABYTE
_LITTLE_MEMORY = 4 * GIGABYTE
_LITTLE_SHARED_MEMORY = 1 * GIGABYTE  # a container's default is 64 MB


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
    left = left_in_container()
    usable = free if left is None else min(free, left)
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


def caches() -> Finding:
    """Permission in the folders that libraries write to: hub files, compiled code, temporary."""
    home = Path(os.path.expanduser("~"))  # "~" itself for a user who is in no list of users
    general = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError:  # none of the usual ones takes a file: a full disk, most often
        found = "no folder for temporary files takes one"
        return Finding("caches", "missing", found, "free some space, or export TMPDIR=FOLDER")
    folders = {
        "HF_HOME": general / "huggingface",
        "TRITON_CACHE_DIR": home / ".triton",
        "TMPDIR": Path(temporary),
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
    """`path`, or the nearest folder above it that exists or is a link to nowhere."""
    folder = path.absolute()
    while not folder.exists() and not folder.is_symlink():
        folder = folder.parent
    return folder


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
