"""Freed memory stays with the process, so that the next block of text lies in the same pages.

A corpus goes by in blocks of some megabytes, each with several arrays of its size. The C library
gives such arrays back to the kernel when they are freed, and the kernel clears every page before it
hands it out again: about a thousand page faults for each MB of text, of which two hundred are left.
Peak memory is the same; it is only not given back in between.

Choice: the thresholds of the C library (`mallopt` of glibc) and no allocator of our own. Where it
has none (musl, macOS) nothing happens: only speed depends on it.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # numbers in glibc's malloc.h
_LARGEST_BLOCK = 32 << 20  # bytes; glibc accepts no more
_KEPT = 256 << 20
_GROWTH = 16 << 20


def keep_freed_memory() -> None:
    """From now on, keep freed memory (up to 256 MB of it) for the next block of text."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    for option, value in (
        (_MMAP_THRESHOLD, _LARGEST_BLOCK),
        (_TRIM_THRESHOLD, _KEPT),
        (_TOP_PAD, _GROWTH),
    ):
        mallopt(ctypes.c_int(option), ctypes.c_int(value))
