"""What transfer runs are called on a page: model, fusion, and what of the encoder is random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile

from bbert.report.records import RunRecord


def model_name(record: RunRecord) -> str:
    """Short name of the encoder that was fine-tuned."""
    written = record.content.get("model") or record.config.get("model") or "?"
    return str(written).rstrip("/").split("/")[-1]


def encoder_label(record: RunRecord) -> str:
    """What was fine-tuned: "pretrained", or the layers that were drawn at random before."""
    layers = record.content.get("random_init")
    if not layers:
        return "pretrained"
    layers = "+".join(map(str, layers)) if isinstance(layers, list) else str(layers)
    init = record.content.get("init") or record.config.get("init")
    kind = f" (init {init})" if init else ""
    return f"{random_layers(layers)}{kind}"


def random_layers(layers: str) -> str:
    """What is random of an encoder, in words: all of it, one layer, or some."""
    if layers == "all":
        return "random encoder"
    return f"layer{'' if layers.isdigit() else 's'} {layers} random"


def fusion_label(record: RunRecord) -> str:
    """The fusion with its layer and its variants."""
    results, config = record.content, record.config
    fusion = str(results["fusion"])
    if not fusion.startswith("dlfa"):
        return fusion
    parts = [f"layer {results['fusion_layer']}"] if results.get("fusion_layer") else []
    for key in ("gate", "pool"):
        value = results.get(f"fusion_{key}", config.get(f"fusion_{key}"))
        if value:
            parts.append(f"{key} {value}")
    return f"{fusion} ({', '.join(parts)})" if parts else fusion


def condition_label(record: RunRecord) -> str:
    """The fusion, and what was drawn at random before it."""
    encoder = encoder_label(record)
    fusion = fusion_label(record)
    return fusion if encoder == "pretrained" else f"{fusion}, {encoder}"


def row_labels(group: Sequence[RunRecord]) -> dict[str, str]:
    """run's anchor → its condition; with its name where another run of its model has the same."""
    labels = {run.anchor: condition_label(run) for run in group}
    return _told_apart(group, labels, {r.anchor: (model_name(r), labels[r.anchor]) for r in group})


def figure_labels(group: Sequence[RunRecord]) -> dict[str, str]:
    """run's anchor → a short label with its model; with the run's name where another one has the
    same."""
    models = {model_name(run) for run in group}
    short = short_names(models) if len(models) > 1 else {}
    labels = {run.anchor: _figure_label(run, short) for run in group}
    return _told_apart(group, labels, labels)


def short_names(names: Collection[str]) -> dict[str, str]:
    """name → it without the parts, between hyphens, with which all of them begin."""
    parts = {name: name.split("-") for name in names}
    columns = zip(*parts.values(), strict=False)
    same = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
    return {name: "-".join(found[same:]) or found[-1] for name, found in parts.items()}


def _told_apart(
    group: Sequence[RunRecord], labels: Mapping[str, str], keys: Mapping[str, object]
) -> dict[str, str]:
    """`labels` by anchor; those of runs with equal `keys` get the end of the run's name."""
    number = Counter(keys.values())
    twice = [run for run in group if number[keys[run.anchor]] > 1]
    names = short_names({run.name for run in twice})
    added = {run.anchor: f"{labels[run.anchor]} [{names[run.name]}]" for run in twice}
    return {**labels, **added}


def _figure_label(run: RunRecord, models: Mapping[str, str]) -> str:
    encoder = encoder_label(run).split(" (")[0]
    label = fusion_label(run).split(", gate")[0]
    label += ")" if label.count("(") > label.count(")") else ""
    if encoder != "pretrained":
        label = f"{label}, {encoder}"
    return f"{models[model_name(run)]}: {label}" if models else label
