"""What `bbert corpus build` shows at its end: one row a language, one row a pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from bbert.corpus.certificate import CERTIFICATE
from bbert.corpus.terminal_table import terminal_table
from bbert.json_files import read_json
from bbert.run_directory import RunDirectory


def summary(run: RunDirectory) -> RenderableType:
    """Counts of the languages and what they share, from the certificate of a corpus."""
    certificate = read_json(run.path / CERTIFICATE)
    return Group(languages_table(certificate), pairs_table(certificate))


def languages_table(certificate: Mapping[str, Any]) -> Table:
    """One row for each language: how much of everything, and the [UNK] rate."""
    headings = (
        "language", "changed by", "documents", "sentences", "words", "word-pieces",
        "pieces a word", "[UNK]",
    )  # fmt: skip
    rows = [
        (
            name,
            ", ".join(step["name"] for step in entry["interventions"]) or "–",
            *(f"{entry[key]:,}" for key in ("documents", "sentences", "words", "word_pieces")),
            f"{entry['word_pieces'] / entry['words']:.2f}",
            f"{entry['unk_rate']:.3%}",
        )
        for name, entry in certificate["languages"].items()
    ]
    return terminal_table("Languages", headings, rows, num_words=2)


def pairs_table(certificate: Mapping[str, Any]) -> Table:
    """One row for each pair of languages: what they share."""
    vocabulary = certificate["vocabulary"]
    title = f"Pairs (vocabulary: {vocabulary['kind']}, {vocabulary['entries']:,} entries)"
    headings = (
        "pair", "shared characters", "shared vocabulary entries", "lines cut the same",
        "same documents",
    )  # fmt: skip
    rows = []
    for name, pair in certificate["pairs"].items():
        rate = pair.get("same_segmentation_rate")
        same = pair.get("identical_documents")
        rows.append(
            (
                name,
                f"{pair['shared_characters']:,}",
                f"{pair['shared_vocabulary_entries']:,}",
                "–" if rate is None else f"{rate:.1%}",
                "–" if same is None else f"{same:,}",
            )
        )
    return terminal_table(title, headings, rows)
