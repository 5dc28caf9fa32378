"""Transfer runs as tables: one wide table per task, metric and training language, and a tidy one.

Scores are shares between 0 and 1 in `results.json` and percentages on the page. The standard
deviation is the one in the file; it is shown where there are at least two seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from bbert.finetune.contamination_notes import contamination_notes, not_checked
from bbert.finetune.truncation_notes import truncation_notes
from bbert.report.other_settings import settings_that_differ
from bbert.report.records import RunRecord, is_number
from bbert.report.run_labels import model_name, row_labels
from bbert.report.select_runs import upstream
from bbert.report.table import NOTHING, Cell, Column, Table, deviation, words

_FUSION_ORDER = ("last", "dlfa", "dlfa-global", "dlfa-local", "scalar-mix", "mean", "concat")
_TASK_NAMES = {"ner": "Named entities", "xnli": "Inference (XNLI)", "pos": "Parts of speech",
               "pawsx": "Paraphrases (PAWS-X)", "parsing": "Parsing"}  # fmt: skip
_UPPER = {"f1": "F1", "las": "LAS"}


def transfer_groups(records: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """Transfer runs that compare: same task, metric and training language; floors come last."""
    runs = [r for r in records if r.stage == "finetune" and r.problem is None]

    def group_key(record: RunRecord) -> tuple[str, ...]:
        results = record.content
        return (str(results["task"]), str(results["metric"]), str(results["train_language"]))

    def row_key(record: RunRecord) -> tuple[Any, ...]:
        fusion = str(record.content["fusion"])
        place = _FUSION_ORDER.index(fusion) if fusion in _FUSION_ORDER else len(_FUSION_ORDER)
        floor = bool(record.content.get("random_init"))
        layer = str(record.content.get("fusion_layer") or "").zfill(4)
        return (model_name(record), floor, place, fusion, layer, record.name)

    ordered = sorted(runs, key=lambda r: (group_key(r), row_key(r)))
    return [list(group) for _, group in groupby(ordered, key=group_key)]


def group_title(group: Sequence[RunRecord], with_metric: bool = True) -> str:
    """What the runs of a group have in common, in words."""
    results = group[0].content
    task = str(results["task"])
    title = f"{_TASK_NAMES.get(task, task)}, fine-tuned on {results['train_language']}"
    return f"{title} ({metric_label(str(results['metric']))})" if with_metric else title


def metric_label(metric: str) -> str:
    """A metric's name and unit on the page."""
    words_of_name = [_UPPER.get(word, word) for word in metric.split("_")]
    return f"{' '.join(words_of_name)}, %"


def languages_of(group: Sequence[RunRecord]) -> list[str]:
    """Every test language of the group: the training language first, then as the runs name them."""
    seen = dict.fromkeys(language for run in group for language in run.content["languages"])
    source = group[0].content["train_language"]
    return sorted(seen, key=lambda language: language != source)


def score_text(score: dict[str, Any]) -> str:
    """Mean ± standard deviation over seeds, in percent."""
    mean, std = score["mean"], score.get("std")
    if not is_number(mean):
        return NOTHING
    if len(score["values"]) > 1 and is_number(std):
        return f"{100 * mean:.1f} ± {100 * std:.1f}"
    return f"{100 * mean:.1f}"


def transfer_table(group: Sequence[RunRecord], number_in_page: int) -> Table:
    """Runs as rows, test languages as columns; chance and number of examples as the last rows."""
    languages = languages_of(group)
    source = group[0].content["train_language"]
    targets = [language for language in languages if language != source]
    gaps = [t for t in targets if any(is_number(_gap(run, t)) for run in group)]
    other = settings_that_differ(group)
    one_model = len({model_name(run) for run in group}) == 1
    labels = row_labels(group)
    columns = [Column("Fusion")]
    columns += [] if one_model else [Column("Model")]  # among what the terminal repeats
    columns += [Column(language, numeric=True) for language in languages]
    means = _means(group)
    columns += [Column(heading, numeric=True) for heading in means]
    columns += [Column("Seeds", numeric=True)]
    columns += [Column(f"gap {language}", numeric=True, detail=True) for language in gaps]
    columns += [Column("Model", detail=True)] if one_model else []
    columns += [Column("Head", detail=True)]
    columns += [Column("Other settings", detail=True)] if other else []
    rows = []
    for run in group:
        floor = "floor" if run.content.get("random_init") else ""
        row = [
            Cell(labels[run.anchor], anchor=run.anchor, emphasis=floor),
            *([] if one_model else [Cell(model_name(run))]),
            *(score_cell(run, language) for language in languages),
            *(_mean_cell(run, *mean) for mean in means.values()),
            _seeds_cell(run),
        ]
        row += [_percent(_gap(run, language), run.anchor) for language in gaps]
        row += [Cell(model_name(run))] if one_model else []
        row += [words(run.content.get("head"))]
        row += [words(other[run.anchor])] if other else []
        rows.append(tuple(row))
    blank = words(None)
    for label, key in (("chance", "chance"), ("examples (n)", "n")):
        values = [_range(group, language, key) for language in languages]
        before = [Cell(label, emphasis="floor"), *([] if one_model else [blank])]
        after = [blank] * (len(columns) - len(before) - len(values))
        rows.append((*before, *values, *after))
    note = "Mean ± standard deviation over seeds of fine-tuning, in percent."
    note += "".join(_notes(group))
    definitions = " ".join(_definitions(group, bool(gaps)))
    identifier = f"transfer-{number_in_page}"
    return Table(identifier, group_title(group), tuple(columns), tuple(rows), note, definitions)


def tidy_table(groups: Sequence[Sequence[RunRecord]], records: Sequence[RunRecord]) -> Table:
    """Every score of every run as one row per language, for CSV; scores as shares of 1."""
    headers = (
        "run", "model", "corpus", "task", "metric", "train_language", "language", "fusion",
        "fusion_layer", "fusion_gate", "fusion_pool", "head", "random_init", "n", "chance",
        "num_seeds", "mean", "std", "cross_lingual_gap", "seeds", "values",
    )  # fmt: skip
    rows = []
    for run in (run for group in groups for run in group):
        results, config = run.content, run.config
        model = upstream(run, records)
        corpus = upstream(model, records) if model else None
        for language, score in results["languages"].items():
            seeds = score.get("seeds", results["seeds"])  # its own: testing on it may have failed
            exact = (
                run.name, model_name(run), corpus.name if corpus else None, results["task"],
                results["metric"], results["train_language"], language, results["fusion"],
                results.get("fusion_layer"), config.get("fusion_gate"), config.get("fusion_pool"),
                results.get("head"), results.get("random_init") or "none", score["n"],
                score["chance"], len(seeds), score["mean"], score["std"],
                _gap(run, language), " ".join(map(str, seeds)),
                " ".join(map(repr, score["values"])),
            )  # fmt: skip
            rows.append(tuple(words(None) if v is None else Cell(str(v), v) for v in exact))
    return Table("transfer", "Every score", tuple(Column(h) for h in headers), tuple(rows))


def _definitions(group: Sequence[RunRecord], with_gaps: bool) -> Iterator[str]:
    """What the numbers of a group are; metric and chance as the runs define them."""
    for key, label in (("metric_definition", "Metric"), ("chance_definition", "Chance")):
        for definition in dict.fromkeys(run.content.get(key) for run in group):
            if definition:
                yield f"{label}: {str(definition).rstrip('.')}."
    if with_gaps:
        source = group[0].content["train_language"]
        yield f"Gap: score on {source} minus score on the language."


def _notes(group: Sequence[RunRecord]) -> Iterator[str]:
    """Sentences on seeds that failed, on test examples that were cut and on those that the models
    may have seen; each with the runs that it holds for, unless it holds for all."""
    said: dict[str, list[str]] = {}
    for run in group:
        content = run.content
        failures = content.get("failures") or {}
        sentences = [f"{what} failed and is not in the mean: {why}"
                     for what, why in failures.items()]  # fmt: skip
        sentences += truncation_notes(content.get("too_long"), content["languages"])
        if found := content.get("contamination"):
            sentences += contamination_notes(found)
            if reason := not_checked(found):
                sentences.append(f"pretraining text not compared with the test sets: {reason}")
        for sentence in sentences:
            said.setdefault(f"{sentence[0].upper()}{sentence[1:]}", []).append(run.name)
    for sentence, runs in said.items():
        end = "" if len(runs) == len(group) else f" [{', '.join(runs)}]"
        yield f" {sentence.rstrip('.')}{end}."


def _means(group: Sequence[RunRecord]) -> dict[str, tuple[str, bool]]:
    """Heading of a column of means, with the number of languages → average, and whether without
    the training language."""
    headings: dict[str, tuple[str, bool]] = {}
    for run in group:
        for name, average in (run.content.get("averages") or {}).items():
            headings[f"mean {name} ({average['num_languages']})"] = (name, False)
            other = average.get("zero_shot")
            if other:
                headings[f"mean {name} (zero-shot, {other['num_languages']})"] = (name, True)
    return headings


def _mean_cell(run: RunRecord, name: str, zero_shot: bool) -> Cell:
    average = (run.content.get("averages") or {}).get(name)
    if average and zero_shot:
        average = average.get("zero_shot")
    if not average:
        return words(None)
    note = "mean of " + ", ".join(average["languages"])
    return Cell(score_text(average), average["mean"], run.anchor, note=note,
                also=deviation(average.get("std")))  # fmt: skip


def _seeds_cell(run: RunRecord) -> Cell:
    seeds = run.content["seeds"]
    return Cell(str(len(seeds)), len(seeds), note="seeds " + ", ".join(map(str, seeds)))


def score_cell(run: RunRecord, language: str) -> Cell:
    """A run's score on a language; its note has the value of every seed."""
    score = run.content["languages"].get(language)
    if score is None:
        return Cell(NOTHING, note="not tested on this language")
    values = ", ".join(f"{100 * v:.1f}" for v in score["values"] if is_number(v))
    return Cell(score_text(score), score["mean"], run.anchor, note=f"values: {values}",
                also=deviation(score.get("std")))  # fmt: skip


def _gap(run: RunRecord, language: str) -> Any:
    gap = (run.content.get("cross_lingual_gap") or {}).get(language)
    return gap.get("mean") if isinstance(gap, dict) else gap


def _percent(value: Any, anchor: str) -> Cell:
    return Cell(f"{100 * value:.1f}", value, anchor) if is_number(value) else words(None)


def _range(group: Sequence[RunRecord], language: str, key: str) -> Cell:
    """One value where all runs agree, else the smallest and the largest."""
    scores = [run.content["languages"].get(language) for run in group]
    values = sorted({score[key] for score in scores if score and is_number(score[key])})
    if not values:
        return words(None)
    shown = [f"{100 * v:.1f}" if key == "chance" else f"{v:,}" for v in values]
    if len(values) == 1:
        return Cell(shown[0], values[0])
    return Cell(f"{shown[0]} to {shown[-1]}", f"{values[0]} to {values[-1]}")
