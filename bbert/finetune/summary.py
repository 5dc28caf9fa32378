"""What the command line shows at the end of `bbert finetune`: the transfer table."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from bbert.finetune.contamination_notes import contamination_notes
from bbert.finetune.truncation_notes import truncation_notes
from bbert.json_files import read_json
from bbert.run_directory import RunDirectory

if TYPE_CHECKING:
    from rich.table import Table


def summary(run: RunDirectory) -> Table:
    """One row per language: mean ± standard deviation in percent, chance, gap to the source."""
    from rich.table import Table

    content = read_json(run.path / "results.json")
    metric = content["metric"].replace("_", " ")
    table = Table(title=_title(content), caption=_caption(content), title_justify="left",
                  caption_justify="left")  # fmt: skip
    table.add_column("language")
    for column in (f"{metric} %", "chance %", "gap", "n", "split"):
        table.add_column(column, justify="right")
    of_trees = content["task"] == "parsing"
    for column in ("uas %", "uas floor %") if of_trees else ():
        table.add_column(column, justify="right")
    for name, entry in content["languages"].items():
        source = name == content["train_language"]
        gap = content["cross_lingual_gap"].get(name)
        table.add_row(
            f"{name} (source)" if source else name,
            score_text(entry),
            f"{100 * entry['chance']:.1f}",
            "" if gap is None else f"{100 * gap:.1f}",
            f"{entry['n']:,}",
            entry["split"],
            *(_unlabelled(entry) if of_trees else ()),
        )
    found = content.get("averages") or {}
    if found:
        table.add_section()
    for name, average in found.items():
        for entry in filter(None, (average, average.get("zero_shot"))):
            table.add_row(
                average_label(name, entry, zero_shot=entry is not average),
                score_text(entry),
                f"{100 * entry['chance']:.1f}",
            )
    return table


def _unlabelled(entry: dict[str, Any]) -> tuple[str, str]:
    """UAS of a parser, and of the better tree without a model."""
    values = entry["metrics"].get("uas", [])  # none where every seed failed
    std = stdev(values) if len(values) > 1 else None
    scores = {"mean": fmean(values) if values else None, "std": std}
    return score_text(scores), f"{100 * max(f['uas'] for f in entry['floors'].values()):.1f}"


def average_label(name: str, average: dict[str, Any], zero_shot: bool = False) -> str:
    """The name of an average with the number of its languages."""
    without = "zero-shot, " if zero_shot else ""
    number = average["num_languages"]
    return f"mean {name} ({without}{number} language{'s' * (number != 1)})"


def _title(content: dict[str, Any]) -> str:
    fusion = content["fusion"]
    if content["fusion_layer"]:
        fusion += f" of layer {content['fusion_layer']}"
    start = f", layers {content['random_init']} random" if content["random_init"] else ""
    return (
        f"{content['task']}: {content['model']} fine-tuned on {content['train_language']} "
        f"({content['train']['n']:,} examples; {fusion}, {content['head']} head{start})"
    )


def _caption(content: dict[str, Any]) -> str:
    seeds = content["seeds"]
    spread = "mean ± standard deviation over seeds" if len(seeds) > 1 else "seed"
    said = f"{spread} {', '.join(map(str, seeds))}; chance: {content['chance_definition']}"
    failed = [f"\nfailed: {cell}: {why}" for cell, why in content.get("failures", {}).items()]
    found = truncation_notes(content.get("too_long"), content["languages"])
    found += contamination_notes(content["contamination"]) if "contamination" in content else []
    return said + "".join(failed) + "".join(f"\n{sentence}" for sentence in found)


def score_text(entry: dict[str, Any]) -> str:
    """Mean ± standard deviation in percent."""
    if entry["mean"] is None:
        return "failed"
    mean = f"{100 * entry['mean']:.1f}"
    return mean if entry["std"] is None else f"{mean} ± {100 * entry['std']:.1f}"
