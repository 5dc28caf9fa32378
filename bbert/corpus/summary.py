"""What `bbert corpus build` shows at its end: one row a language, one row a pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from bbert.corpus.build import CERTIFICATE
from bbert.run_directory import RunDirectory, read_json


def summary(run: RunDirectory) -> RenderableType:
    """Counts of the languages and what they share, from the certificate of a corpus."""
    certificate = read_json(run.path / CERTIFICATE)
    return Group(languages_table(certificate), pairs_table(certificate))


def languages_table(certificate: Mapping[str, Any]) -> Table:
    """One row for each language: how much of everything, and the [UNK] rate."""
    table = Table(title="Languages", title_justify="left")
    table.add_column("language")
    for heading in ("documents", "sentences", "words", "word-pieces", "pieces a word", "[UNK]"):
        table.add_column(heading, justify="right")
    table.add_column("interventions")
    for name, entry in certificate["languages"].items():
        table.add_row(
            name,
            *(f"{entry[key]:,}" for key in ("documents", "sentences", "words", "word_pieces")),
            f"{entry['word_pieces'] / entry['words']:.2f}",
            f"{entry['unk_rate']:.3%}",
            ", ".join(step["name"] for step in entry["interventions"]) or "–",
        )
    return table


def pairs_table(certificate: Mapping[str, Any]) -> Table:
    """One row for each pair of languages: what they share."""
    vocabulary = certificate["vocabulary"]
    title = f"Pairs (vocabulary: {vocabulary['kind']}, {vocabulary['entries']:,} entries)"
    table = Table(title=title, title_justify="left")
    table.add_column("pair")
    for heading in ("shared characters", "shared vocabulary entries", "lines cut the same"):
        table.add_column(heading, justify="right")
    for name, pair in certificate["pairs"].items():
        rate = pair.get("same_segmentation_rate")
        table.add_row(
            name,
            f"{pair['shared_characters']:,}",
            f"{pair['shared_vocabulary_entries']:,}",
            "–" if rate is None else f"{rate:.1%}",
        )
    return table
