"""What `bbert pretrain` shows at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bbert.pretrain.curve_keys import best_layers
from bbert.run_directory import RunDirectory

if TYPE_CHECKING:
    from rich.table import Table


def summary(run: RunDirectory) -> Table:
    """Losses, validation perplexity per language beside that of unigrams, speed and size."""
    from rich.table import Table

    manifest = run.manifest
    config, counts, metrics = manifest["config"], manifest["counts"], manifest["metrics"]
    table = Table(title=f"model {run.name}", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row(
        "architecture",
        f"{config['depth']} layers × {config['hidden']}, {config['heads']} heads, "
        f"{'MLM + NSP' if config['nsp'] else 'MLM'}{', language ids' * config['lang_id']}",
    )
    table.add_row("parameters", f"{manifest['parameters']:,}")
    table.add_row("corpus", f"{manifest['corpus']} ({', '.join(manifest['languages'])})")
    passes = ", ".join(f"{language} {times:,.2f}" for language, times in counts["passes"].items())
    table.add_row("steps", f"{counts['steps']:,} ({counts['tokens']:,} tokens; passes: {passes})")
    table.add_row("loss, first and last", f"{metrics['first_loss']:.3f} → {metrics['loss']:.3f}")
    if "validation_nsp_accuracy" in metrics:
        table.add_row(
            "validation NSP accuracy", f"{100 * metrics['validation_nsp_accuracy']:.1f} %"
        )
    for language in manifest["languages"]:
        perplexity = metrics.get(f"validation_perplexity/{language}")
        shown = "no held-out text" if perplexity is None else f"{perplexity:,.2f}"
        if (unigrams := metrics.get(f"unigram_perplexity/{language}")) is not None:
            shown += f" (unigrams: {unigrams:,.2f})"
        table.add_row(f"validation perplexity, {language}", shown)
    for line in best_layers(metrics).splitlines():
        what, _, value = line.rpartition(": ")
        table.add_row(what, value)
    seconds = metrics["training_seconds"]
    speed = f"{metrics['tokens_per_second']:,.0f} tokens/s"
    if "peak_share" in metrics:
        speed += f" ({100 * metrics['peak_share']:.0f} % of the matrix peak)"
    table.add_row("speed", speed)
    table.add_row("time", f"{seconds:,.0f} s of training, {manifest['seconds']:,.0f} s in all")
    if "probe_seconds" in metrics:
        # Of all processes of the run, as the seconds of training are, not of the last one alone.
        share = metrics["probe_seconds"] / (metrics["probe_seconds"] + seconds)
        table.add_row(
            "multilinguality curves",
            f"{metrics['probe_seconds']:,.1f} s ({100 * share:.1f} % of the time)",
        )
    return table
