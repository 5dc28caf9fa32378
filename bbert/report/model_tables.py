"""Pretraining runs as tables, and the series of their figures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from bbert.report.records import RunRecord, is_number
from bbert.report.select_runs import upstream
from bbert.report.table import Cell, Column, Table, number, words

_PERPLEXITY = "perplexity/"
_UNIGRAMS = "unigram_perplexity/"


def model_runs(records: Sequence[RunRecord]) -> list[RunRecord]:
    """The pretraining runs that could be read."""
    return [r for r in records if r.stage == "pretrain" and r.problem is None]


def model_table(records: Sequence[RunRecord]) -> Table:
    """Architecture, objective and last measurements of every model."""
    headers = ("Model", "Corpus", "Languages", "Objective", "Depth", "Heads", "Hidden",
               "Parameters", "Steps", "Last loss", "Tokens/s", "Minutes")  # fmt: skip
    rows = []
    for run in model_runs(records):
        config, manifest = run.config, run.manifest
        corpus = upstream(run, records)
        rates = [r["tokens_per_second"] for r in run.content["rows"] if _is(r, "tokens_per_second")]
        loss = last_value(run, "loss")
        rows.append(
            (
                Cell(run.name, anchor=run.anchor),
                words(_corpus_name(run), corpus.anchor if corpus else ""),
                words(", ".join(map(str, manifest.get("languages") or ()))),
                words(objective(config)),
                number(config.get("depth")),
                number(config.get("heads")),
                number(config.get("hidden")),
                number(manifest.get("parameters")),
                number(last_value(run, "step")),
                number(loss, 3),
                number(median(rates) if rates else None, 0),
                number(_minutes(manifest), 1),
            )
        )
    columns = tuple(Column(h, numeric=position >= 4) for position, h in enumerate(headers))
    note = "Tokens/s is the median over the logged steps; the last loss is of one logging interval."
    return Table("models", "Pretrained models", columns, tuple(rows), note)


def perplexity_table(records: Sequence[RunRecord]) -> Table | None:
    """Last validation perplexity of the masked words, per language, below it that of the unigrams
    of every corpus; None where none is logged."""
    runs = [(run, last_perplexities(run)) for run in model_runs(records)]
    languages = list(dict.fromkeys(language for _, values in runs for language in values))
    if not languages:
        return None
    rows = tuple(
        (
            Cell(run.name, anchor=run.anchor),
            *(number(values.get(language), 2, run.anchor) for language in languages),
        )
        for run, values in runs
    )
    of_corpora = {}  # models of one corpus have the same
    for run, _ in runs:
        metrics = run.manifest.get("metrics") or {}
        values = tuple(metrics.get(f"{_UNIGRAMS}{language}") for language in languages)
        if any(map(is_number, values)):
            of_corpora[_corpus_name(run), values] = (
                words(f"unigrams of {_corpus_name(run)}"), *(number(value, 2) for value in values)
            )  # fmt: skip
    columns = (Column("Model"), *(Column(language, numeric=True) for language in languages))
    note = "Exponential of the mean loss on masked word-pieces of held-out text; smaller is better."
    if of_corpora:
        note += " Unigrams: what the counts of a language's word-pieces alone give; to be beaten."
    rows += tuple(of_corpora.values())
    return Table("perplexity", "Validation perplexity at the last step", columns, rows, note)


def _corpus_name(run: RunRecord) -> str:
    return str(run.manifest.get("corpus") or "").rstrip("/").split("/")[-1]


def objective(config: dict[str, Any]) -> str:
    """MLM with what was added to it."""
    parts = ["MLM"]
    if config.get("nsp"):
        parts.append("NSP")
    if config.get("lang_id"):
        parts.append("language ids")
    return " + ".join(parts)


def curves(run: RunRecord, prefix: str) -> dict[str, list[tuple[float, float]]]:
    """language → (step, value) of the metrics named `<prefix><language>`, in the order logged."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in run.content["rows"]:
        for key, value in row.items():
            if key.startswith(prefix) and is_number(value) and _is(row, "step"):
                found.setdefault(key.removeprefix(prefix), []).append((row["step"], value))
    return found


def curve(run: RunRecord, key: str) -> list[tuple[float, float]]:
    """(step, value) of one metric."""
    return [(r["step"], r[key]) for r in run.content["rows"] if _is(r, key) and _is(r, "step")]


def perplexity_curves(run: RunRecord) -> dict[str, list[tuple[float, float]]]:
    """language → (step, validation perplexity)."""
    prefixes = {
        key[: key.index(_PERPLEXITY) + len(_PERPLEXITY)]
        for row in run.content["rows"]
        for key in row
        if _PERPLEXITY in key
    }
    return {k: v for prefix in sorted(prefixes) for k, v in curves(run, prefix).items()}


def last_perplexities(run: RunRecord) -> dict[str, float]:
    """language → validation perplexity at the last step it was measured."""
    return {language: points[-1][1] for language, points in perplexity_curves(run).items()}


def last_value(run: RunRecord, key: str) -> Any:
    """The last logged value of a metric; None where there is none."""
    return next((row[key] for row in reversed(run.content["rows"]) if _is(row, key)), None)


def _minutes(manifest: dict[str, Any]) -> float | None:
    seconds = manifest.get("seconds")
    return seconds / 60 if is_number(seconds) else None


def _is(row: dict[str, Any], key: str) -> bool:
    return is_number(row.get(key))
