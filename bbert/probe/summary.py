"""What the command line shows at the end of a probe: its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bbert.json_files import read_json
from bbert.probe.results import by_pair, cut_note, headlines
from bbert.report.table import p_value
from bbert.run_directory import RunDirectory

if TYPE_CHECKING:
    from rich.console import RenderableType

_NOTHING = "–"
_MOST_ROWS = 40
_MOST_WITH_INTERVALS = 2


def summary(run: RunDirectory) -> RenderableType:
    """The table of a finished probe."""
    content = read_json(run.path / "results.json")
    show = _TABLES.get(content["probe"], _layers)
    return show(content)


def _layers(content: dict[str, Any]) -> RenderableType:
    """Layers as rows; the headline measure of every model and pair of languages as columns."""
    from rich.console import Group

    groups = by_pair(content)
    wide = max(len(named) for _, named in groups) > _MOST_WITH_INTERVALS
    tables = [_layer_table(content, pair, named, wide) for pair, named in groups]
    return Group(*tables, _caption(content, wide))


def _layer_table(
    content: dict[str, Any], pair: str, named: Sequence[tuple[str, dict[str, Any]]], wide: bool
) -> RenderableType:
    from rich.table import Table

    entries = [entry for _, entry in named]
    pairs = dict.fromkeys("–".join(e["languages"]) for e in entries)
    title = f"{content['measure']} ({content['variant']}): {content['model']}, {', '.join(pairs)}"
    table = Table(title=title, title_justify="left")
    table.add_column("layer", justify="right")
    for name, _ in named:
        table.add_column(name, justify="right")
        table.add_column("floor", justify="right", style="dim")
    for place in range(max(len(e["layers"]) for e in entries)):
        cells = []
        for entry in entries:
            layer = entry["layers"][place] if place < len(entry["layers"]) else None
            cells += [_value(layer, wide), _number(layer and layer["floor"])]
        table.add_row(str(place), *cells)
    return table


def _caption(content: dict[str, Any], wide: bool) -> str:
    interval = "95 % intervals in layers.csv" if wide else "95 % interval"
    caption = f"n = {content['n']:,}; {interval}; floor: pairs shuffled"
    if content["chance"]:
        caption += f"; chance {100 * content['chance']:.2f} %"
    entries = headlines(content)
    for entry in content["measurements"]:
        if len(entry["layers"]) == 1 and entry["measure"].endswith("both directions"):
            caption += f"\n{entry['model']}, {entry['measure']}: {_value(entry['layers'][0])}"
    fused = [f"{e['model']} {_value(e['fused'])}" for e in entries if e["fused"]]
    if fused:
        caption += "\nfused: " + "; ".join(fused)
    if note := cut_note(content):
        caption += f"\n{note}"
    reasons = dict.fromkeys(v["reason"] for e in entries for v in e["layers"] if v["reason"])
    return caption + "".join(f"\n{_NOTHING}: {reason}" for reason in reasons)


def _gap(content: dict[str, Any]) -> RenderableType:
    rows = [(c["encoder"], str(c["layer"]), _rho(c)) for c in content["correlations"]]
    title = f"{content['similarity']} ({content['variant']}) and gap of {content['task']}"
    return _table(title, ("encoder", "layer", "rho [95 %], p, n"), rows, content["definition"])


def _overlap(content: dict[str, Any]) -> RenderableType:
    if content["variant"] == "texts":
        rows = [
            (r["first"], r["second"], _number(r["overlap"]), f"{r['shared_types']:,}")
            for r in content["rows"]
        ]
        columns = ("text", "text", "overlap", "shared word-pieces")
        return _table("Overlap of word-pieces", columns, rows, content["definition"])
    rows = [
        (r["run"], r["train"], r["eval"], _number(r["overlap"]), f"{100 * r['score']:.1f}")
        for r in content["rows"]
    ]
    caption = "\n".join(f"zero-shot, {c['model']}: {_rho(c)}" for c in content["correlations"])
    columns = ("run", "trained on", "tested on", "overlap", "F1 %")
    return _table("Overlap of entities' word-pieces and F1", columns, rows, caption)


def _typology(content: dict[str, Any]) -> RenderableType:
    rows = [
        (f"{r['train']} → {r['eval']}", str(r["pairs"]), _percent(r["mean"], r["reason"]))
        for r in content["by_order"]
    ]
    rows += [
        (f"{r['shared']} features shared", str(r["pairs"]), _percent(r["mean"], r["reason"]))
        for r in content["by_shared_features"]
    ]
    reasons = dict.fromkeys(row["reason"] for row in content["rows"] if row["reason"])
    caption = "\n".join([f"score and shared features: {_rho(content['correlation'])}", *reasons])
    return _table(f"Word order and {content['task']}", ("pairs of languages", "n", "mean %"), rows,
                  caption)  # fmt: skip


def _portrait(content: dict[str, Any]) -> RenderableType:
    rows = [
        (r["measure"].replace("_", " "), _span(r), _number(r["value"]), r["run"])
        for r in content["rows"]
    ]
    best = content["best_dlfa_layer"]
    caption = f"best DLFA layer: {best}" if best else ""
    caption += "".join(f"\n{m.replace('_', ' ')}: {why}" for m, why in content["reasons"].items())
    title = f"Layers of {content['model']}, {' → '.join(content['languages'])}"
    return _table(title, ("measure", "layer", "value", "run"), rows, caption.strip())


def _code_switch(content: dict[str, Any]) -> RenderableType:
    from shlex import quote

    from rich.text import Text

    return Text(
        f"{content['words_replaced']:,} of {content['words']:,} words replaced "
        f"({100 * content['share_replaced']:.1f} %) in {content['n']:,} sentences\n"
        f"test on it with: bbert finetune --task {content['task']} --eval-set "
        f"{quote(content['eval_set'])}",
        overflow="fold",
    )


_TABLES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "gap": _gap, "overlap": _overlap, "typology": _typology, "portrait": _portrait,
    "code-switch": _code_switch,
}  # fmt: skip


def _table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str
) -> RenderableType:
    from rich.table import Table

    left_out = len(rows) - _MOST_ROWS
    if left_out > 0:
        caption += f"\n{left_out} more rows are in the CSV file"
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right")
    for row in rows[:_MOST_ROWS]:
        table.add_row(*row)
    return table


def _rho(found: dict[str, Any]) -> str:
    if found["rho"] is None:
        return f"{_NOTHING} ({found['reason']})"
    return (
        f"rho {found['rho']:.2f} [{found['low']:.2f}, {found['high']:.2f}], {p_value(found['p'])}, "
        f"n {found['n']}"
    )


def _value(layer: dict[str, Any] | None, alone: bool = False) -> str:
    """A value with its interval, or `alone`."""
    if layer is None or layer["value"] is None:
        return _NOTHING
    if alone or layer["low"] is None:
        return f"{layer['value']:.3f}"
    return f"{layer['value']:.3f} [{layer['low']:.3f}, {layer['high']:.3f}]"


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3f}"


def _percent(value: float | None, reason: str | None) -> str:
    return f"{_NOTHING} ({reason})" if value is None else f"{100 * value:.1f}"


def _span(row: dict[str, Any]) -> str:
    first, last = row["first_layer"], row["last_layer"]
    return str(first) if first == last else f"{first}-{last}"
