"""`bbert report --compare A B`: two transfer runs, language by language, with significance.

Only seeds that both runs have are compared, each with itself, and only test sets that are the same
sentence for sentence. The asterisk is that of the paired bootstrap after Holm's correction over the
languages of the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bbert.errors import InputError
from bbert.report.predictions import counts_of, metric_of
from bbert.report.records import RunRecord
from bbert.report.run_labels import condition_label, model_name
from bbert.report.significance import (
    LEVEL,
    NUM_SAMPLES,
    Bootstrap,
    holm,
    mcnemar,
    paired_bootstrap,
    paired_t,
)
from bbert.report.table import Cell, Column, Table, words
from bbert.report.transfer_tables import metric_label

_MUST_AGREE = ("task", "metric")


class _Comparison(NamedTuple):
    language: str
    seeds: list[int]
    num_sentences: int
    means: tuple[float, float]
    bootstrap: Bootstrap
    p_mcnemar: list[float] | None
    p_seeds: float | None


def compare(records: Sequence[RunRecord], first: str, second: str) -> Table:
    """The table of a comparison; differences are second − first.

    Args:
        records: those of a report, with both runs among them.
        first: name or folder of the run to compare with (the baseline).
        second: of the other run.

    Raises:
        InputError: no task, seed or test set in common, or no predictions any more.
    """
    runs = _find(records, first), _find(records, second)
    for key in _MUST_AGREE:
        values = [run.content[key] for run in runs]
        if values[0] != values[1]:
            raise InputError(
                f"--compare: {key} is {values[0]} in {first} and {values[1]} in {second}; "
                "compare runs of one task"
            )
    languages = [name for name in runs[0].content["languages"] if name in
                 runs[1].content["languages"]]  # fmt: skip
    if not languages:
        raise InputError(f"--compare: {first} and {second} were tested on no common language")
    found = [_compare_language(*runs, language) for language in languages]
    return _table(*runs, found)


def _find(records: Sequence[RunRecord], name: str) -> RunRecord:
    path = Path(name).resolve()
    matching = [r for r in records if r.stage == "finetune" and r.problem is None]
    matching = [r for r in matching if r.path.resolve() == path] or [
        r for r in matching if r.name == path.name
    ]
    if not matching:
        raise InputError(f"--compare {name}: no transfer run; give runs of bbert finetune")
    return matching[0]


def _compare_language(first: RunRecord, second: RunRecord, language: str) -> _Comparison:
    of_runs = [run.content["languages"][language] for run in (first, second)]
    seeds = [_seeds(run, entry) for run, entry in zip((first, second), of_runs, strict=True)]
    common = [seed for seed in seeds[0] if seed in seeds[1]]
    if not common:
        raise InputError(
            f"--compare: no common seed on {language}: {first.name} has {seeds[0]}, "
            f"{second.name} has {seeds[1]}; run both with the same --seed and --seeds"
        )
    counts = []
    golds = set()
    for run in (first, second):
        loaded = [counts_of(run, language, seed) for seed in common]
        counts.append(np.stack([counts_NK for counts_NK, _ in loaded]))
        golds |= {gold for _, gold in loaded}
    if len(golds) > 1:
        raise InputError(
            f"--compare: {first.name} and {second.name} were tested on other examples of "
            f"{language}; give both the same --data and --max-eval-examples"
        )
    metric = metric_of(first.content)
    scores = [metric(run.sum(axis=1)) for run in counts]
    one_label_each = counts[0].shape[2] == 2 and bool((counts[0][..., 1] == 1).all())
    p_mcnemar = None
    if one_label_each:
        p_mcnemar = [
            mcnemar(a[:, 0] > 0, b[:, 0] > 0) for a, b in zip(counts[0], counts[1], strict=True)
        ]
    return _Comparison(
        language, common, counts[0].shape[1], (float(scores[0].mean()), float(scores[1].mean())),
        paired_bootstrap(counts[0], counts[1], metric), p_mcnemar,
        paired_t(scores[0].tolist(), scores[1].tolist()),
    )  # fmt: skip


def _seeds(run: RunRecord, entry: dict[str, Any]) -> list[int]:
    return list(entry.get("seeds", run.content["seeds"]))


def _table(first: RunRecord, second: RunRecord, found: Sequence[_Comparison]) -> Table:
    adjusted = holm([comparison.bootstrap.p for comparison in found])
    with_mcnemar = any(comparison.p_mcnemar is not None for comparison in found)
    headers = ["Language", "A", "B", "B − A", "95 % interval", "p bootstrap", "p Holm"]
    headers += ["p McNemar"] * with_mcnemar + ["p seeds (t)", "Seeds", "n"]
    columns = tuple(Column(header, numeric=header != "Language") for header in headers)
    rows = tuple(
        tuple(_cells(comparison, p, with_mcnemar))
        for comparison, p in zip(found, adjusted, strict=True)
    )
    a, b = (f"{run.name} ({model_name(run)}, {condition_label(run)})" for run in (first, second))
    note = f"A: {a}. B: {b}. * p < {LEVEL} after Holm's correction over the rows."
    definitions = (
        f"Paired bootstrap over sentences, {NUM_SAMPLES:,} samples, scores averaged over seeds. "
        "Paired t over seeds: its n is the number of seeds. "
        + ("McNemar: exact; the largest p of the seeds. " if with_mcnemar else "")
        + f"{first.content.get('metric_definition', '')}"
    )
    title = f"{first.content['task']}: {metric_label(str(first.content['metric']))}"
    return Table("comparison", title, columns, rows, note, definitions)


def _cells(found: _Comparison, p_holm: float, with_mcnemar: bool) -> Iterator[Cell]:
    star = "*" if p_holm < LEVEL else ""
    yield words(found.language)
    for mean in found.means:
        yield Cell(f"{100 * mean:.1f}", mean)
    result = found.bootstrap
    yield Cell(f"{100 * result.difference:+z.1f}{star}", result.difference)
    ends = {"low": result.low, "high": result.high}
    yield Cell(f"{100 * result.low:+.1f} to {100 * result.high:+.1f}", also=ends)
    yield _p(result.p)
    yield _p(p_holm)
    if with_mcnemar:
        if found.p_mcnemar is None:
            yield words(None)
        else:
            shown = ", ".join(f"{p:.4f}" for p in found.p_mcnemar)
            cell = _p(max(found.p_mcnemar))
            yield Cell(cell.text, cell.value, note=f"seed by seed: {shown}")
    yield words(None) if found.p_seeds is None else _p(found.p_seeds)
    seeds = ", ".join(map(str, found.seeds))
    yield Cell(str(len(found.seeds)), len(found.seeds), note=f"seeds {seeds}")
    yield Cell(f"{found.num_sentences:,}", found.num_sentences)


def _p(value: float) -> Cell:
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", value)
