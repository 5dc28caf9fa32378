"""What a report contains and in which order: transfer, models, corpora, runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bbert.report.beside_published import claim_table, reproduction_tables
from bbert.report.chart import Chart
from bbert.report.claims import judge
from bbert.report.corpus_inside import inside_blocks
from bbert.report.corpus_tables import (
    corpus_runs,
    count_table,
    language_table,
    pair_table,
    promise_table,
)
from bbert.report.figures import model_charts, transfer_chart
from bbert.report.language_grids import grid_tables
from bbert.report.model_tables import model_runs, model_table, perplexity_table
from bbert.report.multilinguality import multilinguality_table
from bbert.report.probe_section import LEAD as PROBE_LEAD
from bbert.report.probe_section import probe_blocks
from bbert.report.records import STAGE_LABELS, RunRecord
from bbert.report.reproduction import Reproduction
from bbert.report.reproduction_figure import reproduction_chart
from bbert.report.table import Cell, Column, Table, words
from bbert.report.transfer_tables import transfer_table

MOST_FIGURES = 60
"""Figures on the page; further ones are files only, so that the page stays below 2 MB."""


@dataclass(frozen=True)
class Section:
    """A part of the page: figures and tables under a heading."""

    identifier: str
    title: str
    lead: str
    blocks: tuple[Chart | Table, ...]


def sections_of(
    records: Sequence[RunRecord],
    groups: Sequence[Sequence[RunRecord]],
    comparison: Table | None = None,
    reproductions: Sequence[Reproduction] = (),
) -> Iterator[Section]:
    """The sections for which there is something to show."""
    yield from _reproduced(reproductions)
    if comparison is not None:
        lead = "The same test sentences under both runs: is one better, or was it chance?"
        yield Section("comparison", "Two runs compared", lead, (comparison,))
    if groups:
        blocks: list[Chart | Table] = []
        for position, group in enumerate(groups, start=1):
            chart = transfer_chart(group, position)
            blocks += [chart] if chart else []
            blocks.append(transfer_table(group, position))
        blocks += grid_tables(records)
        lead = (
            "Fine-tuned in one language, tested in every language named by a column, without any "
            "labelled example of the others. Shaded rows are floors: what the same fine-tuning "
            "reaches from an encoder with random layers, and chance."
        )
        yield Section("transfer", "Zero-shot transfer", lead, tuple(blocks))
    probes = probe_blocks(records)
    if probes:
        yield Section("probes", "Probes", PROBE_LEAD, tuple(probes))
    if model_runs(records):
        perplexity = perplexity_table(records)
        further = (perplexity, multilinguality_table(records))
        tables = [model_table(records), *(table for table in further if table)]
        lead = "Models pretrained from scratch on the raw text of their languages."
        yield Section("models", "Pretraining", lead, (*tables, *model_charts(records)))
    if corpus_runs(records):
        lead = (
            "Measured on the finished text and token store of every corpus: what an intervention "
            "really did, and that languages meant to be apart are."
        )
        tables = [f(records) for f in (language_table, pair_table, promise_table, count_table)]
        yield Section("corpora", "Corpora and their certificates", lead,
                      tuple(table for table in tables if table.rows))  # fmt: skip
        inside = inside_blocks(records)
        if inside:
            lead = (
                "Lengths, frequencies, what languages share, what the interventions did to the "
                "order and the choice of words, and sentences before and after."
            )
            yield Section("inside", "Inside the corpora", lead, tuple(inside))
    lead = "Corpora, models, transfer runs and probes, the oldest first."
    yield Section("runs", "What was run", lead, (run_table(records),))


def _reproduced(reproductions: Sequence[Reproduction]) -> Iterator[Section]:
    """Claims of all reproduced tables first, then every table beside the published one."""
    if len(reproductions) > 1:
        claims = claim_table([(r, judge(r)) for r in reproductions])
        lead = "What the papers say of their tables, and what the same tables show here."
        yield Section("claims", "Claims", lead, (claims,))
    for reproduction in reproductions:
        lead = "Measured beside published, with the floors: chance, and a random encoder."
        title = f"{reproduction.name}: {reproduction.title}"
        blocks: list[Chart | Table] = []
        if chart := reproduction_chart(reproduction):
            blocks.append(chart)
        blocks += reproduction_tables(reproduction, with_claims=len(reproductions) == 1)
        yield Section(f"reproduced-{reproduction.key}-section", title, lead, tuple(blocks))


def run_table(records: Sequence[RunRecord]) -> Table:
    """One row a run; one that cannot be used says why."""
    columns = (Column("Run"), Column("Stage"), Column("Seed", True), Column("Configuration"),
               Column("Code"), Column("Finished (UTC)"), Column("Seconds", True),
               Column("State"))  # fmt: skip
    rows = []
    for record in records:
        manifest = record.manifest
        seconds = manifest.get("seconds")
        rows.append(
            (
                Cell(record.name, anchor=record.anchor),
                words(STAGE_LABELS[record.stage]),
                words(manifest.get("seed")),
                words(str(manifest.get("config_hash", ""))[:12]),
                words(_short_revision(str(manifest.get("git_revision") or ""))),
                words(str(manifest.get("finished", "")).split(".")[0].replace("T", " ")),
                Cell(f"{seconds:,.0f}", seconds) if seconds is not None else words(None),
                words(record.problem or "complete"),
            )
        )
    return Table("runs", "Runs on this page", columns, tuple(rows))


def _short_revision(revision: str) -> str:
    """The first characters of a commit, with a "+" where the code was edited."""
    commit, edited, _ = revision.partition("+")
    return commit[:12] + edited


def with_fewer_figures(sections: Sequence[Section]) -> list[Section]:
    """The sections with at most `MOST_FIGURES` figures in all."""
    left, result = MOST_FIGURES, []
    for section in sections:
        kept: list[Chart | Table] = []
        dropped = 0
        for block in section.blocks:
            if not isinstance(block, Table):
                dropped += left <= 0
                if left <= 0:
                    continue
                left -= 1
            kept.append(block)
        lead = section.lead
        if dropped:
            lead += f" {dropped} more figures are files in figures/."
        result.append(replace(section, lead=lead, blocks=tuple(kept)))
    return result
