"""The figures of a report, as data: scores per language, losses and perplexities per model."""

from __future__ import annotations

from collections.abc import Sequence

from bbert.report.chart import Chart, DotChart, DotGroup, Dots, Line, LineChart, told_apart
from bbert.report.model_tables import curve, curves, model_runs, perplexity_curves
from bbert.report.multilinguality import multilinguality_charts
from bbert.report.records import RunRecord, is_number
from bbert.report.run_labels import figure_labels
from bbert.report.transfer_tables import group_title, languages_of, metric_label

MOST_ROWS = 60
"""A figure of scores with more rows than this is left out: its table says it better."""


def transfer_chart(group: Sequence[RunRecord], number_in_page: int) -> DotChart | None:
    """Every run's score on every language, with its seeds and the chance level."""
    labels = figure_labels(group)
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
