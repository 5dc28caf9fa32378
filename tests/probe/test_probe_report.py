"""The probes on the page: values, floors, reasons, figures, and runs that cannot be used."""

from __future__ import annotations

import csv
import io
import json
from xml.etree import ElementTree

import pytest
from finished_runs import write_probe, write_transfer
from rich.console import Console

from bbert.probe.config import CkaConfig, RetrievalConfig
from bbert.probe.run import run
from bbert.probe.runs_config import GapConfig, PortraitConfig, TypologyConfig
from bbert.probe.summary import summary
from bbert.report.chart import PointSet, ScatterChart
from bbert.report.config import ReportConfig
from bbert.report.run import run as write_report
from bbert.report.run import tables_of
from bbert.report.svg import draw
from bbert.run_directory import RunDirectory


def test_layers_stand_with_floor_and_interval_and_an_empty_cell_says_why(work):
    write_probe(work, "similar", values={
        ("tiny", None, "en", "es"): [0.25, None, 0.75],
        ("tiny", "tuned", "en", "es"): [0.3, 0.4, 0.5],
    })  # fmt: skip
    path = work / "probes" / "similar" / "results.json"
    content = json.loads(path.read_text())
    content["measurements"][0]["layers"][1]["reason"] = "the vectors hold NaN"
    path.write_text(json.dumps(content))
    report = write_report(ReportConfig())
    page = (report.path / "report.html").read_text()
    assert "0.750 [0.650, 0.850]" in page
    assert "–: the vectors hold NaN" in page
    assert 'class="figure"' in page
    with (report.path / "tables" / "probes.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["value"] for row in rows] == ["0.25", "", "0.75", "0.3", "0.4", "0.5"]
    assert rows[1]["reason"] == "the vectors hold NaN"
    drawing = next((report.path / "figures").glob("figure-probe-*.svg")).read_text()
    ElementTree.fromstring(drawing)


def test_several_models_of_several_pairs_have_a_figure_and_a_table_for_every_pair(work):
    """As in Muller et al. 2021, figures 5 to 8: a panel for every target language."""
    models = (("tiny", None), ("ner", "ner"), ("ner-random1-2", "ner-random1-2"))
    write_probe(work, "similar", values={
        (model, transfer, "en", target): [0.1 * i, 0.5, 0.25 if target == "es" else 0.75]
        for i, (model, transfer) in enumerate(models)
        for target in ("es", "hi")
    })  # fmt: skip
    report = write_report(ReportConfig())
    tables = {t.identifier: t for t in tables_of(report)}
    assert {"probe-layers-1-1", "probe-layers-1-2"} <= tables.keys()
    table = tables["probe-layers-1-2"]
    assert table.caption == "CKA by layer (debiased): tiny, en–hi"
    assert [column.header for column in table.columns] == [
        "Layer", "pretrained", "floor pretrained", "ner", "floor ner", "ner-random1-2",
        "floor ner-random1-2",
    ]  # fmt: skip
    assert [cell.value for cell in table.rows[2]][1::2] == [0.75, 0.75, 0.75]
    means = tables["probe-means-1"]
    assert means.caption.endswith("tiny, mean over 2 pairs of languages")
    assert [cell.value for cell in means.rows[2]] == [2, *(0.5, 0.0) * 3]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(summary(RunDirectory(work / "probes" / "similar")))
    shown = console.export_text()
    assert shown.count("0.750") == 3
    assert "…" not in shown
    for number in (1, 2):
        drawing = (report.path / "figures" / f"figure-probe-1-{number}.svg").read_text()
        lines = drawing.split("<polyline")[1:]
        assert len(lines) == 4
        assert "shuffled pairs" in lines[3]


def test_measures_of_the_embedding_table_are_rows_below_the_layers(work):
    values = {("tiny", None, "en", "es"): [0.25, 0.5], ("tiny", None, "en", "hi"): [0.1, 0.2]}
    path = write_probe(work, "words", "translation", values=values) / "results.json"
    content = json.loads(path.read_text())
    table = {**content["measurements"][1], "measure": "in the embedding table: l2, both directions"}
    table["layers"] = [{**table["layers"][0], "value": 0.125, "low": None, "floor": -1e-5}]
    content["measurements"].append(table)
    path.write_text(json.dumps(content))
    report = write_report(ReportConfig())
    (found,) = [t for t in tables_of(report) if t.identifier.startswith("probe-layers-")]
    assert [cell.text for cell in found.rows[-1]] == [
        "embedding table: l2", "–", "–", "0.125", "0.000",
    ]  # fmt: skip


def test_every_probe_has_its_place_on_the_page(work, tiny_run, english, tmp_path):
    pair = (f"en={english}", f"enfake={english}")
    run(CkaConfig(parallel=pair))
    run(RetrievalConfig(parallel=pair))
    scores = {"enfake": 0.9, "en": 0.8, "es": 0.5, "hi": 0.4, "ru": 0.3}
    write_transfer(work, "last", scores=scores, train_language="enfake")
    write_transfer(work, "dlfa", scores=scores, train_language="enfake", fusion="dlfa",
                   fusion_layer=2)  # fmt: skip
    run(GapConfig())
    portrait = run(PortraitConfig())
    wals = tmp_path / "wals.csv"
    wals.write_text("wals_code,iso639_3,language,feature,feature_name,value,value_name\n"
                    "eng,eng,English,81A,o,2,SVO\nhin,hin,Hindi,81A,o,1,SOV\n"
                    "rus,rus,Russian,81A,o,2,SVO\n")  # fmt: skip
    run(TypologyConfig(wals=wals, features=("81A",)))
    report = write_report(ReportConfig())
    page = (report.path / "report.html").read_text()
    for said in (
        "Layers of tiny, enfake → en",
        "CKA by layer (debiased): tiny",
        "Sentence translation by layer",
        "cross-lingual gap of pos",
        "SVO → SOV",
        "best layer: 2",
        "no run: `bbert finetune --task pos --fusion last --random-init",
    ):
        assert said in page, said  # fmt: skip
    assert "7 probes" not in page
    assert "5 probes" in page
    named = write_report(ReportConfig(runs=(portrait.name,)))
    assert "tiny" in (named.path / "report.md").read_text()


def test_probe_runs_that_cannot_be_used_say_so(work):
    write_probe(work, "good", values={("tiny", None, "en", "es"): [0.5, 0.6]})
    old = write_probe(work, "old", values={("tiny", None, "en", "es"): [0.5, 0.6]})
    (old / "results.json").write_text(json.dumps({"probe": "cka"}))
    (work / "probes" / "half.partial").mkdir()
    page = (write_report(ReportConfig()).path / "report.md").read_text()
    assert "made by another version" in page
    assert "not complete" in page


def test_points_of_several_kinds_have_marks_of_their_own():
    sets = (PointSet("a", ((0.1, 3.0), (0.2, 5.0))), PointSet("b", ((0.4, 1.0),)))
    drawing = draw(ScatterChart("f", "t", "d", "x", "y", sets), standalone=True)
    root = ElementTree.fromstring(drawing)
    titles = [e.text for e in root.iter("{http://www.w3.org/2000/svg}title")]
    assert {"a: 0.1, 3", "a: 0.2, 5", "b: 0.4, 1"} <= set(titles)
    marks = {e.get("d") for e in root.iter("{http://www.w3.org/2000/svg}path")
             if "line" in str(e.get("class"))}  # fmt: skip
    assert len(marks) == 2


@pytest.mark.parametrize("values", [[None, None], [0.5, 0.5]])
def test_a_probe_with_nothing_to_draw_is_a_table_alone(work, values):
    write_probe(work, "flat", values={("tiny", None, "en", "es"): values})
    path = work / "probes" / "flat" / "results.json"
    content = json.loads(path.read_text())
    for layer in content["measurements"][0]["layers"]:
        layer["floor"] = None
    path.write_text(json.dumps(content))
    report = write_report(ReportConfig())
    assert bool(list((report.path / "figures").glob("*.svg"))) == (values[0] is not None)
