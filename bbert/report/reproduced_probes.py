"""What a table prints of probes, not of scores, beside the same as measured.

Two tables do: the cosine of parallel sentences after fusion (Chen et al. 2022, table 6) and the
rank correlation of similarity and gap (Muller et al. 2021, table 4).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bbert.report.over_seeds import OverSeeds
from bbert.report.published.cells import PublishedCell
from bbert.report.records import RunRecord, is_number

_REPRESENTATIONS = {"fine_tuned": "fine-tuned", "pretrained": "pretrained"}
"""As printed tables key them → as `bbert probe gap` calls them."""
_MEAN_OF_LAYERS = "mean"
_SEEDS_AVERAGED = 2
"""Version of the results of `bbert probe gap` from which on a point is a pair of languages."""
_OUTDATED = "{} counted every seed as a language: remove it and run the same command again"


@dataclass(frozen=True)
class ProbedCell(OverSeeds):
    """A printed number and its measurement, both as they are: cosines and correlations.

    `values` is by seed of the whole chain, or a single one of all seeds together under None; `low`
    and `high` bound that one (95 %, bootstrap). `n` is what the value is of: sentences or pairs of
    languages. `reason` says why there is no value.
    """

    row: str
    printed: PublishedCell
    values: Mapping[int | None, float]
    low: float | None = None
    high: float | None = None
    n: int | None = None
    reason: str = "no probe has measured it"


def probed_cells(
    table: Mapping[str, Any], printed: Sequence[PublishedCell], probes: Sequence[RunRecord]
) -> Iterator[ProbedCell]:
    """Every printed cosine and correlation of a planned table, with what `probes` found."""
    for cell in printed:
        if cell.metric == "cosine":
            yield _cosine(table, cell, probes)
        elif cell.metric == "spearman":
            yield _correlation(cell, probes)


def _cosine(
    table: Mapping[str, Any], printed: PublishedCell, probes: Sequence[RunRecord]
) -> ProbedCell:
    """Mean over the pairs of the source with another language, after fusion, seed by seed."""
    layer = printed.condition["lower_layer"]
    planned = [c for c in table["cells"] if c["variables"]["task"] == printed.task
               and str(c["variables"].get("lower_layer")) == layer]  # fmt: skip
    runs = {run for cell in planned for run in cell["runs"]}
    found: dict[int | None, list[float]] = {}
    n = None
    for probe in probes:
        if probe.problem is not None or probe.content["probe"] != "cosine":
            continue
        for entry in probe.content["measurements"]:
            value = (entry["fused"] or {}).get("value")
            if entry["transfer"] in runs and printed.train_language in entry["languages"]:
                if is_number(value):
                    found.setdefault(probe.content["seed"], []).append(value)
                n = entry["n"]
    values = {seed: statistics.fmean(of_pairs) for seed, of_pairs in found.items()}
    label = planned[0]["row"] if planned else f"DLFA with layer {layer}"
    return ProbedCell(f"{printed.task}, {label}", printed, values, n=n)


def _correlation(printed: PublishedCell, probes: Sequence[RunRecord]) -> ProbedCell:
    encoder = _REPRESENTATIONS[printed.condition["representation"]]
    row = f"{printed.task}, {encoder}"
    for probe in probes:
        content = probe.content
        if probe.problem or content["probe"] != "gap" or content.get("task") != printed.task:
            continue
        for found in content["correlations"]:
            if (found["encoder"], found["layer"]) == (encoder, _MEAN_OF_LAYERS):
                if content.get("version", 1) < _SEEDS_AVERAGED:
                    return ProbedCell(row, printed, {}, reason=_OUTDATED.format(probe.name))
                values: dict[int | None, float] = {}
                if is_number(found["rho"]):
                    values[None] = found["rho"]
                low, high, reason = found["low"], found["high"], found["reason"]
                return ProbedCell(row, printed, values, low, high, found["n"], reason)
    return ProbedCell(row, printed, {})
