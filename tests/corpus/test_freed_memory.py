"""Memory that was freed is used again without asking the kernel, and its absence does no harm."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from bbert.corpus.freed_memory import keep_freed_memory

_PROGRAM = """
import resource
from bbert.corpus.freed_memory import keep_freed_memory
if {keep}:
    keep_freed_memory()
blocks = [bytearray(3 << 20), bytearray(5 << 20)]
del blocks
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    blocks = [bytearray(1 << 20) for _ in range(6)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(keep: bool) -> int:
    command = [sys.executable, "-c", _PROGRAM.format(keep=keep)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="thresholds of glibc")
def test_pages_are_used_again():
    assert page_faults(keep=True) * 4 < page_faults(keep=False)


def test_a_library_without_thresholds_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory()
