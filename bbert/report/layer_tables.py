"""Tables of the probes that go layer by layer: CKA, translation of sentences and words, cosine.

Values are shares of 1 as in `results.json`. An empty cell says why under the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bbert.probe.results import by_pair, cut_note, headlines
from bbert.report.probe_tables import LAYERED, NAMES, probe_records, reasons_of, sentence
from bbert.report.records import RunRecord, is_number
from bbert.report.table import NOTHING, Cell, Column, Table, fixed, number, words

_BOTH = ", both directions"


def layer_tables(run: RunRecord, number_in_page: int) -> list[Table]:
    """A table for every pair of languages where there are several models of several pairs."""
    groups = by_pair(run.content)
    numbers = [f"{number_in_page}-{i}" for i, _ in enumerate(groups, start=1)]
    numbers = [str(number_in_page)] if len(groups) == 1 else numbers
    tables = [
        _layer_table(run, number, pair, named)
        for number, (pair, named) in zip(numbers, groups, strict=True)
    ]
    means = _mean_table(run, number_in_page)
    return [*tables, means] if means else tables


def title_of(run: RunRecord, pair: str) -> str:
    """What the figure and the table of a probe of layers are called."""
    content = run.content
    title = f"{NAMES[content['probe']]} by layer ({content['variant']}): {content['model']}"
    return f"{title}, {pair}" if pair else title


def _mean_table(run: RunRecord, number_in_page: int) -> Table | None:
    """Every layer of every model, the mean over the pairs of languages where there are several."""
    content = run.content
    models: dict[str, list[Mapping[str, Any]]] = {}
    for entry in headlines(content):
        models.setdefault(str(entry["model"]), []).append(entry)
    num_pairs = max(len(entries) for entries in models.values())
    if num_pairs < 2:
        return None
    depth = max(len(e["layers"]) for entries in models.values() for e in entries)
    rows = []
    for layer in [*range(depth), "fused"]:
        cells = [Cell(str(layer), layer, run.anchor)]
        for entries in models.values():
            found = [_at(entry, layer) for entry in entries]
            for key in ("value", "floor"):
                known = [f[key] for f in found if is_number(f.get(key))]
                mean = sum(known) / len(known) if len(known) == len(entries) else None
                cells.append(number(mean, 3))
        if layer != "fused" or any(is_number(cell.value) for cell in cells[1:]):
            rows.append(tuple(cells))
    columns = [Column("Layer", True)]
    for model in models:
        columns += [Column(model, True), Column(f"floor {model}", True)]
    return Table(
        f"probe-means-{number_in_page}",
        f"{title_of(run, '')}, mean over {num_pairs} pairs of languages",
        tuple(columns),
        tuple(rows),
        "Empty where a pair has no value.",
    )


def _at(entry: Mapping[str, Any], layer: int | str) -> Mapping[str, Any]:
    """What was measured at a layer, or at the fused one; {} where nothing was."""
    if isinstance(layer, str):
        return entry["fused"] or {}
    return entry["layers"][layer] if layer < len(entry["layers"]) else {}


def _layer_table(
    run: RunRecord, number: str, pair: str, named: Sequence[tuple[str, Mapping[str, Any]]]
) -> Table:
    """Layers as rows; value with interval and floor of every model or pair of languages."""
    content = run.content
    entries = [entry for _, entry in named]
    columns = [Column("Layer", True)]
    for name, _ in named:
        columns += [Column(name, True), Column(f"floor {name}", True)]
    rows = []
    for layer in range(max(len(e["layers"]) for e in entries)):
        cells = [Cell(str(layer), layer, run.anchor)]
        for entry in entries:
            found = _at(entry, layer)
            cells += [_value_cell(found, run), _floor_cell(found)]
        rows.append(tuple(cells))
    if any(e["fused"] for e in entries):
        cells = [Cell("fused", anchor=run.anchor)]
        for entry in entries:
            cells += [_value_cell(entry["fused"] or {}, run), _floor_cell(entry["fused"] or {})]
        rows.append(tuple(cells))
    rows += _embedding_table_rows(run, entries)
    return Table(
        f"probe-layers-{number}",
        title_of(run, pair),
        tuple(columns),
        tuple(rows),
        _layer_note(run, entries),
        f"{sentence(content.get('definition', ''))}. Layer 0 is the embeddings.",
    )


def tidy_probe_table(records: Sequence[RunRecord]) -> Table | None:
    """Every number of every probe of layers as one row, for CSV."""
    shared = ("measure", "model", "transfer", "random_init", "n", "chance")
    of_layer = ("layer", "value", "low", "high", "floor", "floor_high", "reason")
    headers = ("run", "probe", "variant", *shared, "from", "to", *of_layer)
    rows = []
    for run in probe_records(records, *LAYERED):
        for entry in run.content["measurements"]:
            fused = [{**entry["fused"], "layer": "fused"}] if entry.get("fused") else []
            for layer in (*entry["layers"], *fused):
                exact = (
                    run.name, run.content["probe"], run.content["variant"],
                    *(entry.get(key) for key in shared), *entry["languages"],
                    *(layer.get(key) for key in of_layer),
                )  # fmt: skip
                rows.append(tuple(words(None) if v is None else Cell(str(v), v) for v in exact))
    columns = tuple(Column(header) for header in headers)
    return Table("probes", "Every number of the probes", columns, tuple(rows)) if rows else None


def _value_cell(found: Mapping[str, Any], run: RunRecord) -> Cell:
    value = found.get("value")
    if not is_number(value):
        return Cell(NOTHING, note=str(found.get("reason") or "not measured"))
    low, high = found.get("low"), found.get("high")
    interval = ""
    if is_number(low) and is_number(high):
        interval = f" [{fixed(low, 3)}, {fixed(high, 3)}]"
    return Cell(f"{fixed(value, 3)}{interval}", value, run.anchor)


def _floor_cell(found: Mapping[str, Any]) -> Cell:
    floor = found.get("floor")
    if not is_number(floor):
        return words(None)
    highest = found.get("floor_high")
    note = f"highest of the shuffles: {fixed(highest, 3)}" if is_number(highest) else ""
    return Cell(fixed(floor, 3), floor, note=note, emphasis="floor")


def _layer_note(run: RunRecord, entries: Sequence[Mapping[str, Any]]) -> str:
    content = run.content
    sizes = sorted({e["n"] for e in entries})
    n = f"{sizes[0]:,}" + (f" to {sizes[-1]:,}" if len(sizes) > 1 else "")
    note = f"n = {n}, seed {content.get('seed')}; 95 % bootstrap interval in brackets."
    chances = sorted({100 * e["chance"] for e in entries if is_number(e["chance"])})
    if chances:
        several = f" to {chances[-1]:.2f}" if len(chances) > 1 else ""
        note += f" Chance {chances[0]:.2f}{several} %."
    if cut := cut_note(content):
        note += f" {sentence(cut)}."
    return note + reasons_of([layer for e in entries for layer in e["layers"]])


def _embedding_table_rows(
    run: RunRecord, entries: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Cell, ...]]:
    """Measures of the embedding table itself, which has no layers: one row a measure."""
    found: dict[str, dict[tuple[str, ...], Mapping[str, Any]]] = {}
    for entry in run.content["measurements"]:
        if len(entry["layers"]) == 1 and entry["measure"].endswith(_BOTH):
            measures = found.setdefault(entry["measure"].removesuffix(_BOTH), {})
            measures[_of_whom(entry)] = entry["layers"][0]
    for measure, values in found.items():
        cells = [Cell(measure.removeprefix("in the "), anchor=run.anchor)]
        for entry in entries:
            value = values.get(_of_whom(entry), {})
            cells += [_value_cell(value, run), _floor_cell(value)]
        yield tuple(cells)


def _of_whom(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return (str(entry["model"]), *entry["languages"])
