"""Puts tables and figures into one self-contained HTML page, and into Markdown.

The page asks the network for nothing: styles and figures stand inside it, there is no script.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from bbert.report.records import STAGE_LABELS, RunRecord
from bbert.report.sections import Section
from bbert.report.select_runs import upstream_or_written
from bbert.report.svg import draw, palette
from bbert.report.table import Table, markdown_text
from bbert.stage_config import plain

_MOST_INPUTS = 40
_MOST_RUNS = 40


@dataclass(frozen=True)
class Provenance:
    """The entry of one run: what it was made from and by what."""

    anchor: str
    heading: str
    folder: str
    facts: tuple[tuple[str, str, str], ...]
    """(what, text, anchor of another entry or "")."""
    config: str
    inputs: tuple[str, ...]
    problem: str


def provenance(record: RunRecord, records: Sequence[RunRecord], report_folder: Path) -> Provenance:
    """The run's entry at the end of the page; `folder` is relative to the report."""
    manifest = record.manifest
    facts = [
        *_made_from(record, records),
        ("configuration hash", str(manifest.get("config_hash", "")), ""),
        ("seed", str(manifest.get("seed", "")), ""),
        ("code revision", str(manifest.get("git_revision") or "unknown"), ""),
        ("finished", str(manifest.get("finished", "")), ""),
        ("seconds", str(manifest.get("seconds", "")), ""),
        ("host", _host(manifest.get("host")), ""),
        ("versions", _joined(manifest.get("versions")), ""),
    ]
    inputs = manifest.get("inputs") or []
    shown = [f"{i.get('path')}  sha256 {str(i.get('sha256'))[:16]}…" for i in inputs[:_MOST_INPUTS]]
    if len(inputs) > _MOST_INPUTS:
        shown.append(f"and {len(inputs) - _MOST_INPUTS} more in manifest.json")
    return Provenance(
        record.anchor,
        f"{STAGE_LABELS[record.stage]} {record.name}",
        Path(os.path.relpath(record.path.resolve(), report_folder.resolve())).as_posix(),
        tuple(fact for fact in facts if fact[1]),
        _configuration(record.config),
        tuple(shown),
        record.problem or "",
    )


def _made_from(record: RunRecord, records: Sequence[RunRecord]) -> Iterator[tuple[str, str, str]]:
    """A fact for every run that this one was made from, and for a model of elsewhere."""
    before = upstream_or_written(record, records)
    for one in before[:_MOST_RUNS]:
        if isinstance(one, RunRecord):
            yield "made from", one.name, one.anchor
        else:
            yield "made from", one, ""
    if len(before) > _MOST_RUNS:
        yield "made from", f"and {len(before) - _MOST_RUNS} more in manifest.json", ""


def shortened(runs: Sequence[Provenance]) -> list[Provenance]:
    """The entries without configurations and inputs, for a page over very many runs."""
    elsewhere = ("left out for the size of the page: see manifest.json in the folder",)
    return [replace(run, config="", inputs=elsewhere if run.inputs else ()) for run in runs]


def html_page(
    title: str, subtitle: str, sections: Sequence[Section], runs: Sequence[Provenance]
) -> str:
    """The whole page as one string."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    template = environment.from_string(_packaged("page.html.j2"))
    return template.render(
        title=title,
        subtitle=subtitle,
        style=Markup(palette() + _packaged("page.css")),
        sections=sections,
        runs=runs,
        is_table=lambda block: isinstance(block, Table),
        draw=lambda chart: Markup(draw(chart)),
    )


def markdown_page(
    title: str, subtitle: str, sections: Sequence[Section], runs: Sequence[Provenance]
) -> str:
    """The same content as Markdown; figures are linked files in `figures/`."""
    lines = [f"# {markdown_text(title)}", "", markdown_text(subtitle), ""]
    for section in sections:
        lines += [f"## {markdown_text(section.title)}", "", markdown_text(section.lead), ""]
        for block in section.blocks:
            if isinstance(block, Table):
                lines.append(block.to_markdown())
            else:
                picture = f"![{markdown_text(block.title)}](figures/{block.identifier}.svg)"
                lines += [picture, ""]
    lines += ["## Where every number comes from", ""]
    for run in runs:
        lines += [f"### {markdown_text(run.heading)}", "", f"Folder: `{run.folder}`", ""]
        if run.problem:
            lines += [f"Not shown above: {markdown_text(run.problem)}", ""]
        lines += [f"- {what}: `{text}`" for what, text, _ in run.facts]
        lines.append("")
    return "\n".join(lines)


def _configuration(config: Mapping[str, Any]) -> str:
    import yaml

    if not config:
        return ""
    return yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True).rstrip()


def _host(host: Any) -> str:
    return _joined(host) if isinstance(host, Mapping) else str(host or "")


def _joined(facts: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in facts.items()) if isinstance(facts, Mapping) else ""


def _packaged(name: str) -> str:
    return (files("bbert.report") / name).read_text(encoding="utf-8")
