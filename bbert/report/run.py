"""Runs → one page: reads run directories, asks tables and figures for their data, writes files.

A report depends on the JSON files that it reads. When one of them changes, or a run is added, the
same command writes the report anew: it holds no work of its own that could be lost.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bbert import __version__
from bbert.json_files import read_json
from bbert.report.config import ReportConfig
from bbert.report.latex import to_latex
from bbert.report.layer_tables import tidy_probe_table
from bbert.report.page import html_page, markdown_page, provenance, shortened
from bbert.report.pdf import write_pdfs
from bbert.report.records import STAGE_LABELS, RunRecord
from bbert.report.reproduction import Reproduction, read_reproductions, run_names
from bbert.report.sections import sections_of, with_fewer_figures
from bbert.report.select_runs import select_finished, select_runs
from bbert.report.svg import draw
from bbert.report.table import Table
from bbert.report.transfer_tables import tidy_table, transfer_groups
from bbert.run_directory import STAGE_FOLDERS, Run, RunDirectory, open_run
from bbert.stage_config import DryRun

logger = logging.getLogger(__name__)

MOST_PAGE_BYTES = 2_000_000
"""Beyond it the entries of the runs do without what their manifests say too."""


def run(config: ReportConfig) -> RunDirectory | DryRun:
    """Write `reports/<name>/`: `report.html`, `report.md`, `report.json`, `tables/`, `figures/`."""
    compared = config.compare or ()
    named = tuple(dict.fromkeys((*config.runs, *compared)))
    reproductions: list[Reproduction] = []
    if config.plan is None:
        records = select_runs(config.work, named)
    else:
        records = select_finished(config.work, run_names(config.plan), named)
        reproductions = read_reproductions(config.plan, records)
    name = config.name or (config.plan.stem if config.plan else default_name(config.runs, compared))
    final = config.work / STAGE_FOLDERS["report"] / name
    if config.dry_run:
        pages = {"runs": ", ".join(f"{STAGE_LABELS[r.stage]} {r.name}" for r in records)}
        cost = {"time": "a few seconds", "memory": "below 200 MB", "disk": "below 5 MB"}
        return DryRun(config, final, {**pages, **cost})
    inputs = [file for record in records for file in record.files]
    inputs += [config.plan] if config.plan else []
    # A page only puts finished runs together, by their names: nothing is lost where they changed,
    # or where another version of bbert shows them in another way.
    typed = replace(config, renew=True, force=config.force or _is_older(config, final))
    with open_run("report", name, typed, inputs, paths_count=True) as report:
        if not report.up_to_date:
            comparison = _comparison(records, compared) if compared else None
            _write(report, f"bbert report: {name}", records, comparison, reproductions)
            return report.finish()
    return report.directory


def _is_older(config: ReportConfig, final: Path) -> bool:
    """Whether the same page is there as another version of bbert wrote it."""
    if not RunDirectory.is_run(final):
        return False
    page = RunDirectory(final)
    return page.is_of(config) and page.manifest.get("versions", {}).get("bbert") != __version__


def default_name(runs: Sequence[str], compared: Sequence[str] = ()) -> str:
    """The report's folder: "all", or its runs; a long list is cut and told apart by a hash."""
    if not runs and not compared:
        return "all"
    joined = "+".join(Path(run).resolve().name for run in runs)
    if compared:
        pair = "-with-".join(Path(run).resolve().name for run in compared)
        joined = f"{joined}+compare-{pair}" if joined else f"compare-{pair}"
    if len(joined) <= 80:
        return joined
    return f"{joined[:60]}…{hashlib.sha256(' '.join((*runs, *compared)).encode()).hexdigest()[:8]}"


def tables_of(report: RunDirectory) -> list[Table]:
    """The tables of a finished report, as its `report.json` keeps them."""
    return [Table.from_json(table) for table in read_json(report.path / "report.json")["tables"]]


def _comparison(records: Sequence[RunRecord], compared: Sequence[str]) -> Table:
    from bbert.report.compare import compare  # numpy, which a report without it does not need

    first, second = compared
    return compare(records, first, second)


def _write(
    report: Run,
    title: str,
    records: Sequence[RunRecord],
    comparison: Table | None,
    reproductions: Sequence[Reproduction],
) -> None:
    groups = transfer_groups(records)
    subtitle = _subtitle(records)
    sections = list(sections_of(records, groups, comparison, reproductions))
    runs = [provenance(record, records, report.final) for record in records]
    tables = [block for s in sections for block in s.blocks if isinstance(block, Table)]
    charts = [block for s in sections for block in s.blocks if not isinstance(block, Table)]
    if groups:
        tables.append(tidy_table(groups, records))
    probes = tidy_probe_table(records)
    tables += [probes] if probes else []
    for folder in ("tables", "figures"):
        (report.path / folder).mkdir(exist_ok=True)
    for table in tables:
        (report.path / "tables" / f"{table.identifier}.csv").write_text(
            table.to_csv(), encoding="utf-8", newline=""
        )
        (report.path / "tables" / f"{table.identifier}.tex").write_text(
            to_latex(table), encoding="utf-8"
        )
    pdfs: dict[Path, str] = {}
    for chart in charts:
        drawing = draw(chart, standalone=True)
        (report.path / "figures" / f"{chart.identifier}.svg").write_text(drawing, encoding="utf-8")
        pdfs[report.path / "figures" / f"{chart.identifier}.pdf"] = drawing
    write_pdfs(pdfs)
    (report.path / "report.md").write_text(
        markdown_page(title, subtitle, sections, runs), encoding="utf-8"
    )
    page = html_page(title, subtitle, with_fewer_figures(sections), runs)
    if len(page.encode()) > MOST_PAGE_BYTES:
        page = html_page(title, subtitle, with_fewer_figures(sections), shortened(runs))
    (report.path / "report.html").write_text(page, encoding="utf-8")
    content = {"title": title, "tables": [table.to_json() for table in tables]}
    compact = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    (report.path / "report.json").write_text(f"{compact}\n", encoding="utf-8")
    report.counts = {
        "runs": sum(record.problem is None for record in records),
        "empty": sum(record.problem is not None for record in records),
        "tables": len(tables),
        "figures": len(charts),
        "page_bytes": len(page.encode()),
    }
    report.extra = {"runs": [str(record.path.resolve()) for record in records]}


def _subtitle(records: Sequence[RunRecord]) -> str:
    """What is on the page: "1 corpus, 1 model, 3 transfer runs; bbert 0.1.0"."""
    parts = []
    for stage, label in STAGE_LABELS.items():
        amount = sum(r.stage == stage and r.problem is None for r in records)
        plural = {"corpus": "corpora", "model": "models", "transfer": "transfer runs",
                  "probe": "probes"}[label]  # fmt: skip
        singular = "transfer run" if label == "transfer" else label
        parts += [f"{amount} {singular if amount == 1 else plural}"] if amount else []
    empty = sum(record.problem is not None for record in records)
    parts += [f"{empty} empty"] if empty else []
    return f"{', '.join(parts)}; bbert {__version__}."
