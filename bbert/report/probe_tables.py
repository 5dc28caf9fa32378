"""Tables of the probes: correlations, overlap, word order, the portrait of a model.

Values are shares of 1 as in `results.json`. An empty cell says why under the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bbert.report.records import RunRecord, is_number
from bbert.report.run_labels import random_layers
from bbert.report.table import NOTHING, Cell, Column, Table, fixed, number, p_value, words

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
        reasons_of(content["correlations"]),
        f"{sentence(content['definition'])}. Muller et al. (2021) print rho without its sign. The "
        "interval is a bootstrap over points (pairs of languages); p is two-sided, for one layer "
        "at a time.",
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
        (Column("Encoder"), *_RHO_COLUMNS), correlated, reasons_of(content["correlations"]),
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
    said = f"rho {rho['rho']:.2f}, {p_value(rho['p'])}" if is_number(rho["rho"]) else rho["reason"]
    note = f"Score and number of shared features: {said}, n = {rho['n']}."
    note += reasons_of(content["rows"])
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


def reasons_of(found: Iterable[Mapping[str, Any]]) -> str:
    """Why cells are empty, each reason once."""
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
