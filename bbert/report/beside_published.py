"""Reproduced tables on the page: measured beside published, and a verdict on every claim."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bbert.report.claims import Difference, JudgedClaim, interval, judge
from bbert.report.published.cells import PAPERS, PublishedCell
from bbert.report.reproduced_probes import ProbedCell
from bbert.report.reproduction import WAS_NOT_RUN, MeasuredCell, Reproduction
from bbert.report.table import NOTHING, Cell, Column, Table, deviation, number, words

_DOUBT = "?"
_PROBED = {
    "cosine": (
        "cosine of parallel sentences",
        "Mean over the pairs of the source language with every other, ± the standard deviation "
        "over seeds; n sentences.",
    ),
    "spearman": (
        "Spearman's rho of similarity and gap",
        "Of the means over seeds, at the mean of the layers; n pairs of languages. Muller et al. "
        "(2021) print rho without its sign: negative means that similar languages transfer better.",
    ),
}
"""Printed metric that is no score → what the page calls it, and says of it."""


def reproduction_tables(reproduction: Reproduction, with_claims: bool = True) -> list[Table]:
    """The table of cells, that of claims, and that of the pairs behind the claims."""
    claims = judge(reproduction)
    tables = [_probe_table(reproduction)] if reproduction.probed else []
    tables += [_cell_table(reproduction)] if reproduction.cells else []
    if claims:
        tables += [claim_table([(reproduction, claims)])] if with_claims else []
        tables.append(_pair_table(reproduction, claims))
    return tables


def claim_table(judged: Sequence[tuple[Reproduction, Sequence[JudgedClaim]]]) -> Table:
    """One row a claim, over one or several reproduced tables."""
    columns = (
        Column("Claim"),
        Column("Same direction? (pairs)"),
        Column("All pairs"),
        Column("Mean difference", True),
        Column("95 % interval", True),
        Column("Expected"),
        Column("Table"),
    )
    rows = [
        (
            Cell(claim.says),
            Cell(claim.verdict),
            Cell(claim.together),
            _points(claim.mean_difference),
            _interval(claim),
            Cell(_expected(claim)),
            Cell(reproduction.name),
        )
        for reproduction, claims in judged
        for claim in claims
    ]
    identifier = "claims" if len(judged) != 1 else f"claims-{judged[0][0].key}"
    note = (
        "A pair counts as yes or no where the 95 % interval of its mean difference over seeds "
        "(Student's t) lies on one side; a difference within the spread is not decided. All pairs: "
        "the same of their mean, in points, each seed counted once; where a bound is expected, no "
        "pair may be found beyond it."
    )
    return Table(identifier, "Same direction as the paper?", columns, tuple(rows), note, prose=True)


def _cell_table(reproduction: Reproduction) -> Table:
    columns = (
        Column("Row"), Column("Task, from → to"), Column("Published", True),
        Column("Measured", True), Column("Random encoder", True), Column("Chance", True),
        Column("Seeds", True), Column("Examples (n)", True, detail=True), Column("State"),
    )  # fmt: skip
    rows = []
    for cell in reproduction.cells:
        values = ", ".join(f"seed {seed}: {value:z.1f}" for seed, value in cell.values.items())
        rows.append(
            (
                Cell(cell.row),
                Cell(f"{cell.measure}, {cell.train} → {cell.test}"),
                printed_cell(cell.printed),
                Cell(
                    spread(cell.mean, cell.std),
                    cell.mean,
                    cell.anchor,
                    note=values,
                    also=_spread_of(cell.std, cell.values),
                ),
                _floor(reproduction.floor(cell)),
                _points(cell.chance, signed=False, emphasis="floor"),
                Cell(str(len(cell.values)), len(cell.values)),
                number(cell.num_examples),
                _state(cell),
            )
        )
    of_one_model = any(cell.one_model for cell in reproduction.cells)
    of_what = "fine-tuning one and the same model" if of_one_model else (
        "the whole chain, pretraining included"
    )  # fmt: skip
    note = (
        f"Scale: {reproduction.scale} ({reproduction.scale_says}). Scores in percent, mean ± "
        f"standard deviation over seeds of {of_what}. Published: "
        f"{PAPERS[reproduction.paper]}, at the paper's size: only directions compare. Random "
        "encoder: a model of the same size and kind of word-pieces, its weights never trained. "
        f"{_DOUBT} marks a printed cell whose reading or key is doubtful."
    )
    title = f"{reproduction.name}: {reproduction.title}"
    return Table(f"reproduced-{reproduction.key}", title, columns, tuple(rows), note)


def _probe_table(reproduction: Reproduction) -> Table:
    """Cosines or correlations, printed and measured."""
    columns = (Column("Row"), Column("Published", True), Column("Measured", True),
               Column("95 % interval", True), Column("Seeds", True), Column("n", True))  # fmt: skip
    rows = []
    for cell in reproduction.probed:
        by_seed = {seed: value for seed, value in cell.values.items() if seed is not None}
        rows.append(
            (
                Cell(cell.row),
                printed_cell(cell.printed),
                _decimal(cell),
                _ends(cell),
                number(len(by_seed)) if by_seed else Cell("all" if cell.values else NOTHING),
                number(cell.n),
            )
        )
    metrics = list(dict.fromkeys(cell.printed.metric for cell in reproduction.probed))
    reasons = dict.fromkeys(cell.reason for cell in reproduction.probed if cell.mean is None)
    note = f"Scale: {reproduction.scale} ({reproduction.scale_says})."
    note += "".join(f" {_PROBED[metric][1]}" for metric in metrics)
    note += "".join(f" {NOTHING}: {reason}." for reason in reasons)
    title = f"{reproduction.name}: {', '.join(_PROBED[metric][0] for metric in metrics)}"
    return Table(f"reproduced-probes-{reproduction.key}", title, columns, tuple(rows), note)


def _decimal(cell: ProbedCell) -> Cell:
    if cell.mean is None:
        return Cell(NOTHING, note=cell.reason)
    text = f"{cell.mean:.3f}" + (f" ± {cell.std:.3f}" if cell.std is not None else "")
    return Cell(text, cell.mean, also=deviation(cell.std))


def _ends(cell: ProbedCell) -> Cell:
    if cell.low is None or cell.high is None:
        return words(None)
    ends = {"low": cell.low, "high": cell.high}
    return Cell(f"{cell.low:.2f} to {cell.high:.2f}", also=ends)


def _pair_table(reproduction: Reproduction, claims: Sequence[JudgedClaim]) -> Table:
    differ = any(d.above_floors for claim in claims for d in claim.differences)
    columns = (
        Column("Claim"), Column("Pair"), Column("Task"), Column("Tested on"),
        Column("Published", True), Column("Measured", True),
        Column("95 % interval", True), *([Column("Above the floors", True)] if differ else []),
        Column("Seeds", True), Column("Same direction?"),
    )  # fmt: skip
    rows = [
        (
            Cell(claim.identifier),
            Cell(f"{d.left.row} − {d.right.row if d.right else 'floor'}"),
            Cell(d.left.measure),
            Cell(
                d.left.test
                if d.right is None or d.right.test == d.left.test
                else f"{d.left.test} − {d.right.test}"
            ),
            _published_difference(d),
            Cell(
                spread(d.measured, d.std, signed=True), d.measured, also=_spread_of(d.std, d.points)
            ),
            _interval(d),
            *([_above_floors(d)] if differ else []),
            Cell(str(len(d.points)), len(d.points)),
            Cell(d.verdict),
        )
        for claim in claims
        for d in claim.differences
    ]
    title = f"{reproduction.name}: the pairs behind the claims"
    note = (
        "Differences in points, left minus right. The floor of a score is the same fine-tuning "
        "from a random encoder, seed by seed, or chance where that is above their mean."
    )
    if differ:
        note += (
            " Above the floors: the same difference of what each score has above its own floor, "
            "where the two floors are not the same; the verdict is on the scores."
        )
    return Table(f"pairs-{reproduction.key}", title, columns, tuple(rows), note)


def _interval(of: Difference | JudgedClaim) -> Cell:
    """An end just below zero keeps its sign: it decides a verdict."""
    if of.low is None:
        return words(None)
    ends = {"low": of.low, "high": of.high}
    return Cell(f"{of.low:+.1f} to {of.high:+.1f}", also=ends)


def _above_floors(difference: Difference) -> Cell:
    points = difference.above_floors
    if not points:
        return words(None)
    mean = statistics.fmean(points.values())
    low, high = interval(list(points.values()))
    text = f"{mean:+z.1f}" if low is None else f"{mean:+z.1f} ({low:+.1f} to {high:+.1f})"
    return Cell(text, mean, also={"low": low, "high": high, **_spread_of(None, points)})


def printed_cell(printed: PublishedCell | None) -> Cell:
    """A published number as printed; a doubtful one is marked, with why as its note."""
    if printed is None:
        return Cell(NOTHING, note="the paper prints no such cell")
    text = printed.text or NOTHING
    text += f" ± {printed.std:g}" if printed.std is not None else ""
    text += " *" if printed.significant else ""
    also = deviation(printed.std)
    if printed.doubts:
        text, note = f"{text} {_DOUBT}", "; ".join(printed.doubts)
        return Cell(text, printed.value, note=note, also=also)
    return Cell(text, printed.value, also=also)


def spread(mean: float | None, std: float | None, signed: bool = False) -> str:
    """Mean ± standard deviation, with one decimal."""
    if mean is None:
        return NOTHING
    text = f"{mean:+z.1f}" if signed else f"{mean:z.1f}"
    return f"{text} ± {std:.1f}" if std is not None else text


def _spread_of(std: float | None, values: Mapping[int, float]) -> dict[str, Any]:
    """For CSV: the standard deviation and the values behind a mean, seed by seed."""
    return {
        **deviation(std),
        "seeds": " ".join(map(str, values)),
        "values": " ".join(map(repr, values.values())),
    }


def _published_difference(difference: Difference) -> Cell:
    if difference.published is None:
        return words(None)
    mark = f" {_DOUBT}" if difference.doubtful else ""
    return Cell(f"{difference.published:+z.1f}{mark}", difference.published)


def _floor(values: Mapping[int, float]) -> Cell:
    if not values:
        return words(None)
    std = statistics.stdev(values.values()) if len(values) > 1 else None
    mean = statistics.fmean(values.values())
    return Cell(spread(mean, std), mean, emphasis="floor", also=_spread_of(std, values))


def _points(value: float | None, signed: bool = True, emphasis: str = "") -> Cell:
    if value is None:
        return words(None)
    return Cell(f"{value:+z.1f}" if signed else f"{value:z.1f}", value, emphasis=emphasis)


def _state(cell: MeasuredCell) -> Cell:
    """Complete, or how many runs lack a score; which, and their logs, as the note."""
    if not cell.missing:
        return Cell("complete")
    reasons = list(cell.missing.values())
    failed = sum(" failed: " in why for why in reasons)
    not_run = sum(why.endswith(WAS_NOT_RUN) for why in reasons)
    kinds = ((failed, "failed"), (not_run, "not run"),
             (len(reasons) - failed - not_run, "cannot be used"))  # fmt: skip
    counts = [f"{count} {what}" for count, what in kinds if count]
    return Cell(", ".join(counts), note="; ".join(reasons))


def _expected(claim: JudgedClaim) -> str:
    return {"greater": "above 0", "less": "below 0"}.get(claim.expectation, claim.expectation)
