"""What a paper says of its table, held against the same difference as measured.

A claim compares cells that differ in the named variables only (and in those it says to ignore):
`left` minus `right`, one difference a seed, for every combination of the other variables (test
language, task, ...). The verdict of one such pair is "yes" or "no" where the 95 % interval of the
mean difference over seeds (Student's t) lies on one side, and "not decided" where it does not: a
difference within the spread of seeds is none. Nor is it decided that two scores are near each other
where both are at chance: nothing is there that could be lost. Cells whose reading is doubtful are
shown, and their difference is marked.
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
    one of the two is. `low` and `high` bound the measured mean difference (95 %).
    """

    left: MeasuredCell
    right: MeasuredCell | None
    published: float | None
    doubtful: bool
    measured: float | None
    std: float | None
    num_seeds: int
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with the verdict on each of its pairs."""

    identifier: str
    says: str
    expectation: str
    differences: Sequence[Difference]

    @property
    def verdict(self) -> str:
        """How many pairs say what: "yes 2, not decided 1"."""
        counts = [(kind, sum(d.verdict == kind for d in self.differences))
                  for kind in (YES, UNDECIDED, NO, NOT_RUN)]  # fmt: skip
        return ", ".join(f"{kind} {count}" for kind, count in counts if count) or NOT_RUN

    @property
    def mean_difference(self) -> float | None:
        """Mean of the measured differences over the pairs; None where there is none."""
        found = [d.measured for d in self.differences if d.measured is not None]
        return statistics.fmean(found) if found else None


def judge(reproduction: Reproduction) -> list[JudgedClaim]:
    """All claims of a table, each with its pairs."""
    return [_judge(claim, reproduction.cells) for claim in reproduction.claims]


def _judge(claim: Mapping[str, Any], cells: Sequence[MeasuredCell]) -> JudgedClaim:
    common = dict(claim.get("cells", {}))
    left, right = claim["left"], claim["right"]
    named = {*common, *left, *(right if isinstance(right, Mapping) else ())}
    if "role" not in named:
        common["role"] = "target"
    lefts = [cell for cell in cells if _has(cell, {**common, **left})]
    measure = claim.get("measure", "score")
    expect = claim["expect"]
    within = claim.get("within")
    if right == "chance":
        differences = [_difference(cell, None, measure, expect, within) for cell in lefts]
    else:
        rights = [cell for cell in cells if _has(cell, {**common, **right})]
        paired = {*left, *right, *claim.get("ignoring", ())}
        differences = [
            _difference(cell, other, measure, expect, within)
            for cell in lefts
            for other in rights
            if _key(cell, paired) == _key(other, paired)
        ]
    expectation = f"within ±{within:g}" if expect == "near" else expect
    return JudgedClaim(claim["id"], claim["says"], expectation, differences)


def _has(cell: MeasuredCell, wanted: Mapping[str, Any]) -> bool:
    given = {**cell.variables, "test": cell.test}
    return all(given.get(key) == value for key, value in wanted.items())


def _key(cell: MeasuredCell, without: set[str]) -> list[tuple[str, Any]]:
    """What two cells of a pair have in common: all but the variables that the claim names."""
    test = [] if without & {"role", "test"} else [("test", cell.test)]
    return sorted([*test, *((k, str(v)) for k, v in cell.variables.items() if k not in without)])


def _difference(
    left: MeasuredCell, right: MeasuredCell | None, measure: str, expect: str, within: float | None
) -> Difference:
    left_values = _values(left, measure)
    if right is None:
        right_values = dict.fromkeys(left_values, left.chance or 0.0)
        published, doubtful = None, False
    else:
        right_values = _values(right, measure)
        published, doubtful = _published(left, right) if measure == "score" else (None, False)
    points = [
        left_values[seed] - right_values[seed] for seed in left_values if seed in right_values
    ]
    mean = statistics.fmean(points) if points else None
    std = statistics.stdev(points) if len(points) > 1 else None
    low, high = interval(points)
    verdict = _verdict(expect, within, low, high) if points else NOT_RUN
    if (
        expect == "near"
        and verdict == YES
        and _at_chance(left)
        and (not right or _at_chance(right))
    ):
        verdict = UNDECIDED
    return Difference(
        left, right, published, doubtful, mean, std, len(points), low, high, verdict
    )  # fmt: skip


def _values(cell: MeasuredCell, measure: str) -> Mapping[int, float]:
    if measure == "score":
        return cell.values
    return {seed: cell.source_values[seed] - value for seed, value in cell.values.items()
            if seed in cell.source_values}  # fmt: skip


def _published(left: MeasuredCell, right: MeasuredCell) -> tuple[float | None, bool]:
    first, second = left.printed, right.printed
    if first is None or second is None or first.value is None or second.value is None:
        return None, False
    return first.value - second.value, not (first.safe and second.safe)


def _at_chance(cell: MeasuredCell) -> bool:
    """Whether a cell's 95 % interval over seeds reaches down to chance; False for differences."""
    if cell.chance is None:
        return False
    low, _ = interval(list(cell.values.values()))
    return low is None or low <= cell.chance


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
