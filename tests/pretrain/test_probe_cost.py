"""The cost of the curves is added up, and said once where it is more than two percent."""

from __future__ import annotations

import re

import pytest

from bbert.pretrain.probe_cost import MAX_SHARE, ProbeCost


def judged(caplog, points: int, seconds: float, between: float, every: int = 500) -> str:
    """What is said of `points` measurements of so many seconds, `between` seconds apart."""
    caplog.clear()
    cost = ProbeCost()
    with caplog.at_level("WARNING", logger="bbert"):
        for number in range(points):
            cost.add(seconds, number * every, number * between, every)
    assert cost.seconds == pytest.approx(points * seconds)
    return caplog.text


def test_a_cheap_measurement_is_not_mentioned(caplog):
    assert judged(caplog, 50, seconds=1.0, between=60) == ""


def test_the_first_points_of_a_short_run_are_not_judged(caplog):
    assert judged(caplog, 2, seconds=2.0, between=20) == ""


@pytest.mark.parametrize(("seconds", "between"), [(5.0, 60.0), (1.5, 60.0), (60.0, 1.0)])
def test_an_expensive_one_is_said_once_with_an_interval_that_mends_it(caplog, seconds, between):
    said = judged(caplog, 40, seconds, between, every=500)
    assert len(caplog.records) == 1
    every = int(re.search(r"--probe-every (\d+)", said).group(1))
    assert seconds / (seconds + between * every / 500) <= MAX_SHARE * 1.001


def test_what_earlier_processes_spent_counts():
    cost = ProbeCost()
    cost.seconds = 7.0
    cost.add(1.0, 4000, 1000.0, 500)
    assert cost.seconds == 8.0
