"""What a paper says of its table, held against the same difference as measured.

A claim compares cells that differ in the named variables only (and in those it says to ignore):
`left` minus `right`, one difference a seed, for every combination of the other variables (test
language, task, ...). The verdict of one such pair is "yes" or "no" where the 95 % interval of the
mean difference over seeds (Student's t) lies on one side, and "not decided" where it does not: a
difference within the spread of seeds is none. The floor of a cell is what the same fine-tuning
gives from a random encoder, seed by seed, so that its spread counts too, or chance where that is
above their mean. Two scores at their floors are not found near each other: nothing is there that
could be lost; nor are all pairs together where one of them is found far: differences to both sides
would cancel. Verdicts are on the scores, of which the papers speak; where the two cells have other
floors, what each is above its own is compared beside. Cells whose reading is doubtful are shown,
and their difference is marked.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bbert.report.reproduction import MeasuredCell, Reproduction

YES, NO, UNDECIDED, NOT_RUN = "yes", "no", "not decided", "not run"


@dataclass(frozen=True)
class Difference:
    """One pair of cells of a claim, in points.

    `published` is left minus right as printed, None where a cell is missing; `doubtful` says that
    one of the two is. `points` is the measured difference by seed, `low` and `high` bound its mean
    (95 %). `above_floors` is the same difference of what each cell is above its own floor, by seed;
    empty where the floors are the same. `telling` is False where nothing can be near: both cells
    are at their floors.
    """

    left: MeasuredCell
    right: MeasuredCell | None
    published: float | None
    doubtful: bool
    points: Mapping[int, float]
    above_floors: Mapping[int, float]
    telling: bool
    low: float | None
    high: float | None
    verdict: str

    @property
    def measured(self) -> float | None:
        return statistics.fmean(self.points.values()) if self.points else None

    @property
    def std(self) -> float | None:
        """Sample standard deviation over seeds; None below two."""
        return statistics.stdev(self.points.values()) if len(self.points) > 1 else None


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with the verdict on each of its pairs, and on all of them together.

    `points` is the mean over the pairs by seed (a claim that something is near looks at the pairs
    above the floor only), `low` and `high` bound the mean over seeds (95 %).
    """

    identifier: str
    says: str
    expectation: str
    differences: Sequence[Difference]
    points: Mapping[int, float]
    low: float | None
    high: float | None
    together: str

    @property
    def verdict(self) -> str:
        """How many pairs say what: "yes 2, not decided 1"."""
        counts = [(kind, sum(d.verdict == kind for d in self.differences))
                  for kind in (YES, UNDECIDED, NO, NOT_RUN)]  # fmt: skip
        return ", ".join(f"{kind} {count}" for kind, count in counts if count) or NOT_RUN

    @property
    def mean_difference(self) -> float | None:
        return statistics.fmean(self.points.values()) if self.points else None


def judge(reproduction: Reproduction) -> list[JudgedClaim]:
    """All claims of a table, each with its pairs."""
    cells = [(cell, floor_of(cell, reproduction)) for cell in reproduction.cells]
    return [_judge(claim, cells) for claim in reproduction.claims]


def floor_of(cell: MeasuredCell, reproduction: Reproduction) -> Mapping[int, float]:
    """Seed → the score that a cell has to beat, in percent; empty where there is none (a
    difference)."""
    random = reproduction.floor(cell)
    if random and (cell.chance is None or statistics.fmean(random.values()) > cell.chance):
        return random
    return {} if cell.chance is None else dict.fromkeys(cell.values, cell.chance)


_Cell = tuple[MeasuredCell, Mapping[int, float]]
"""A cell and its floor."""


def _judge(claim: Mapping[str, Any], cells: Sequence[_Cell]) -> JudgedClaim:
    common = dict(claim.get("cells", {}))
    left, right = claim["left"], claim["right"]
    named = {*common, *left, *(right if isinstance(right, Mapping) else ())}
    if "role" not in named:
        common["role"] = "target"
    if without := claim.get("except"):
        cells = [pair for pair in cells if not _has(pair[0], without)]
    lefts = [pair for pair in cells if _has(pair[0], {**common, **left})]
    measure = claim.get("measure", "score")
    expect = claim["expect"]
    within = claim.get("within")
    if right == "floor":
        differences = [_difference(pair, None, measure, expect, within) for pair in lefts]
    else:
        rights = [pair for pair in cells if _has(pair[0], {**common, **right})]
        paired = {*left, *right, *claim.get("ignoring", ())}
        differences = [
            _difference(pair, other, measure, expect, within)
            for pair in lefts
            for other in rights
            if _key(pair[0], paired) == _key(other[0], paired)
        ]
    expectation = f"within ±{within:g}" if expect == "near" else expect
    run = [d for d in differences if d.points]
    telling = [d for d in run if d.telling or expect != "near"]
    points = _means_by_seed([d.points for d in telling or run])
    low, high = interval(list(points.values()))
    together = _verdict(expect, within, low, high) if telling else UNDECIDED
    if expect == "near" and any(d.verdict == NO for d in telling):
        together = NO
    return JudgedClaim(
        claim["id"], claim["says"], expectation, differences, points, low, high,
        together if run else NOT_RUN,
    )  # fmt: skip


def _means_by_seed(points: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Seed → mean over the pairs, for the seeds that all of them have."""
    seeds = sorted(set.intersection(*map(set, points))) if points else []
    return {seed: statistics.fmean(p[seed] for p in points) for seed in seeds}


def _has(cell: MeasuredCell, wanted: Mapping[str, Any]) -> bool:
    given = {**cell.variables, "test": cell.test}
    return all(given.get(key) == value for key, value in wanted.items())


def _key(cell: MeasuredCell, without: set[str]) -> list[tuple[str, Any]]:
    """What two cells of a pair have in common: all but the variables that the claim names."""
    test = [] if without & {"role", "test"} else [("test", cell.test)]
    return sorted([*test, *((k, str(v)) for k, v in cell.variables.items() if k not in without)])


def _difference(
    first: _Cell, second: _Cell | None, measure: str, expect: str, within: float | None
) -> Difference:
    left, floor = first
    right = second[0] if second else None
    left_values = _values(left, measure)
    above_floors: Mapping[int, float] = {}
    if second is None or right is None:
        right_values = floor
        published, doubtful = None, False
    else:
        right_values = _values(right, measure)
        published, doubtful = _published(left, right) if measure == "score" else (None, False)
        if measure == "score" and any(_minus(floor, second[1]).values()):
            above_floors = _minus(_above(first), _above(second))
    points = _minus(left_values, right_values)
    low, high = interval(list(points.values()))
    telling = not (_at_floor(first) and (second is None or _at_floor(second)))
    verdict = _verdict(expect, within, low, high) if points else NOT_RUN
    if expect == "near" and verdict == YES and not telling:
        verdict = UNDECIDED
    return Difference(
        left, right, published, doubtful, points, above_floors, telling, low, high, verdict
    )


def _values(cell: MeasuredCell, measure: str) -> Mapping[int, float]:
    if measure == "score":
        return cell.values
    return _minus(cell.source_values, cell.values)


def _minus(left: Mapping[int, float], right: Mapping[int, float]) -> dict[int, float]:
    """Seed → difference, for the seeds that both have."""
    return {seed: value - right[seed] for seed, value in left.items() if seed in right}


def _published(left: MeasuredCell, right: MeasuredCell) -> tuple[float | None, bool]:
    first, second = left.printed, right.printed
    if first is None or second is None or first.value is None or second.value is None:
        return None, False
    return first.value - second.value, not (first.safe and second.safe)


def _at_floor(cell: _Cell) -> bool:
    """Whether the 95 % interval of what a cell is above its floor reaches down to 0; False without
    a floor."""
    low, _ = interval(list(_above(cell).values()))
    return bool(cell[1]) and (low is None or low <= 0)


def _above(cell: _Cell) -> dict[int, float]:
    """Seed → what a cell is above its floor."""
    measured, floor = cell
    return _minus(measured.values, floor)


def interval(points: Sequence[float]) -> tuple[float | None, float | None]:
    """95 % interval of a mean (Student's t); (None, None) below two points."""
    if len(points) < 2:
        return None, None
    from scipy.stats import t

    mean, std = statistics.fmean(points), statistics.stdev(points)
    half = float(t.ppf(0.975, len(points) - 1)) * std / math.sqrt(len(points))
    return mean - half, mean + half


def _verdict(expect: str, within: float | None, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return UNDECIDED  # one seed says nothing of the spread
    if expect == "near":
        assert within is not None
        if -within <= low and high <= within:
            return YES
        return NO if low > within or high < -within else UNDECIDED
    sign = 1 if expect == "greater" else -1
    low, high = sorted((sign * low, sign * high))
    return YES if low > 0 else NO if high < 0 else UNDECIDED
