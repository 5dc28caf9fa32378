"""`bbert corpus inspect`: what a corpus holds, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bbert.corpus.build import CERTIFICATE
from bbert.corpus.config import InspectConfig
from bbert.corpus.summary import languages_table, pairs_table
from bbert.corpus.token_store import TokenStore
from bbert.run_directory import RunDirectory, find_run, read_json

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def run(config: InspectConfig) -> RenderableType:
    """Counts, lengths, overlap and certificate of a corpus.

    Raises:
        InputError: there is no such corpus, or a file of it is damaged.
    """
    corpus = find_run(config.work, "corpus", config.corpus)
    certificate = read_json(corpus.path / CERTIFICATE)
    return Group(
        Text(f"{corpus.name}  ({corpus.path})", style="bold"),
        _origin(corpus),
        languages_table(certificate),
        _lengths_table(corpus, certificate),
        pairs_table(certificate),
        _steps_table(certificate),
        _promises_table(certificate),
    )


def length_quantiles(lengths: npt.NDArray[np.int64]) -> list[int]:
    """Quantiles of some lengths at `_QUANTILES`, each of them a length that occurs."""
    return [int(q) for q in np.quantile(lengths, _QUANTILES, method="lower")]


def _origin(corpus: RunDirectory) -> Table:
    manifest = corpus.manifest
    table = Table.grid(padding=(0, 2))
    for entry in manifest["inputs"]:
        table.add_row("input", f"{entry['path']} ({entry['bytes']:,} bytes)")
    table.add_row("seed", str(manifest["seed"]))
    table.add_row("built", f"{manifest['finished']} in {manifest['seconds']:,.0f} s")
    return table


def _lengths_table(corpus: RunDirectory, certificate: Mapping[str, Any]) -> Table:
    table = Table(title="Lengths", title_justify="left")
    table.add_column("language")
    table.add_column("of")
    for quantile in _QUANTILES:
        names = {0.0: "shortest", 0.5: "median", 1.0: "longest"}
        table.add_column(names.get(quantile, f"{quantile:.0%}"), justify="right")
    for name in certificate["languages"]:
        store = TokenStore.open(corpus.path, name)
        words_before = np.concatenate(([0], np.cumsum(store.word_starts, dtype=np.int64)))
        rows = {
            "sentences in word-pieces": np.diff(store.sentence_offsets),
            "sentences in words": np.diff(words_before[store.sentence_offsets]),
            "documents in sentences": np.diff(store.document_offsets),
        }
        for label, lengths in rows.items():
            table.add_row(name, label, *(f"{q:,}" for q in length_quantiles(lengths)))
    return table


def _steps_table(certificate: Mapping[str, Any]) -> Table:
    table = Table(title="Counts in and out of each step", title_justify="left")
    for heading in ("language", "step", "counts"):
        table.add_column(heading)
    for name, entry in certificate["languages"].items():
        for step in entry["steps"]:
            counts = (f"{key.replace('_', ' ')} {v:,}" for key, v in step.items() if key != "step")
            table.add_row(name, step["step"], ", ".join(counts))
    return table


def _promises_table(certificate: Mapping[str, Any]) -> Table:
    table = Table(title="Promises kept", title_justify="left", show_header=False)
    for sentence in certificate["promises"]:
        table.add_row(sentence)
    for name, entry in certificate["languages"].items():
        for intervention in entry["interventions"]:
            table.add_row(
                f"{name}: {intervention['name']} ({intervention['variant']}), characters moved "
                f"by {intervention['shift']:,} to {intervention['code_points']}"
            )
        if moved := entry.get("gave_way_to_fake"):
            table.add_row(
                f"{name}: {moved['num_characters']} characters made way for the fake alphabet: "
                f"{' '.join(moved['characters'])}"
            )
    return table
