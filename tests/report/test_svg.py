"""Figures: well-formed, inside their frame, told apart without colour."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from bbert.report.chart import (
    MOST_POINTS,
    DotChart,
    DotGroup,
    Dots,
    Line,
    LineChart,
    log_ticks,
    thinned,
    ticks,
    told_apart,
)
from bbert.report.svg import WIDTH, draw, palette
from bbert.report.svg_text import fitting, lines_of, width_of

VALUES = st.floats(-1e9, 1e9, allow_subnormal=False)


def line_chart(points: list[tuple[float, float]], log_y: bool = False) -> LineChart:
    lines = (Line("en", tuple(points)), Line('<&> "fake"', tuple(points)))
    return LineChart("figure-1", "A & B", "what <it> shows", "step", "loss", lines, log_y)


def coordinates(svg: str) -> list[tuple[float, float]]:
    pairs = " ".join(re.findall(r'points="([^"]*)"', svg)).split()
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in pairs)]


def in_frame(svg: str) -> bool:
    height = int(re.search(r'viewBox="0 0 \d+ (\d+)"', svg).group(1))
    return all(-0.1 <= x <= WIDTH and -0.1 <= y <= height for x, y in coordinates(svg))


@given(st.lists(st.tuples(st.integers(0, 10**7), VALUES), min_size=1, max_size=40))
def test_any_line_is_inside_its_frame(points: list[tuple[float, float]]):
    svg = draw(line_chart(sorted(points)))
    ElementTree.fromstring(svg)
    assert in_frame(svg)


@given(st.lists(st.floats(1e-6, 1e12), min_size=1, max_size=20))
def test_any_positive_line_on_a_logarithmic_axis(values: list[float]):
    assert in_frame(draw(line_chart(list(enumerate(values)), log_y=True)))


@given(VALUES, VALUES)
def test_ticks_cover_with_few_round_numbers(a: float, b: float):
    low, high = min(a, b), max(a, b)
    assume(high - low > 1e-6 * max(abs(low), abs(high), 1e-3))
    found = ticks(low, high)
    slack = 1e-6 * (high - low)
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= 9


@given(st.floats(1e-9, 1e9), st.floats(1, 1e6))
def test_logarithmic_ticks_cover(low: float, ratio: float):
    found = log_ticks(low, low * ratio)
    assert found[0] <= low * (1 + 1e-6)
    assert found[-1] >= low * ratio * (1 - 1e-6)
    assert len(found) >= 2


@given(st.integers(1, 5000))
def test_thinning_keeps_the_end_and_the_mean(amount: int):
    points = [(float(i), math.sin(i)) for i in range(amount)]
    short = thinned(points)
    assert len(short) <= MOST_POINTS
    assert short[-1] == points[-1]
    assert list(short) == sorted(short)


def test_a_figure_explains_itself_and_uses_dashes():
    root = ElementTree.fromstring(draw(line_chart([(0, 1), (1, 2)]), standalone=True))
    namespace = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{namespace}svg"
    assert root.get("role") == "img"
    labels = root.get("aria-labelledby").split()
    texts = {e.get("id"): e.text for e in root if e.get("id")}
    assert [texts[label] for label in labels] == ["A & B", "what <it> shows"]
    dashes = re.findall(r"\.line\.s\d\{[^}]*stroke-dasharray:([^}]*)\}", palette())
    assert len(set(dashes)) == len(dashes) == 7  # the first line is solid


def test_dots_show_seeds_mean_floor_and_chance():
    pretrained = Dots("last", (70.0, 80.0, 90.0), 80.0, 10.0)
    random = Dots("last, random", (5.0,), 5.0, None, floor=True)
    chart = DotChart("d", "t", "d", "F1", (DotGroup("en", (pretrained, random), 3.0),))
    root = ElementTree.fromstring(draw(chart))
    circles = list(root.iter("circle"))
    assert len([c for c in circles if c.get("class") == "seed"]) == 3
    assert len(circles) == 4
    assert len(list(root.iter("rect"))) == 1
    titles = [element.text for element in root.iter("title")]
    assert "last: 80.0 ± 10.0 (3 seeds)" in titles
    assert "chance 3.0" in titles


def test_values_that_are_all_zero_have_an_axis_in_plain_numbers():
    chart = line_chart([(0, 0.0), (1, 0.0)])
    texts = [element.text for element in ElementTree.fromstring(draw(chart)).iter("text")]
    assert "1" in texts
    assert not [text for text in texts if "e-" in text]


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_a_long_label_keeps_both_of_its_ends(first: str, middle: str, last: str):
    label = f"A{first}{middle}{last}Z"
    fitted = fitting(label, 100)
    assert fitted == label or (fitted[0], fitted[-1], fitted.count("…") > 0) == ("A", "Z", True)
    assert fitted == label or width_of(fitted) <= 100


@given(st.text(max_size=80))
def test_a_label_has_at_most_two_lines(label: str):
    lines = lines_of(label, 100)
    assert len(lines) in (1, 2)
    assert all(width_of(line) <= 100 for line in lines if line != label)
    if not any("…" in line for line in lines):
        assert " ".join(lines) == label


def test_a_label_that_does_not_fit_is_broken_where_its_halves_do():
    assert lines_of("DLFA with layer 5", 154) == ["DLFA with layer 5"]
    assert lines_of("DLFA with layer 5 (published 11)", 154) == [
        "DLFA with layer 5", "(published 11)"
    ]  # fmt: skip
    rows = tuple(Dots(f"DLFA with layer {n} (published 11)", (5.0,), 5.0, None) for n in (4, 5))
    short = tuple(replace(row, label="DLFA") for row in rows)
    heights, texts = [], []
    for drawn in (rows, short):
        svg = draw(DotChart("f", "t", "d", "F1", (DotGroup("es", drawn, None),)))
        root = ElementTree.fromstring(svg)
        heights.append(int(root.get("viewBox").split()[-1]))
        texts.append([element.text for element in root.iter("text")])
    assert heights[0] > heights[1]
    assert {"DLFA with layer 4", "DLFA with layer 5"} <= set(texts[0])


def test_a_line_of_one_point_is_a_mark_and_a_floor_below_zero_keeps_the_axis():
    lines = (Line("many", ((0, 0.5), (1, 1.0))), Line("one", ((1, -0.001),)))
    svg = draw(LineChart("figure-1", "t", "d", "layer", "CKA", lines))
    assert svg.count("<polyline") == 1
    assert "<title>one</title></path>" in svg
    texts = [element.text for element in ElementTree.fromstring(svg).iter("text")]
    assert not [text for text in texts if text.startswith("-")]


def test_no_two_lines_of_a_figure_look_alike():
    many = [Line(f"l{number}", ((0, 1.0), (1, number))) for number in range(12)]
    nsp = Line("next sentence", ((0, 1.0), (1, 0.5)))
    lines, said = told_apart(many, [nsp])
    assert [line.label for line in lines] == [*(f"l{n}" for n in range(7)), "next sentence"]
    assert said == " Not drawn, for lack of colours: l7, l8, l9, l10, l11."
    svg = draw(LineChart("figure-1", "t", "d", "step", "loss", lines))
    styles = re.findall(r'<polyline class="line (s\d+)"', svg)
    assert len(set(styles)) == len(styles) == 8
    assert told_apart(many[:8]) == (tuple(many[:8]), "")
