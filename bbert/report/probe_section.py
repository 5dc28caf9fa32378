"""The part of a report on the probes: for every run its figure and its table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from bbert.report.chart import Chart
from bbert.report.layer_tables import layer_tables
from bbert.report.probe_figures import probe_charts
from bbert.report.probe_tables import (
    LAYERED,
    gap_table,
    overlap_tables,
    portrait_table,
    probe_records,
    typology_table,
)
from bbert.report.records import RunRecord
from bbert.report.table import Table

LEAD = (
    "Measured without fine-tuning, or read from finished runs. A similarity says something only "
    "above its floor: the same measure with the pairs shuffled."
)

_ORDER = ("portrait", *LAYERED, "gap", "overlap", "typology")


def probe_blocks(records: Sequence[RunRecord]) -> list[Chart | Table]:
    """Figures and tables of all probe runs, portraits first."""
    blocks: list[Chart | Table] = []
    runs = [run for probe in _ORDER for run in probe_records(records, probe)]
    for place, run in enumerate(runs, start=1):
        charts, tables = probe_charts(run, place), _tables(run, place)
        # a figure and a table of every pair of languages stand together; then what is left
        blocks += [block for both in zip_longest(charts, tables) for block in both if block]
    return blocks


def _tables(run: RunRecord, place: int) -> list[Table]:
    probe = run.content["probe"]
    if probe == "overlap":
        return overlap_tables(run, place)
    if probe in LAYERED:
        return layer_tables(run, place)
    one = {"gap": gap_table, "typology": typology_table, "portrait": portrait_table}[probe]
    return [one(run, place)]
