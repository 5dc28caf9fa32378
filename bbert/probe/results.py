"""Results of the probes of a model: `results.json`, and every number as a row of `layers.csv`.

`layers` at the top of results.json is the first measurement: the model that was asked for, the
first pair of languages, the headline measure. `measurements` has all of them. A layer whose value
could not be computed says why in `reason`, and has null for a value.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

CSV_COLUMNS: tuple[str, ...] = (
    "probe", "variant", "measure", "model", "transfer", "random_init", "from_language",
    "to_language", "layer", "value", "low", "high", "floor", "floor_high", "chance", "n", "seed",
    "reason",
)  # fmt: skip


@dataclass
class LayerValue:
    """One number with its 95 % interval, and its floor: mean and highest of the shuffled pairs."""

    layer: int
    value: float | None
    floor: float | None = None
    low: float | None = None
    high: float | None = None
    floor_high: float | None = None
    reason: str | None = None


@dataclass
class Measurement:
    """One measure of one model between two languages, layer by layer.

    Attributes:
        model: what tables call it.
        transfer: the transfer run that fine-tuned it, or None.
        random_init: layers drawn afresh for the measurement, or None.
        languages: from, to; the order matters where `measure` names a direction.
        measure: the headline's name, or what differs from it.
        n: of what was compared.
        chance: of guessing, where there is such a thing.
        layers: from 0, the embeddings.
        fused: of the representation that the fused layers give, for a fused model.
    """

    model: str
    transfer: str | None
    random_init: str | None
    languages: tuple[str, str]
    measure: str
    n: int
    chance: float | None
    layers: list[LayerValue] = field(default_factory=list)
    fused: LayerValue | None = None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Measurement:
        """The measurement that `asdict` and JSON wrote."""
        fused = content.get("fused")
        return cls(
            **{
                **content,
                "languages": tuple(content["languages"]),
                "layers": [LayerValue(**layer) for layer in content["layers"]],
                "fused": LayerValue(**fused) if fused else None,
            }
        )


def layer_results(
    probe: str,
    variant: str,
    definition: str,
    measurements: Sequence[Measurement],
    notes: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of results.json of a probe with a value per layer."""
    first = measurements[0]
    return {
        "probe": probe,
        "variant": variant,
        "definition": definition,
        "model": first.model,
        "languages": list(first.languages),
        "measure": first.measure,
        "n": first.n,
        "chance": first.chance,
        "layers": [asdict(layer) for layer in first.layers],
        **notes,
        "measurements": [asdict(measurement) for measurement in measurements],
    }


def headlines(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The measurements of the headline measure: one for every model and pair of languages."""
    return [e for e in content["measurements"] if e["measure"] == content["measure"]]


def labels(content: Mapping[str, Any]) -> list[str]:
    """A name for each headline: its languages, its model, or both where both vary.

    The name of the first model, with which those made from it begin, is left out.
    """
    entries, main = headlines(content), str(content["model"])
    several_models = len({e["model"] for e in entries}) > 1
    several_pairs = len({tuple(e["languages"]) for e in entries}) > 1
    found = []
    for entry in entries:
        made_from = str(entry["model"]).removeprefix(main).lstrip("-, ")
        model = made_from or (main if entry["transfer"] else "pretrained")
        pair = "–".join(entry["languages"])
        if several_models:
            found.append(f"{pair}, {model}" if several_pairs else model)
        else:
            found.append(pair)
    return found


def cut_note(content: Mapping[str, Any]) -> str:
    """How many sentences of each language were read without their end, by model where they differ;
    empty where none were."""
    said: dict[str, list[str]] = {}
    for model, languages in content.get("cut", {}).items():
        counts = [
            f"{name} {found['truncated']:,}"
            for name, found in languages.items()
            if found["truncated"]
        ]
        if counts:
            said.setdefault(", ".join(counts), []).append(model)
    if not said:
        return ""
    parts = [
        counts if len(models) == len(content["cut"]) else f"{counts} ({', '.join(models)})"
        for counts, models in said.items()
    ]
    return f"sentences cut off at {content['max_length']} word-pieces: {'; '.join(parts)}"


def by_pair(content: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """The headlines with their names, as they can be read together: (of what, [(name, entry)]).

    Several models of several pairs of languages are a group for every pair, "en–ru" its name; else
    all are one group without a name.
    """
    entries, names = headlines(content), labels(content)
    pairs = list(dict.fromkeys("–".join(e["languages"]) for e in entries))
    if len(pairs) == 1 or len({e["model"] for e in entries}) == 1:
        return [("", list(zip(names, entries, strict=True)))]
    return [
        (pair, [(name.removeprefix(f"{pair}, "), entry)
                for name, entry in zip(names, entries, strict=True)
                if "–".join(entry["languages"]) == pair])
        for pair in pairs
    ]  # fmt: skip


def write_layers(path: Path, content: Mapping[str, Any]) -> None:
    """Every number of results.json as one row."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, CSV_COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for entry in content["measurements"]:
            shared = {
                **{key: entry[key] for key in ("measure", "model", "transfer", "random_init")},
                "probe": content["probe"],
                "variant": content["variant"],
                "from_language": entry["languages"][0],
                "to_language": entry["languages"][1],
                "chance": entry["chance"],
                "n": entry["n"],
                "seed": content["seed"],
            }
            for layer in entry["layers"]:
                writer.writerow({**shared, **layer})
            if entry["fused"]:
                writer.writerow({**shared, **entry["fused"], "layer": "fused"})


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Mappings with the same keys as CSV, or nothing where there are none."""
    if not rows:
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
