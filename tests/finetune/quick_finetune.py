"""`bbert finetune` in a few quick epochs, and what it left, read without bbert's readers."""

from __future__ import annotations

import json
from pathlib import Path

from bbert.cli import main

QUICK = ["--epochs", "3", "--learning-rate", "3e-3", "--batch-size", "16", "--quiet"]


def finetune(*arguments: str, name: str, work: Path) -> Path:
    """Run the command; returns the run directory."""
    assert main(["finetune", "--work", str(work), "--name", name, *QUICK, *arguments]) == 0
    folder = work / "transfer" / name
    assert folder.is_dir()
    assert not folder.with_name(f"{name}.partial").exists()
    return folder


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def column_labels(path: Path) -> list[list[str]]:
    """Labels of a two-column file, read without bbert's reader."""
    blocks = path.read_text(encoding="utf-8").strip("\n").split("\n\n")
    return [[line.split("\t")[1] for line in block.split("\n")] for block in blocks]


def same_files(first: Path, second: Path) -> bool:
    names = sorted(str(p.relative_to(first)) for p in first.rglob("*") if p.is_file())
    others = sorted(str(p.relative_to(second)) for p in second.rglob("*") if p.is_file())
    with_name = ("manifest", "config.yaml", "model/README.md")
    compared = [n for n in names if not n.startswith(with_name)]
    return names == others and all(
        (first / name).read_bytes() == (second / name).read_bytes() for name in compared
    )
