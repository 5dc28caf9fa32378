"""Verdicts on claims: one difference a seed, a verdict only where the interval allows one."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bbert.report.beside_published import printed_cell, reproduction_tables
from bbert.report.claims import NO, NOT_RUN, UNDECIDED, YES, interval, judge
from bbert.report.published.cells import published
from bbert.report.reproduction import MeasuredCell, Reproduction


def cell(values, test="es", role="target", source_values=(), printed=None, **variables):
    return MeasuredCell(
        row=f"row {variables}", variables={**variables, "task": "ner", "role": role},
        train="enfake", test=test, task="ner", printed=printed, values=dict(enumerate(values)),
        source_values=dict(enumerate(source_values)), num_examples=100, chance=5.0, missing={},
        anchor="", floor="",
    )  # fmt: skip


def verdicts(cells, /, **claim):
    claims = [{"id": "c", "says": "It is so.", **claim}]
    reproduction = Reproduction("k2020", "2", "Order", "sample", "small", cells, {}, claims)
    (judged,) = judge(reproduction)
    return judged


GREATER = {"left": {"p": 0}, "right": {"p": 1}, "expect": "greater"}


@pytest.mark.parametrize(
    ("left", "right", "verdict"),
    [
        ([60, 61, 62], [40, 41, 42], YES),
        ([40, 41, 42], [60, 61, 62], NO),
        ([60, 40, 50], [50, 49, 51], UNDECIDED),
        ([60], [40], UNDECIDED),
        ([], [40, 41], NOT_RUN),
    ],
)
def test_a_direction_counts_where_the_interval_lies_on_one_side(left, right, verdict):
    (difference,) = verdicts([cell(left, p=0), cell(right, p=1)], **GREATER).differences
    assert difference.verdict == verdict


def test_a_claim_may_leave_cells_out():
    cells = [cell([60, 61], train=train, test=train, role="source") for train in ("en", "es")]
    wanted = {"cells": {"role": "source"}, "left": {}, "right": "floor", "expect": "greater"}
    assert [d.left.test for d in verdicts(cells, **wanted).differences] == ["en", "es"]
    others = verdicts(cells, **wanted, **{"except": {"train": "en"}})
    assert [d.left.test for d in others.differences] == ["es"]


def test_near_needs_the_whole_interval_within_the_bound():
    near = {"left": {"p": 0}, "right": {"p": 1}, "expect": "near", "within": 5}
    assert verdicts([cell([50, 51, 52], p=0), cell([51, 52, 52.5], p=1)], **near).verdict == "yes 1"
    assert verdicts([cell([50, 51, 52], p=0), cell([70, 71, 72.5], p=1)], **near).verdict == "no 1"
    spread = [cell([50, 60, 70], p=0), cell([71, 62, 52], p=1)]
    assert verdicts(spread, **near).verdict == "not decided 1"


def test_two_scores_at_chance_are_not_near_each_other():
    near = {"left": {"p": 0}, "right": {"p": 1}, "expect": "near", "within": 5}
    floor = [4.8, 5.0, 5.3]  # chance is 5
    assert verdicts([cell(floor, p=0), cell(floor, p=1)], **near).verdict == "not decided 1"
    above = [6.0, 6.1, 6.2]
    assert verdicts([cell(floor, p=0), cell(above, p=1)], **near).verdict == "yes 1"
    assert verdicts([cell([50.0, 51, 52], p=0), cell(floor, p=1)], **near).verdict == "no 1"


def test_all_pairs_together_are_judged_by_their_mean_of_each_seed():
    """Pairs of one seed share a model, so that a seed counts once."""
    cells = [
        cell([60, 30, 50], test="es", p=0), cell([50, 25, 30], test="es", p=1),
        cell([20, 40, 42], test="ru", p=0), cell([18, 21, 42], test="ru", p=1),
    ]  # fmt: skip
    judged = verdicts(cells, **GREATER)
    assert judged.verdict == "not decided 2"
    assert dict(judged.points) == {0: 6.0, 1: 12.0, 2: 10.0}
    assert (judged.low, judged.high) == interval([6.0, 12.0, 10.0])
    assert judged.together == YES
    missing = [*cells[:3], cell([18, 21], test="ru", p=1)]
    assert dict(verdicts(missing, **GREATER).points) == {0: 6.0, 1: 12.0}
    assert verdicts([], **GREATER).together == NOT_RUN


def test_near_together_leaves_out_the_pairs_at_chance():
    near = {"left": {"p": 0}, "right": {"p": 1}, "expect": "near", "within": 5}
    floor = [cell([4.9, 5, 5.2], test="hi", p=p) for p in (0, 1)]
    far = [cell([50, 51, 52], test="es", p=0), cell([60, 61, 62], test="es", p=1)]
    assert verdicts([*floor, *far], **near).together == NO
    assert verdicts(floor, **near).together == UNDECIDED


def test_differences_to_both_sides_are_not_near_together():
    near = {"left": {"p": 0}, "right": {"p": 1}, "expect": "near", "within": 5}
    cells = [
        cell([60, 61, 62], test="es", p=0), cell([50, 51.2, 52], test="es", p=1),
        cell([50, 51, 52], test="ru", p=0), cell([60, 61.3, 62], test="ru", p=1),
    ]  # fmt: skip
    judged = verdicts(cells, **near)
    assert judged.verdict == "no 2"
    assert abs(judged.mean_difference) < 1
    assert judged.together == NO


def test_pairs_differ_in_the_named_variables_only():
    cells = [
        cell([1, 2], test=t, role=role, target=t, p=p)
        for t in ("es", "hi")
        for p in (0, 1)
        for role in ("target", "source")
    ]
    judged = verdicts(cells, **GREATER)
    assert [(d.left.test, d.right.test, d.left.variables["role"]) for d in judged.differences] == [
        ("es", "es", "target"), ("hi", "hi", "target"),
    ]  # fmt: skip


def test_roles_may_be_compared_across_test_sets():
    cells = [
        cell([40, 41], test="en-es", role="mixed"),
        cell([42, 43], test="es-en", role="mixed"),
        cell([60, 61], test="es"),
    ]
    judged = verdicts(cells, left={"role": "mixed"}, right={"role": "target"}, expect="less")
    assert [d.left.test for d in judged.differences] == ["en-es", "es-en"]
    assert judged.verdict == "yes 2"


def test_the_floor_is_a_random_encoder_where_it_beats_chance():
    cells = [cell([60, 61, 59], p=1)]  # chance is 5
    claims = [{"id": "c", "says": "", "left": {"p": 1}, "right": "floor", "expect": "greater"}]
    expected = (((40, 41, 39), 20, YES), ((1, 2), 55, YES), ((60,), 0, UNDECIDED))
    for random, difference, verdict in expected:
        floors = {("", "es", ""): dict(enumerate(random))}
        (judged,) = judge(Reproduction("k2020", "2", "", "", "", cells, floors, claims))
        assert judged.mean_difference == pytest.approx(difference)
        assert judged.together == verdict


def test_what_scores_are_above_their_own_floors_stands_beside_their_difference():
    """With shared word-pieces names transfer from a random encoder too."""
    cells = [replace(cell([40.0, 44.0], p=0), floor="shared"), cell([19.0, 21.0], p=1),
             cell([25.0, 26.0], p=2)]  # fmt: skip
    claims = [{"id": "c", "says": "", "left": {"p": p}, "right": {"p": 1}, "expect": "near",
               "within": 5} for p in (0, 2)]  # fmt: skip
    floors = {("shared", "es", ""): {0: 26.0, 1: 27.0, 2: 9.0}, ("", "es", ""): {0: 6.0, 1: 5.0}}
    reproduction = Reproduction("k2020", "1", "", "sample", "small", cells, floors, claims)
    first, second = (judged.differences[0] for judged in judge(reproduction))
    assert first.points == {0: 21.0, 1: 23.0}
    assert first.above_floors == {0: 1.0, 1: 1.0}
    assert not second.above_floors, "of one floor"
    pairs = reproduction_tables(reproduction)[-1]
    assert pairs.columns[7].header == "Above the floors"
    assert [row[7].text for row in pairs.rows] == ["+1.0 (+1.0 to +1.0)", "–"]
    alone = replace(reproduction, claims=claims[1:])
    assert len(reproduction_tables(alone)[-1].columns) == len(pairs.columns) - 1


def test_the_spread_of_the_floor_counts():
    """Of runs no better than random encoders one in twenty differs, as of any other pair."""
    claims = [{"id": "c", "says": "", "left": {"p": 1}, "right": "floor", "expect": "greater"}]
    draws = np.random.default_rng(0).normal(40, 3, size=(1000, 2, 3))
    decided = 0
    for scores, random in draws:
        floors = {("", "es", ""): dict(enumerate(random))}
        cells = [cell(list(scores), p=1)]
        (judged,) = judge(Reproduction("k2020", "2", "", "", "", cells, floors, claims))
        assert judged.mean_difference == pytest.approx(scores.mean() - random.mean())
        decided += judged.together != UNDECIDED
    assert decided / len(draws) == pytest.approx(0.05, abs=0.02)


def test_a_score_without_any_floor_is_not_held_against_zero():
    (of_metric,) = [replace(cell([60, 61, 59], p=1), chance=None)]
    claims = [{"id": "c", "says": "", "left": {"p": 1}, "right": "floor", "expect": "greater"}]
    (judged,) = judge(Reproduction("k2020", "2", "", "", "", [of_metric], {}, claims))
    assert judged.verdict == "not run 1"


def test_floor_and_gap_are_measures_of_one_run():
    judged = verdicts([cell([60, 61, 59], p=1)], left={"p": 1}, right="floor", expect="greater")
    assert judged.differences[0].measured == pytest.approx(55)
    cells = [
        cell([50, 50, 51], source_values=[90, 91, 90], p=0),
        cell([80, 81, 80], source_values=[90, 90, 91], p=1),
    ]
    judged = verdicts(cells, left={"p": 1}, right={"p": 0}, measure="gap", expect="less")
    assert judged.differences[0].measured == pytest.approx(10 - 40, abs=1)
    assert judged.verdict == "yes 1"


def test_the_interval_is_that_of_a_t_test():
    points = np.random.default_rng(0).normal(2, 3, size=7)
    expected = stats.ttest_1samp(points, 0).confidence_interval(0.95)
    assert interval(list(points)) == pytest.approx((expected.low, expected.high))


def test_published_differences_are_shown_and_doubts_marked():
    def printed(permute, table="2"):
        wanted = {"model": "enfake-es", "permute": permute, "task": "ner", "test_language": "es"}
        return next(c for c in published("k2020", table) if c.matches(wanted))

    cells = [cell([60, 61], p=0, printed=printed("0")), cell([40, 41], p=1, printed=printed("1"))]
    claims = [{"id": "c", "says": "It is so.", **GREATER}]
    reproduction = Reproduction("k2020", "2", "Order", "sample", "small", cells, {}, claims)
    (difference,) = judge(reproduction)[0].differences
    assert difference.published == pytest.approx(printed("0").value - printed("1").value)
    assert difference.doubtful
    tables = {table.identifier: table for table in reproduction_tables(reproduction)}
    shown = tables["reproduced-k2020-2"].rows[0]
    assert shown[2].text.endswith("?")
    assert "probably not the one meant" in shown[2].note
    assert tables["pairs-k2020-2"].rows[0][4].text.endswith("?")
    assert printed_cell(None).text == "–"


def test_csv_has_the_values_behind_every_mean_and_interval():
    cells = [cell([60, 64, 71], p=0), cell([40, 41, 43], p=1)]
    claims = [{"id": "c", "says": "It is so.", **GREATER}]
    floors = {("", "es", ""): {0: 10.0, 1: 14.0}}
    reproduction = Reproduction("k2020", "2", "Order", "sample", "small", cells, floors, claims)
    tables = {t.identifier: t.to_csv() for t in reproduction_tables(reproduction)}
    read = {key: list(csv.DictReader(io.StringIO(text))) for key, text in tables.items()}
    first = read["reproduced-k2020-2"][0]
    assert float(first["Measured std"]) == pytest.approx(stats.tstd([60, 64, 71]))
    assert [float(v) for v in first["Measured values"].split()] == [60, 64, 71]
    assert first["Measured seeds"] == "0 1 2"
    assert [float(v) for v in first["Random encoder values"].split()] == [10, 14]
    (pair,), (claim,) = read["pairs-k2020-2"], read["claims-k2020-2"]
    low, high = interval([20, 23, 28])
    for row in (pair, claim):
        assert float(row["95 % interval low"]) == pytest.approx(low)
        assert float(row["95 % interval high"]) == pytest.approx(high)
    assert [float(v) for v in pair["Measured values"].split()] == [20, 23, 28]
