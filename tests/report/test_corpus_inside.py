"""The inside of corpora on the page: figures that say what their tables say."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbert.corpus.language_shares import mix
from bbert.report.chart import MatrixChart, Measure, MeasureChart
from bbert.report.config import ReportConfig
from bbert.report.corpus_figures import corpus_charts, share_of_either
from bbert.report.records import read_run
from bbert.report.run import run
from bbert.report.svg import WIDTH, draw

LENGTHS = {
    "num": 200, "mean": 5.25, "shortest": 1, "longest": 130,
    "quantiles": {"0.25": 3, "0.5": 4, "0.75": 7, "0.95": 12, "0.99": 20},
}  # fmt: skip


def statistics(fake: bool, documents: int = 40) -> dict:
    frequent = [{"word": "𰵱" if fake else "the", "count": 90, "unshifted": "the"}]
    counted = {"counted": 1000, "types": 120, "once": 60, "ranks": [[1, 90], [10, 9], [120, 1]]}
    example = {
        "document": 0, "sentence": 0, "source": "The <b>cat</b>.", "final": "𰵱 |𰵱",
        "word_pieces": ["𰵱", "##𰵱"],
    }  # fmt: skip
    if fake:
        example["word_pieces_unshifted"] = ["The", "##cat"]
    return {
        "words_per_sentence": {**LENGTHS, "edges": [1, 3, 5, 7], "counts": [50, 100, 40, 10]},
        "word_pieces_per_sentence": LENGTHS,
        "sentences_per_document": {
            **LENGTHS, "num": documents, "edges": [1, 2, 4, 8], "counts": [0, documents, 0, 0],
        },
        "words": {**counted, "every_block": 1, "most_frequent": frequent},
        "word_pieces": {**counted, "most_frequent": frequent},
        "examples": [example] * 10,
    }  # fmt: skip


@pytest.fixture
def corpus(work: Path, made) -> Path:
    """A corpus of three languages with statistics and measured interventions."""
    path = made.corpus(work)
    certificate = json.loads((path / "certificate.json").read_text())
    languages = certificate["languages"]
    languages["es"] = {**languages["en"]}
    for name, size in (("enfake", 90), ("en", 100), ("es", 110)):
        languages[name] |= {"characters": size, "vocabulary_entries": 10 * size}
    languages["es"]["interventions"] = [
        {"name": "permute", "variant": "released", "p": 0.5, "kendall_tau": 0.28,
         "expected_kendall_tau": 0.29, "fixed_positions": 0.4, "kept_bigrams": 0.2},
    ]  # fmt: skip
    languages["en"]["interventions"] = [
        {"name": "unigram", "variant": "released", "kl_divergence": 0.03,
         "expected_kl_divergence": 0.031, "lengths_preserved": True},
    ]  # fmt: skip
    for pair, shared in (("enfake-es", 0), ("en-es", 70)):
        certificate["pairs"][pair] = {
            "shared_characters": shared, "shared_vocabulary_entries": 3 * shared,
        }  # fmt: skip
    (path / "certificate.json").write_text(json.dumps(certificate))
    content = {"languages": {name: statistics(name == "enfake") for name in languages}}
    (path / "statistics.json").write_text(json.dumps(content))
    return path


def test_every_figure_is_there_with_its_table(corpus: Path, work: Path):
    page = run(ReportConfig(work=work)).path
    figures = {path.stem.rsplit("-", 1)[0] for path in (page / "figures").glob("*.svg")}
    assert figures == {
        "figure-words", "figure-documents", "figure-words-by-rank", "figure-word-pieces-by-rank",
        "figure-shared-characters", "figure-shared-vocabulary-entries", "figure-order",
        "figure-divergence",
    }  # fmt: skip
    tables = {path.stem for path in (page / "tables").glob("*.csv")}
    assert {"lengths", "frequencies", "interventions", "certificates", "examples-1"} <= tables
    for path in (page / "figures").glob("*.svg"):
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        described = root.find("{http://www.w3.org/2000/svg}desc").text
        assert len(described) > 40


def test_examples_are_readable_and_escaped(corpus: Path, work: Path):
    page = run(ReportConfig(work=work)).path
    html = (page / "report.html").read_text(encoding="utf-8")
    assert "The &lt;b&gt;cat&lt;/b&gt;." in html
    assert "<b>cat" not in html
    assert "The ##cat" in html
    assert 'class="prose"' in html
    assert "##𰵱" in (page / "tables" / "examples-1.csv").read_text(encoding="utf-8")


def test_a_changed_statistics_file_writes_the_report_anew(corpus: Path, work: Path):
    first = run(ReportConfig(work=work)).manifest["finished"]
    content = {"languages": {"en": statistics(False)}}
    (corpus / "statistics.json").write_text(json.dumps(content))
    assert run(ReportConfig(work=work)).manifest["finished"] > first


def test_the_shares_of_the_languages_that_are_read(corpus: Path, work: Path):
    assert not (run(ReportConfig(work=work)).path / "tables" / "mix.csv").exists()
    certificate = json.loads((corpus / "certificate.json").read_text())
    certificate["mix"] = mix(["enfake", "en", "es"], [300, 100, 50], [9000, 3000, 2500], 0.5)
    (corpus / "certificate.json").write_text(json.dumps(certificate))
    rows = (run(ReportConfig(work=work, force=True)).path / "tables" / "mix.csv").read_text()
    shares = [row.split(",") for row in rows.strip().split("\n")[1:]]
    assert [row[1] for row in shares] == ["enfake", "en", "es"]
    for natural, expected, realised, passes in (map(float, (r[4], *r[5:7], r[8])) for r in shares):
        assert realised == pytest.approx(expected, abs=1e-6)
        assert passes == pytest.approx(realised / natural)


def test_few_documents_make_no_curve(corpus: Path):
    content = {"languages": {"en": statistics(False, documents=3)}}
    (corpus / "statistics.json").write_text(json.dumps(content))
    names = [chart.identifier for chart in corpus_charts(read_run(corpus), 1)]
    assert "figure-words-1" in names
    assert "figure-documents-1" not in names


def test_the_matrix_says_what_is_shared(corpus: Path):
    charts = {chart.identifier: chart for chart in corpus_charts(read_run(corpus), 1)}
    matrix = charts["figure-shared-characters-1"]
    assert isinstance(matrix, MatrixChart)
    assert matrix.labels == ("enfake", "en", "es")
    assert [[text for text, _ in row] for row in matrix.cells] == [
        ["90", "0", "0"], ["0", "100", "70"], ["0", "70", "110"],
    ]  # fmt: skip
    assert matrix.cells[1][2][1] == pytest.approx(70 / 140)
    assert [row[i][1] for i, row in enumerate(matrix.cells)] == [1, 1, 1]


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_shares_are_shares(own: int, other: int, both: int):
    both = min(both, own, other)
    assert 0 <= share_of_either(own, other, both) <= 1


@given(
    st.lists(
        st.tuples(st.floats(-1, 5), st.none() | st.floats(-1, 5)), min_size=1, max_size=6
    ),
    st.sampled_from([0.0, 1.0]),
)  # fmt: skip
def test_any_measure_is_inside_its_frame(values: list[tuple], reaches: float):
    rows = tuple(Measure(f"m{i}", value, expected) for i, (value, expected) in enumerate(values))
    chart = MeasureChart("f", "t", "d", "x", (("en: <permute>", rows),), reaches)
    svg = draw(chart)
    root = ElementTree.fromstring(svg)
    places = [float(circle.get("cx")) for circle in root.iter("circle")]
    assert all(0 <= x <= WIDTH for x in places)
    assert len(places) == sum(1 + (expected is not None) for _, expected in values)
    assert re.search(r'viewBox="0 0 \d+ \d+"', svg)


@given(st.integers(1, 8))
def test_a_matrix_is_inside_its_frame(number: int):
    labels = tuple(f"language{i}" for i in range(number))
    cells = tuple(tuple((f"{1000 * i + j:,}", 0.5) for j in range(number)) for i in range(number))
    root = ElementTree.fromstring(draw(MatrixChart("f", "t", "d", labels, cells)))
    height = float(root.get("viewBox").split()[3])
    for rect in root.iter("rect"):
        assert float(rect.get("x")) + float(rect.get("width")) <= WIDTH
        assert float(rect.get("y")) + float(rect.get("height")) <= height


def test_contamination_stands_below_the_scores(laboratory: Path, made):
    model = laboratory / "models" / "sample-enfake-en-depth3"
    entry = {"n": 500, "in_pretraining": 0, "in_training": 20}
    found = {"not_checked": None, "languages": {"enfake": entry, "en": {**entry, "in_training": 0}}}
    gone = {"not_checked": "corpus x is gone", "languages": {"enfake": entry}}
    scores = {"enfake": [0.9], "en": [0.5]}
    made.transfer(laboratory, model, "pos-a", scores, task="pos", contamination=found)
    made.transfer(laboratory, model, "pos-b", scores, task="pos", contamination=gone)
    text = (run(ReportConfig(work=laboratory)).path / "report.html").read_text()
    assert "Test examples that also occur in the training data: enfake 20 of 500 (4.0%)." in text
    assert "not compared with the test sets: corpus x is gone [pos-b]." in text


def test_a_report_of_statistics_needs_no_numpy(corpus: Path, work: Path):
    import subprocess
    import sys

    code = (
        "import sys; from bbert.cli import main; code = main(['report', '--quiet']); "
        "heavy = {'torch', 'numpy', 'pyarrow'} & set(sys.modules); "
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
