"""Printed cosines and correlations beside measured ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from bbert.report.beside_published import reproduction_tables
from bbert.report.published.cells import published
from bbert.report.records import RunRecord
from bbert.report.reproduced_probes import probed_cells
from bbert.report.reproduction import Reproduction


def probe(name: str, **content) -> RunRecord:
    return RunRecord("probe", Path(name), manifest={}, content=content)


def entry(transfer: str | None, languages: list[str], value: float | None) -> dict:
    fused = None if value is None else {"value": value}
    return {"transfer": transfer, "languages": languages, "n": 20, "fused": fused}


def table(**runs: list[str]) -> dict:
    """The plan of cells called task_layer, each with its runs."""
    cells = []
    for name, of_cell in runs.items():
        task, layer = name.split("_")
        variables = {"task": task, "lower_layer": int(layer)}
        cells.append({"row": f"layer {layer}", "variables": variables, "runs": of_cell})
    return {"cells": cells}


def test_a_cosine_is_the_mean_over_the_pairs_of_the_source():
    probes = [
        probe(f"cosine-{seed}", probe="cosine", seed=seed, measurements=[
            entry(None, ["en", "es"], None), entry("a", ["en", "es"], 0.5 + shift),
            entry("a", ["en", "hi"], 0.7 + shift), entry("a", ["es", "hi"], 0.1),
            entry("b", ["en", "es"], 0.9),
        ])
        for seed, shift in ((0, 0.0), (1, 0.1))
    ]  # fmt: skip
    printed = published("chen2022", "6")
    planned = table(xnli_11=["a"], xnli_8=["b"], pawsx_10=["c"])
    found = {(c.printed.task, c.printed.condition["lower_layer"]): c
             for c in probed_cells(planned, printed, probes)}  # fmt: skip
    assert len(found) == 4
    upper = found["xnli", "11"]
    assert upper.values == pytest.approx({0: 0.6, 1: 0.7})
    assert (upper.n, upper.row, upper.printed.value) == (20, "xnli, layer 11", 0.5689)
    assert found["xnli", "8"].mean == pytest.approx(0.9)
    assert found["pawsx", "10"].values == found["pawsx", "6"].values == {}


def test_a_correlation_is_that_of_the_mean_of_the_layers():
    def correlation(encoder: str, layer: int | str, rho: float | None) -> dict:
        return {
            "encoder": encoder,
            "layer": layer,
            "rho": rho,
            "low": -0.9,
            "high": 0.2,
            "n": 17,
            "reason": "" if rho else "all the same",
        }

    found = [correlation("fine-tuned", 3, -0.1), correlation("fine-tuned", "mean", -0.7),
             correlation("pretrained", "mean", None)]  # fmt: skip
    probes = [probe("g", probe="gap", task="parsing", version=2, seed=0, correlations=found)]
    cells = {(c.printed.task, c.printed.condition["representation"]): c
             for c in probed_cells(table(), published("muller2021", "4"), probes)}  # fmt: skip
    tuned = cells["parsing", "fine_tuned"]
    assert (tuned.mean, tuned.low, tuned.high, tuned.n) == (-0.7, -0.9, 0.2, 17)
    assert cells["parsing", "pretrained"].values == {}
    assert cells["parsing", "pretrained"].reason == "all the same"
    assert cells["ner", "fine_tuned"].values == {}
    del probes[0].content["version"]  # every seed was a point
    outdated = next(iter(probed_cells(table(), published("muller2021", "4"), probes)))
    assert outdated.values == {}
    assert outdated.reason.startswith("g counted every seed as a language")


def test_they_stand_on_the_page_with_seeds_and_intervals():
    probes = [probe("c", probe="cosine", seed=4, measurements=[entry("a", ["en", "es"], 0.5)])]
    probed = list(probed_cells(table(xnli_11=["a"]), published("chen2022", "6"), probes))
    reproduction = Reproduction("chen2022", "6", "Cosine", "sample", "", [], {}, [], probed)
    (shown,) = reproduction_tables(reproduction)
    assert shown.identifier == "reproduced-probes-chen2022-6"
    first = [cell.text for cell in shown.rows[0]]
    assert first == ["xnli, layer 11", "0.5689", "0.500", "–", "1", "20"]
    assert shown.rows[1][2].text == "–"
    assert shown.caption == "chen2022 table 6: cosine of parallel sentences"
