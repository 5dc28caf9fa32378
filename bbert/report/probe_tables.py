"""Tables of the probes: layers, correlations, overlap, word order, the portrait of a model.

Values are shares of 1 as in `results.json`. An empty cell says why under the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bbert.probe.results import headlines, labels
from bbert.report.records import RunRecord, is_number
from bbert.report.table import NOTHING, Cell, Column, Table, fixed, number, words
from bbert.report.transfer_tables import random_layers

NAMES = {
    "cka": "CKA", "retrieval": "Sentence translation", "translation": "Word translation",
    "cosine": "Cosine", "overlap": "Overlap", "typology": "Word order", "gap": "Gap",
    "portrait": "Portrait", "code-switch": "Code switching",
}  # fmt: skip
"""Probe → what the page calls it."""

LAYERED = ("cka", "retrieval", "translation", "cosine")
PORTRAIT = {
    "random_init_drop": "lost by random layers",
    "dlfa_gain": "gained by DLFA",
    "cka": "CKA",
    "translation": "sentence translation",
}
"""Measure of a portrait → what the page calls it."""

_BOTH = ", both directions"


def probe_records(records: Iterable[RunRecord], *probes: str) -> list[RunRecord]:
    """The usable probe runs, of the named probes where any are named."""
    return [
        r for r in records
        if r.stage == "probe" and r.problem is None
        and (not probes or r.content["probe"] in probes)
    ]  # fmt: skip


def sentence(text: Any) -> str:
    """The text with a capital at its start, and nothing else changed."""
    return str(text)[:1].upper() + str(text)[1:]


def layer_table(run: RunRecord, number_in_page: int) -> Table:
    """Layers as rows; value with interval and floor of every model and pair of languages."""
    content = run.content
    entries = headlines(run.content)
    columns = [Column("Layer", True)]
    for name in labels(run.content):
        columns += [Column(name, True), Column(f"floor {name}", True)]
    rows = []
    for layer in range(max(len(e["layers"]) for e in entries)):
        cells = [Cell(str(layer), layer, run.anchor)]
        for entry in entries:
            found = entry["layers"][layer] if layer < len(entry["layers"]) else {}
            cells += [_value_cell(found, run), _floor_cell(found)]
        rows.append(tuple(cells))
    if any(e["fused"] for e in entries):
        cells = [Cell("fused", anchor=run.anchor)]
        for entry in entries:
            cells += [_value_cell(entry["fused"] or {}, run), _floor_cell(entry["fused"] or {})]
        rows.append(tuple(cells))
    rows += _embedding_table_rows(run, entries)
    return Table(
        f"probe-layers-{number_in_page}",
        f"{NAMES[content['probe']]} by layer ({content['variant']}): {content['model']}",
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


def gap_table(run: RunRecord, number_in_page: int) -> Table:
    """Rank correlation of similarity and gap, for every layer."""
    content = run.content
    rows = tuple(
        (words(f"{c['encoder']}, {_layer(c['layer'])}", run.anchor), *_rho_cells(c))
        for c in content["correlations"]
    )
    similarity = f"{NAMES[content['similarity']]} ({content['variant']})"
    return Table(
        f"probe-gap-{number_in_page}",
        f"{similarity} and the cross-lingual gap of {content['task']}",
        (Column("Encoder and layer"), *_RHO_COLUMNS),
        rows,
        _reasons(content["correlations"]),
        f"{sentence(content['definition'])}. Muller et al. (2021) print rho without its sign. The "
        "interval is a bootstrap over points; p is two-sided and for one layer at a time.",
    )


def overlap_tables(run: RunRecord, number_in_page: int) -> list[Table]:
    """Every pair, and the correlations of overlap with F1."""
    content = run.content
    if content["variant"] == "texts":
        columns = (Column("Texts"), Column("Overlap", True), Column("Shared word-pieces", True),
                   Column("First's tokens in second", True),
                   Column("Second's tokens in first", True))  # fmt: skip
        rows = tuple(
            (words(f"{r['first']} – {r['second']}", run.anchor), number(r["overlap"], 3),
             number(r["shared_types"]), number(r["first_tokens_in_second"], 3),
             number(r["second_tokens_in_first"], 3))
            for r in content["rows"]
        )  # fmt: skip
        caption = "Overlap of word-pieces"
        return [Table(f"probe-overlap-{number_in_page}", caption, columns, rows,
                      f"{sentence(content['definition'])}.")]  # fmt: skip
    columns = (Column("Run"), Column("Trained on"), Column("Tested on"), Column("Overlap", True),
               Column("F1, %", True), Column("n", True), Column("Seeds", True))  # fmt: skip
    rows = tuple(
        (words(r["run"], run.anchor), words(r["train"]), words(r["eval"]), number(r["overlap"], 3),
         _percent(r["score"]), number(r["n"]), number(r["seeds"]))
        for r in content["rows"]
    )  # fmt: skip
    pairs = Table(
        f"probe-overlap-{number_in_page}", "Overlap of entities' word-pieces and F1", columns, rows,
        f"{sentence(content['definition'])}, in the entities of training and test data.",
    )  # fmt: skip
    correlated = tuple(
        (words(_encoder(c), run.anchor), *_rho_cells(c)) for c in content["correlations"]
    )
    rho = Table(
        f"probe-overlap-rho-{number_in_page}", "Overlap against zero-shot F1",
        (Column("Encoder"), *_RHO_COLUMNS), correlated, _reasons(content["correlations"]),
    )  # fmt: skip
    return [pairs, rho]


def typology_table(run: RunRecord, number_in_page: int) -> Table:
    """Averages by classes of word order and by the number of shared features."""
    content = run.content
    columns = (Column("Pairs of languages"), Column("Mean, %", True), Column("Std", True),
               Column("Pairs", True))  # fmt: skip
    named = [(f"{r['train']} → {r['eval']}", r) for r in content["by_order"]]
    named += [
        (f"{r['shared']} feature{'' if r['shared'] == 1 else 's'} shared", r)
        for r in content["by_shared_features"]
    ]
    rows = tuple(
        (words(name, run.anchor), _percent(r["mean"], r["reason"] or ""), _percent(r["std"]),
         number(r["pairs"]))
        for name, r in named
    )  # fmt: skip
    rho = content["correlation"]
    said = f"rho {rho['rho']:.2f}, p {rho['p']:.3f}" if is_number(rho["rho"]) else rho["reason"]
    note = f"Score and number of shared features: {said}, n = {rho['n']}."
    note += _reasons(content["rows"])
    caption = f"Word order and zero-shot {content['task']}"
    definition = f"{sentence(content['definition'])}. Features: {content['variant']}."
    return Table(f"probe-typology-{number_in_page}", caption, columns, rows, note, definition)


def portrait_table(run: RunRecord, number_in_page: int) -> Table:
    """The four measurements of a model's layers."""
    content = run.content
    columns = (Column("Measure"), Column("Layer", True), Column("Value, %", True),
               Column("95 % interval", True), Column("Floor, %", True), Column("Seeds", True),
               Column("Run"))  # fmt: skip
    rows = tuple(
        (
            words(PORTRAIT[r["measure"]], run.anchor), words(_span(r)), _percent(r["value"]),
            _interval(r, 100), _percent(r["floor"]), number(r["seeds"]), words(r["run"]),
        )
        for r in content["rows"]
    )  # fmt: skip
    best, base = content["best_dlfa_layer"], content["baseline"]
    note = f"Best DLFA layer on {content['languages'][1]}: {best}." if best else ""
    if base:
        note += f" Last layer alone: {100 * base['mean']:.1f} ({base['seeds']} seeds)."
    note += "".join(f" {sentence(PORTRAIT[m])}: {why}." for m, why in content["reasons"].items())
    pair = " → ".join(content["languages"])
    return Table(
        f"probe-portrait-{number_in_page}", f"Layers of {content['model']}, {pair}", columns, rows,
        note.strip(), f"{sentence(content['definition'])}. Gains and losses are in points.",
    )  # fmt: skip


_RHO_COLUMNS = (Column("rho", True), Column("95 % interval", True), Column("p", True),
                Column("Points", True))  # fmt: skip


def _rho_cells(found: Mapping[str, Any]) -> tuple[Cell, ...]:
    rho = number(found["rho"], 2)
    if found["reason"]:
        rho = Cell(NOTHING, note=found["reason"])
    return rho, _interval(found), number(found["p"], 4), number(found["n"])


def _interval(found: Mapping[str, Any], times: int = 1) -> Cell:
    if not is_number(found["low"]) or not is_number(found["high"]):
        return words(None)
    digits = 1 if times > 1 else 2
    low, high = (fixed(times * found[end], digits) for end in ("low", "high"))
    return words(f"{low} to {high}")


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
    return note + _reasons([layer for e in entries for layer in e["layers"]])


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


def _reasons(found: Iterable[Mapping[str, Any]]) -> str:
    reasons = dict.fromkeys(str(f["reason"]) for f in found if f.get("reason"))
    return "".join(f" {NOTHING}: {reason}." for reason in list(reasons)[:6])


def _percent(value: Any, reason: str = "") -> Cell:
    if not is_number(value):
        return Cell(NOTHING, note=reason)
    return Cell(fixed(100 * value, 1), value)


def _layer(layer: Any) -> str:
    return "mean of the layers" if layer == "mean" else f"layer {layer}" if layer else "embeddings"


def _encoder(found: Mapping[str, Any]) -> str:
    layers = found["random_init"]
    return str(found["model"]) + (f", {random_layers(str(layers))}" if layers else "")


def _span(row: Mapping[str, Any]) -> str:
    first, last = row["first_layer"], row["last_layer"]
    return str(first) if first == last else f"{first}–{last}"
