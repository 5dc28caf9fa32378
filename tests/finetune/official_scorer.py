"""The CoNLL-2018 scorer, for tests only: it is GPL, and bbert never imports it."""

from __future__ import annotations

from pathlib import Path

import pytest


def official_scores(gold: Path, predicted: Path) -> dict[str, float]:
    """Metric → F1 of two CoNLL-U files; skips where udtools is not installed."""
    udeval = pytest.importorskip("udtools.udeval")
    representations = [udeval.load_conllu_file(str(path)) for path in (gold, predicted)]
    return {name: score.f1 for name, score in udeval.evaluate(*representations).items()}
