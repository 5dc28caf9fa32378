"""`benchmarks/finetune.py` runs, and its systems read the same examples."""

from __future__ import annotations

import importlib.util
import sys
from argparse import Namespace
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "finetune.py"


@pytest.mark.realdata
@pytest.mark.parametrize("task", ["xnli", "ner"])
def test_at_toy_size(task: str, real_data: Path, tmp_path: Path, monkeypatch):
    specification = importlib.util.spec_from_file_location("finetune_benchmark", FILE)
    assert specification is not None
    assert specification.loader is not None
    benchmark = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "finetune_benchmark", benchmark)  # dataclasses look it up
    monkeypatch.syspath_prepend(str(FILE.parent))  # for what benchmarks share
    specification.loader.exec_module(benchmark)
    options = Namespace(
        task=task, model="tiny", device="cpu", examples=64, rounds=1, precisions=["fp32"],
        data=real_data, no_grouped=False, compiled=False, clock="processor",
    )  # fmt: skip
    table = benchmark.measure(options, tmp_path)
    assert [line.split("|")[1].strip() for line in table.splitlines() if "| fp32 |" in line] == [
        "bbert", "Trainer", "Trainer, grouped",
    ]  # fmt: skip
    examples = benchmark.real_examples(task, real_data, 8)
    encoded, _ = benchmark.encode(task, tmp_path / "model", examples)
    for row, given in enumerate(benchmark.as_dictionaries(encoded)):
        labels = given["labels"] if task == "ner" else [given["labels"]]
        assert given["input_ids"] == encoded.ids[row].tolist()
        assert [n for n in labels if n != -100] == encoded.labels[row].tolist()
