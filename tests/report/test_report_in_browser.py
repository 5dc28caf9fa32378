"""The page in a real browser: narrow and wide, light and dark, by keyboard; no request."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, Tab

from bbert.report.config import ReportConfig
from bbert.report.run import run

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
TAB, RIGHT = 9, 39

CUT_LABELS = """[...document.querySelectorAll('svg.figure')].flatMap(figure => {
    const frame = figure.getBoundingClientRect()
    return [...figure.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect()
        return box.left < frame.left - 1 || box.right > frame.right + 1
            || box.top < frame.top - 1 || box.bottom > frame.bottom + 1
    }).map(text => text.textContent)})"""
SMALLEST_TEXT = """Math.min(...[...document.querySelectorAll('svg.figure text')].map(text =>
    parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a || 99))"""
WORST_CONTRAST = """(() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number)
    const light = colour => numbers(colour).slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0)
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor
            if ((numbers(colour)[3] ?? 1) == 1) return colour
        }
        return 'rgb(255,255,255)'
    }
    const own = element => [...element.childNodes].some(n => n.nodeType == 3 && n.data.trim())
    const words = [...document.body.querySelectorAll('*')]
        .filter(e => own(e) && !['title', 'desc'].includes(e.tagName))
    return Math.min(...words.map(e => {
        const style = getComputedStyle(e)
        const ink = light(e.closest('svg') ? style.fill : style.color)
        const paper = light(behind(e))
        return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)
    }))})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.skip("no Chromium on the PATH")
    with Browser(PROGRAM, tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def page(laboratory: Path, made) -> Path:
    """Every kind of block: scores of models with long names, curves, a probe, a certificate."""
    corpus = laboratory / "corpora" / "sample-enfake-en"
    for i in range(2):
        model = made.model(
            laboratory, corpus, f"{i}-pretrained-on-{'a-long-list-of-' * 3}languages"
        )
        made.transfer(laboratory, model, f"pos-{i}", {"enfake": [0.9], "en": [0.5]}, task="pos")
    made.probe(laboratory, "similar", [0.25, 0.5, 0.75])
    return run(ReportConfig(work=laboratory)).path / "report.html"


def cell(tab: Tab, table: str, row: int, column: int) -> str:
    """Text of a cell, rows and columns counted from 1."""
    place = f"#{table} tbody tr:nth-child({row}) > :nth-child({column})"
    return tab.value(f"document.querySelector({json.dumps(place)}).textContent")


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_can_be_read(browser: Browser, page: Path, width: int, dark: bool):
    tab = browser.open(page, width, dark)
    assert tab.console == []
    assert tab.requests == [page.as_uri()]
    assert cell(tab, "transfer-1", 2, 1) == "dlfa (layer 2, gate paper, pool masked)"
    assert cell(tab, "transfer-1", 2, 3) == "85.3 ± 5.5"
    # wide tables scroll by themselves, the page does not
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value("document.querySelectorAll('svg.figure').length") >= 6
    assert tab.value(CUT_LABELS) == []
    assert tab.value(SMALLEST_TEXT) >= 12
    assert tab.value(WORST_CONTRAST) >= 4.5
    paper = tab.value("getComputedStyle(document.documentElement).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is not dark


def test_a_score_leads_to_its_run(browser: Browser, page: Path):
    tab = browser.open(page)
    assert tab.value("document.querySelectorAll('details[open]').length") == 0
    tab.value("[...document.links].find(a => a.textContent == '85.3 ± 5.5').click()")
    opened = tab.value("[...document.querySelectorAll('details[open] dl')].map(e => e.id)")
    assert opened == ["run-transfer-ner-dlfa"]
    text = tab.value("document.querySelector('details[open]').textContent")
    assert "configuration hash" in text
    assert "learning_rate: 0.001" in text


def test_a_wide_table_is_reached_and_scrolled_by_keyboard(browser: Browser, page: Path):
    tab = browser.open(page, 400)
    wanted = "document.activeElement.querySelector(':scope > #transfer-1') !== null"
    for _ in range(40):
        tab.press("Tab", TAB)
        if tab.value(wanted):
            break
    assert tab.value(wanted)
    assert tab.value("document.activeElement.getAttribute('aria-label')")
    assert tab.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert tab.value("document.activeElement.scrollLeft") == 0
    tab.press("ArrowRight", RIGHT)
    tab.value_becomes("document.activeElement.scrollLeft > 0", True)


def test_tables_are_spoken_as_tables(browser: Browser, page: Path):
    """Roles as the browser gives them to a screen reader, also where CSS sets cells as blocks."""
    tab = browser.open(page, 400)
    tab.call("Accessibility.enable")
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in nodes if not node["ignored"]]
    tables = tab.value("document.querySelectorAll('table').length")
    assert roles.count("table") == tables >= 8
    rows = tab.value("document.querySelectorAll('tr').length")
    assert roles.count("row") == rows
    assert roles.count("rowheader") == tab.value("document.querySelectorAll('tbody tr').length")
    named = [node for node in nodes if node["role"]["value"] == "table" and not node["ignored"]]
    assert all(node["name"]["value"] for node in named)


def test_a_name_without_a_hyphen_does_not_widen_the_page(browser: Browser, laboratory: Path, made):
    made.model(laboratory, laboratory / "corpora" / "sample-enfake-en", "x" * 120)
    tab = browser.open(run(ReportConfig(work=laboratory)).path / "report.html", 400)
    assert tab.value("document.documentElement.scrollWidth") <= 400
