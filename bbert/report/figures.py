"""The figures of a report, as data: scores per language, losses and perplexities per model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bbert.report.chart import Chart, DotChart, DotGroup, Dots, Line, LineChart, told_apart
from bbert.report.model_tables import curve, curves, model_runs, perplexity_curves
from bbert.report.multilinguality import multilinguality_charts
from bbert.report.records import RunRecord, is_number
from bbert.report.transfer_tables import (
    encoder_label,
    fusion_label,
    group_title,
    languages_of,
    metric_label,
    model_name,
    short_names,
)

MOST_ROWS = 60
"""A figure of scores with more rows than this is left out: its table says it better."""


def transfer_chart(group: Sequence[RunRecord], number_in_page: int) -> DotChart | None:
    """Every run's score on every language, with its seeds and the chance level."""
    labels = _labels(group)
    groups = []
    for language in languages_of(group):
        rows, chances = [], []
        for run in group:
            score = run.content["languages"].get(language)
            if score is None or not is_number(score["mean"]):
                continue
            values = tuple(100 * value for value in score["values"] if is_number(value))
            std = 100 * score["std"] if len(values) > 1 and is_number(score["std"]) else None
            floor = bool(run.content.get("random_init"))
            rows.append(Dots(labels[run.anchor], values, 100 * score["mean"], std, floor))
            if is_number(score["chance"]):
                chances.append(100 * score["chance"])
        if rows:
            groups.append(DotGroup(language, tuple(rows), max(chances, default=None)))
    if not groups or sum(len(group.rows) for group in groups) > MOST_ROWS:
        return None
    return DotChart(
        f"figure-transfer-{number_in_page}",
        f"Figure: {group_title(group, with_metric=False)}",
        "Every seed as a ring, the mean as a filled dot with its standard deviation; squares are "
        "encoders with random layers, the dashed line is chance. The table below has the numbers.",
        metric_label(str(group[0].content["metric"])),
        tuple(groups),
    )


def model_charts(records: Sequence[RunRecord]) -> list[Chart]:
    """Loss, and what was measured twice of perplexity and multilinguality, for every model."""
    charts: list[Chart] = []
    for index, run in enumerate(model_runs(records), start=1):
        lines, left_out = _loss_lines(run)
        if lines:
            charts.append(
                LineChart(
                    f"figure-loss-{index}",
                    f"Loss of {run.name}",
                    "Training loss at every logged step; longer runs are drawn as means of "
                    f"neighbouring steps.{left_out}",
                    "training step",
                    "loss, nats",
                    lines,
                )
            )
        perplexities = perplexity_curves(run)
        if any(len(points) > 1 for points in perplexities.values()):
            lines, left_out = told_apart(
                [Line(k, tuple(points)) for k, points in perplexities.items()]
            )
            charts.append(
                LineChart(
                    f"figure-perplexity-{index}",
                    f"Validation perplexity of {run.name}",
                    f"Perplexity of masked word-pieces of held-out text, per language.{left_out}",
                    "training step",
                    "perplexity",
                    lines,
                    log_y=True,
                )
            )
        charts += multilinguality_charts(run, index)
    return charts


def _loss_lines(run: RunRecord) -> tuple[tuple[Line, ...], str]:
    """One line a language where logged so, else the masked-word loss; the NSP loss beside it; and
    which languages are left out."""
    by_language = curves(run, "loss/")
    if by_language:
        lines = [Line(language, tuple(points)) for language, points in by_language.items()]
    else:
        points = curve(run, "mlm_loss") or curve(run, "loss")
        lines = [Line("all languages", tuple(points))] if points else []
    sentence_pairs = curve(run, "nsp_loss") if run.config.get("nsp") else []
    also = [Line("next sentence", tuple(sentence_pairs))] if sentence_pairs else []
    return told_apart(lines, also)


def _labels(group: Sequence[RunRecord]) -> dict[str, str]:
    """run's anchor → a short label; with the run's name where another one has the same."""
    models = {model_name(run) for run in group}
    short = short_names(models) if len(models) > 1 else {}
    labels = {run.anchor: _row_label(run, short) for run in group}
    alike = Counter(labels.values())
    twice = [run for run in group if alike[labels[run.anchor]] > 1]
    names = short_names({run.name for run in twice})
    return labels | {run.anchor: f"{labels[run.anchor]} [{names[run.name]}]" for run in twice}


def _row_label(run: RunRecord, models: Mapping[str, str]) -> str:
    encoder = encoder_label(run).split(" (")[0]
    label = fusion_label(run).split(", gate")[0]
    label += ")" if label.count("(") > label.count(")") else ""
    if encoder != "pretrained":
        label = f"{label}, {encoder}"
    return f"{models[model_name(run)]}: {label}" if models else label
