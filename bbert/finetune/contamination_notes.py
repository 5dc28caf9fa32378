"""`contamination` of `results.json` in sentences: for the log, the terminal and the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bbert.finetune.truncation_notes import share

_PLACES = {"in_training": "the training data", "in_pretraining": "the pretraining text"}


def contamination_notes(found: Mapping[str, Any]) -> list[str]:
    """One sentence for the training data and one for the pretraining text, where test examples
    occur there, and one where they chose the epoch; empty where none do."""
    sentences = []
    for key, place in _PLACES.items():
        counts = [
            share(name, entry[key], entry["n"])
            for name, entry in found["languages"].items()
            if entry[key]
        ]
        if counts:
            sentences.append(f"test examples that also occur in {place}: {', '.join(counts)}")
    chose = [
        f"{name} ({', '.join(entry['selected_on'])})"
        for name, entry in found["languages"].items()
        if entry.get("selected_on")
    ]
    if chose:
        sentences.append(
            "test examples that also chose the epoch (--selection best-dev), which flatters their "
            f"scores: {', '.join(chose)}"
        )
    return sentences


def not_checked(found: Mapping[str, Any]) -> str | None:
    """Why (a part of) the pretraining text was not compared; None where all of it was."""
    if found["not_checked"]:
        return str(found["not_checked"])
    reasons = (entry.get("not_checked") for entry in found["languages"].values())
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason)) or None
