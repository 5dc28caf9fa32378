"""`bbert report` from run directories to files: what it writes, when it writes, what it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
import resource
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from bbert.errors import InputError
from bbert.report.config import ReportConfig
from bbert.report.run import default_name, run, tables_of
from bbert.report.summary import summary
from bbert.run_directory import RunDirectory
from bbert.stage_config import DryRun


class Page(HTMLParser):
    """The page's structure: balanced tags, identifiers, links, tables as lists of rows."""

    VOID = frozenset({"meta", "link", "br", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.identifiers: list[str] = []
        self.links: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.captions = self.scoped = 0
        self.row: list[str] | None = None
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if "id" in attributes:
            self.identifiers.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag == "table":
            self.current = self.tables.setdefault(attributes["id"], [])
        if tag == "tr":
            self.current.append([])
        if tag in ("th", "td"):
            self.current[-1].append("")
        self.captions += tag == "caption"
        if tag == "th":
            assert attributes["scope"] in ("row", "col")

    def handle_startendtag(self, tag, attrs):
        if "id" in dict(attrs):
            self.identifiers.append(dict(attrs)["id"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"th", "td"} & set(self.open):
            self.current[-1][-1] += data


def report(work: Path, *runs: str, **options) -> RunDirectory:
    done = run(ReportConfig(work=work, runs=runs, **options))
    assert isinstance(done, RunDirectory)
    return done


@pytest.fixture
def page_text(laboratory: Path) -> str:
    return (report(laboratory).path / "report.html").read_text(encoding="utf-8")


def test_the_page_shows_the_measured_scores(page_text: str):
    rows = Page(page_text).tables["transfer-1"]
    header, last, dlfa, floor, chance, amount = rows
    assert header[:6] == ["Fusion", "enfake", "en", "Seeds", "gap en", "Model"]
    assert last[:5] == ["last", "97.0 ± 1.0", "80.3 ± 10.0", "3", "16.7"]
    assert dlfa[0] == "dlfa (layer 2, gate paper, pool masked)"
    assert floor[0] == "last, random encoder (init bert)"
    assert chance[1:3] == ["3.1", "3.1"]
    assert amount[1:3] == ["500", "500"]


def test_the_page_is_one_file_that_asks_for_nothing(page_text: str):
    assert len(page_text.encode()) < 2_000_000
    for element in ("<script", "<img", "<iframe", "@import", "@font-face", 'http-equiv="refresh'):
        assert element not in page_text
    assert not re.findall(r"""(?:href|src)=["']?(?:https?:)?//""", page_text)
    assert not re.findall(r"url\((?!#)", page_text)
    assert "default-src 'none'" in page_text


def test_every_link_on_the_page_has_its_entry(page_text: str):
    page = Page(page_text)
    inner = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inner) <= set(page.identifiers)
    assert len(page.identifiers) == len(set(page.identifiers))
    assert page.captions == len(page.tables) >= 6
    assert any(link.startswith("run-transfer-") for link in inner)


def test_outer_links_lead_to_the_run_folders(laboratory: Path):
    folder = report(laboratory).path
    links = [link for link in Page((folder / "report.html").read_text()).links if link[0] != "#"]
    assert len(links) == 5
    assert all((folder / link / "manifest.json").is_file() for link in links)


def test_provenance_is_on_the_page_and_in_markdown(laboratory: Path):
    folder = report(laboratory).path
    manifest = json.loads((laboratory / "transfer/ner-last/manifest.json").read_text())
    for file in ("report.html", "report.md"):
        text = (folder / file).read_text()
        assert manifest["config_hash"] in text
        assert manifest["git_revision"] in text
        assert "torch 2.13.0" in text


def test_every_score_is_in_the_tidy_table(laboratory: Path):
    folder = report(laboratory).path
    with (folder / "tables" / "transfer.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 6
    results = json.loads((laboratory / "transfer/ner-dlfa/results.json").read_text())
    row = next(r for r in rows if r["run"] == "ner-dlfa" and r["language"] == "en")
    assert [float(v) for v in row["values"].split()] == results["languages"]["en"]["values"]
    assert float(row["mean"]) == results["languages"]["en"]["mean"]
    assert float(row["cross_lingual_gap"]) == results["cross_lingual_gap"]["en"]
    assert row["corpus"] == "sample-enfake-en"
    wide = (folder / "tables" / "transfer-1.csv").read_text().splitlines()[0].split(",")
    assert wide[1:5] == ["enfake", "enfake std", "en", "en std"]


def test_the_certificate_is_on_the_page(page_text: str):
    tables = Page(page_text).tables
    assert tables["corpora"][1][2:] == [
        "4,000", "60,000", "411,234", "433,001", "0.000 %", "fake (corrected)",
    ]  # fmt: skip
    assert tables["certificates"][1][1:] == ["enfake-en", "0", "0", "100.0 %", "–"]
    assert tables["counts"][1][1:] == ["enfake", "select", "read 4,100, kept 4,000"]
    assert len(tables["counts"]) == 5
    assert tables["promises"][1][1] == "enfake-en have 0 shared characters (0 promised)"


def test_losses_and_perplexities_are_on_the_page(page_text: str):
    tables = Page(page_text).tables
    assert tables["perplexity"][0] == ["Model", "enfake", "en"]
    assert float(tables["perplexity"][1][1]) == pytest.approx(2.99, abs=0.02)
    assert [row[1:] for row in tables["perplexity"] if "unigrams" in row[0]] == [["71.50", "70.25"]]
    assert tables["models"][1][3:8] == ["MLM + language ids", "3", "4", "64", "163,456"]
    assert "loss, nats" in page_text


def test_markdown_links_its_figures(laboratory: Path):
    folder = report(laboratory).path
    figures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", (folder / "report.md").read_text())
    assert len(figures) == 3
    assert all((folder / figure).is_file() for figure in figures)


def test_the_same_runs_give_the_same_bytes(laboratory: Path):
    first = (report(laboratory).path / "report.html").read_bytes()
    assert (report(laboratory, force=True).path / "report.html").read_bytes() == first


def test_up_to_date_until_a_run_changes(laboratory: Path, made):
    first = report(laboratory).manifest["finished"]
    assert report(laboratory).manifest["finished"] == first
    model = laboratory / "models" / "sample-enfake-en-depth3"
    made.transfer(laboratory, model, "pos", {"enfake": [0.9], "en": [0.5]}, task="pos")
    again = report(laboratory)
    assert again.manifest["finished"] > first
    assert again.manifest["counts"]["runs"] == 6


def test_a_page_of_another_version_is_written_anew(
    laboratory: Path, monkeypatch: pytest.MonkeyPatch
):
    first = report(laboratory, "ner-last", name="mine").manifest["finished"]
    monkeypatch.setattr("bbert.report.run.__version__", "0.0.1")
    assert report(laboratory, "ner-last", name="mine").manifest["finished"] > first
    with pytest.raises(InputError, match="--runs"):
        report(laboratory, "ner-dlfa", name="mine")


def test_a_run_with_another_name_is_shown_with_it(laboratory: Path):
    report(laboratory)
    (laboratory / "transfer" / "ner-last").rename(laboratory / "transfer" / "renamed#1%20")
    folder = report(laboratory).path
    page = (folder / "report.html").read_text()
    assert "transfer/renamed#1%20<" in page
    assert "transfer/ner-last" not in page
    (link,) = [link for link in Page(page).links if "renamed" in link and link[0] != "#"]
    assert (folder / unquote(link) / "manifest.json").is_file()
    assert "#" not in link, "what follows would not be part of the path"


def test_another_choice_of_runs_under_the_same_name_is_refused(laboratory: Path):
    report(laboratory, "ner-last", name="mine")
    with pytest.raises(InputError, match="--runs"):
        report(laboratory, "ner-dlfa", name="mine")
    assert report(laboratory, "ner-dlfa", name="mine", force=True).manifest["counts"]["runs"] == 3


def test_unusable_runs_are_listed_with_their_reason(laboratory: Path):
    (laboratory / "transfer" / "ner-last" / "results.json").write_text("{}")
    (laboratory / "models" / "slow.partial").mkdir()
    folder = report(laboratory).path
    rows = Page((folder / "report.html").read_text()).tables["runs"]
    states = {row[0]: row[-1] for row in rows[1:]}
    assert "no 'task'" in states["ner-last"]
    assert "not complete" in states["slow.partial"]
    assert states["ner-dlfa"] == "complete"


def test_hostile_names_and_values_are_shown_as_text(work: Path, made):
    corpus = made.corpus(work)
    model = made.model(work, corpus)
    name = "<script>alert(1)<|script> & `x`|"
    made.transfer(work, model, name, {"<b>en": [float("nan"), 0.5], "es": [0.1, 0.2]})
    folder = report(work).path
    text = (folder / "report.html").read_text()
    assert "<script" not in text
    assert "<b>en" not in text
    Page(text)


def test_one_seed_has_no_deviation(work: Path, made):
    model = made.model(work, made.corpus(work))
    made.transfer(work, model, "one", {"enfake": [0.9], "en": [0.5]})
    rows = Page((report(work).path / "report.html").read_text()).tables["transfer-1"]
    assert rows[1][1:4] == ["90.0", "50.0", "1"]


def test_runs_that_differ_in_other_settings_say_so(laboratory: Path):
    file = laboratory / "transfer" / "ner-last" / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["config"]["learning_rate"] = 5e-5
    file.write_text(json.dumps(manifest))
    header, *rows = Page((report(laboratory).path / "report.html").read_text()).tables["transfer-1"]
    column = header.index("Other settings")
    assert rows[0][column] == "learning-rate 5e-05"
    assert rows[1][column] == "learning-rate 0.001"


def test_a_corpus_alone_and_a_model_without_measurements(work: Path, made):
    corpus = made.corpus(work)
    tables = {table.identifier for table in tables_of(report(work, name="corpus"))}
    assert tables == {"corpora", "certificates", "promises", "counts", "runs"}
    model = made.model(work, corpus)
    (model / "metrics.jsonl").write_text("")
    assert "models" in {table.identifier for table in tables_of(report(work, name="model"))}


OPENED = """
import json, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from bbert.cli import main
code = main(["report", "--quiet", "--work", sys.argv[1]])
assert code == 0
open(sys.argv[2], "w").write(json.dumps(opened))
"""
"""Runs `bbert report` and writes down every file that it opened."""


def test_hundreds_of_runs_are_read_in_seconds_and_no_model_with_them(
    work: Path, made, tmp_path: Path
):
    runs = made.many(work, 150)
    for run_folder in runs:
        (run_folder / "model").mkdir()
        (run_folder / "model" / "model.safetensors").write_bytes(b"no weights")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command = [sys.executable, "-c", OPENED, str(work), str(tmp_path / "opened")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 20  # 1 or 2 here
    opened = [Path(path) for path in json.loads((tmp_path / "opened").read_text())]
    read = {path.name for path in opened if path.parent in runs}
    assert read == {"manifest.json", "certificate.json", "metrics.jsonl", "results.json"}
    assert not [path for path in opened if path.name == "model.safetensors"]
    page = work / "reports" / "all" / "report.html"
    assert page.stat().st_size < 2_000_000
    assert "more figures are files" in page.read_text()
    rows = Page(page.read_text()).tables["runs"]
    assert len(rows) == 1 + len(runs) == 151


def test_a_page_that_grows_too_large_leaves_configurations_to_the_manifests(
    laboratory: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = (report(laboratory).path / "report.html").read_text()
    monkeypatch.setattr("bbert.report.run.MOST_PAGE_BYTES", len(whole) - 1)
    small = (report(laboratory, name="small").path / "report.html").read_text()
    assert len(small) < len(whole)
    assert "learning_rate: 0.001" in whole
    assert "learning_rate: 0.001" not in small
    assert "see manifest.json in the folder" in small
    assert Page(small).tables == Page(whole).tables


def test_dry_run_writes_nothing(laboratory: Path):
    planned = run(ReportConfig(work=laboratory, dry_run=True))
    assert isinstance(planned, DryRun)
    assert not (laboratory / "reports").exists()


def test_names():
    assert default_name(()) == "all"
    assert default_name(("a", "somewhere/b")) == "a+b"
    many = [default_name(tuple(f"run-{i}" for i in range(n))) for n in (50, 51)]
    assert many[0] != many[1]
    assert max(map(len, many)) <= 80


def test_the_terminal_shows_scores_and_the_page(laboratory: Path):
    from rich.console import Console

    console = Console(width=300, record=True, file=io.StringIO())
    console.print(summary(report(laboratory)))
    text = console.export_text()
    assert "85.3 ± 5.5" in text
    assert "report.html" in text


def test_a_report_needs_no_torch(laboratory: Path):
    code = (
        "import sys; from bbert.cli import main; code = main(['report', '--quiet']); "
        "heavy = {'torch', 'transformers', 'numpy', 'datasets', 'deepspeed'} & set(sys.modules); "
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_figures_of_many_languages_say_which_they_leave_out(laboratory: Path):
    file = laboratory / "models" / "sample-enfake-en-depth3" / "metrics.jsonl"
    names = [f"l{number}" for number in range(10)]
    rows = [
        {"step": step, "tokens_per_second": rate, **{f"loss/{name}": 3.0 for name in names},
         **{f"validation_perplexity/{name}": 9.0 for name in names}}
        for step, rate in ((1, 100.0), (2, 200.0))
    ]  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = (report(laboratory).path / "report.html").read_text()
    assert text.count("Not drawn, for lack of colours: l8, l9.") == 2 * 2  # in the figure, below it
    assert Page(text).tables["models"][1][10] == "150"  # the median of two rates


def test_names_are_no_markup_in_markdown(laboratory: Path):
    (laboratory / "transfer" / "ner-last").rename(laboratory / "transfer" / "<b>_x_ [1]")
    text = (report(laboratory).path / "report.md").read_text()
    assert "### transfer \\<b\\>\\_x\\_ \\[1\\]\n" in text
