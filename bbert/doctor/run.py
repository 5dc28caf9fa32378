"""`bbert doctor`: every check's findings as a table.

A check is a function that returns one `Finding` or yields several; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bbert.doctor.config import DoctorConfig
from bbert.doctor.finding import Finding
from bbert.doctor.machine import caches, cores, disk, memory, shared_memory
from bbert.doctor.software import compiler, deepspeed, packages, python, snakemake, wikiextractor
from bbert.doctor.torch_build import torch_and_devices


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
    yield python()
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
