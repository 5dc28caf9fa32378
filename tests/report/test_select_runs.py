"""Which runs a report is about, and what it says of those it cannot use."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bbert.errors import InputError
from bbert.report.config import ReportConfig
from bbert.report.page import provenance
from bbert.report.records import read_run
from bbert.report.run import run
from bbert.report.select_runs import (
    select_finished,
    select_runs,
    upstream,
    upstream_or_written,
)


def names(records) -> list[str]:
    return [record.name for record in records]


def test_all_runs_in_the_order_in_which_data_walks(laboratory: Path):
    records = select_runs(laboratory, ())
    assert names(records)[:2] == ["sample-enfake-en", "sample-enfake-en-depth3"]
    assert sorted(names(records)[2:]) == ["ner-dlfa", "ner-last", "ner-random"]


@pytest.mark.parametrize("as_path", [False, True])
def test_a_transfer_run_brings_its_model_and_corpus(laboratory: Path, as_path: bool):
    given = str(laboratory / "transfer" / "ner-last") if as_path else "ner-last"
    records = select_runs(laboratory, (given,))
    assert names(records) == ["sample-enfake-en", "sample-enfake-en-depth3", "ner-last"]
    assert upstream(records[2], records) is records[1]
    assert upstream(records[1], records) is records[0]
    assert upstream(records[0], records) is None


def test_a_moved_work_folder_keeps_its_links(laboratory: Path, tmp_path: Path):
    moved = tmp_path / "elsewhere"
    shutil.move(laboratory, moved)
    assert len(select_runs(moved, ("ner-dlfa",))) == 3


def test_a_probe_brings_the_runs_that_it_read(laboratory: Path, made):
    def probe(name: str, **manifest) -> list[str]:
        folder = made.probe(laboratory, name, [0.5])
        file = folder / "manifest.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | manifest))
        records = select_runs(laboratory, (name,))
        (record,) = (r for r in records if r.name == name)
        made_from = upstream_or_written(record, records)
        shown = provenance(record, records, laboratory / "reports" / "r").facts
        anchors = [anchor for what, _, anchor in shown if what == "made from"]
        assert anchors == ["" if isinstance(one, str) else one.anchor for one in made_from]
        return names(records)

    transfer, model = laboratory / "transfer", "sample-enfake-en-depth3"
    before = ["sample-enfake-en", model]
    assert probe("of-model", model=str(laboratory / "models" / model / "model-best")) == [
        *before, "of-model",
    ]  # fmt: skip
    tuned = str(transfer / "ner-last" / "model")
    assert probe("of-transfer", transfer=tuned) == [*before, "ner-last", "of-transfer"]
    beside = [{"path": f"{transfer}/ner-dlfa/model/config.json", "sha256": "ab" * 32}]
    of_both = probe("cka", model=str(laboratory / "models" / model / "model"), inputs=beside)
    assert sorted(of_both) == sorted([*before, "ner-dlfa", "cka"])
    runs = [str(transfer / name) for name in ("ner-dlfa", "ner-last", "removed")]
    read = [*runs[:2], str(laboratory / "probes" / "of-transfer")]
    inputs = [{"path": f"{run}/results.json", "sha256": "ab" * 32} for run in read]
    assert sorted(probe("gap", runs=runs, inputs=inputs)) == sorted(
        [*before, "ner-dlfa", "ner-last", "of-transfer", "gap"]
    )


def test_a_model_from_elsewhere_has_no_run(laboratory: Path):
    file = laboratory / "transfer" / "ner-last" / "manifest.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps({**manifest, "model": "bert-base-multilingual-cased"}))
    assert names(select_runs(laboratory, ("ner-last",))) == ["ner-last"]


def test_a_name_used_by_several_stages_means_all_of_them(laboratory: Path):
    (laboratory / "transfer" / "ner-last").rename(laboratory / "transfer" / "sample-enfake-en")
    assert names(select_runs(laboratory, ("sample-enfake-en",))) == [
        "sample-enfake-en",
        "sample-enfake-en-depth3",
        "sample-enfake-en",
    ]


def test_unusable_runs_are_rows_with_a_reason(laboratory: Path):
    (laboratory / "models" / "slow.partial").mkdir()
    (laboratory / "transfer" / "ner-dlfa" / "results.json").write_text('{"task": ')
    (laboratory / "transfer" / "ner-random" / "manifest.json").write_text("[]")
    problems = {r.name: r.problem for r in select_runs(laboratory, ()) if r.problem}
    assert set(problems) == {"slow.partial", "ner-dlfa", "ner-random"}
    assert "not complete" in problems["slow.partial"]
    assert "results.json: damaged JSON" in problems["ner-dlfa"]
    assert "expected a JSON object" in problems["ner-random"]


def test_hidden_and_foreign_folders_are_not_runs(laboratory: Path):
    (laboratory / "models" / ".old.replaced").mkdir()
    (laboratory / "models" / "notes").mkdir()
    assert all(record.problem is None for record in select_runs(laboratory, ()))


def damage(folder: Path, kind: str) -> None:
    file = folder / "results.json"
    results = json.loads(file.read_text())
    if kind == "no results":
        file.unlink()
        return
    if kind == "older schema":
        del results["seeds"]
    elif kind == "no score":
        results["languages"] = {}
    elif kind == "half a score":
        del results["languages"]["en"]["chance"]
    elif kind == "a number for a score":
        results["languages"]["en"] = 0.5
    elif kind == "a list of languages":
        results["languages"] = ["en"]
    file.write_text(json.dumps(results))


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("no results", "no such file"),
        ("older schema", "'seeds'"),
        ("no score", "holds no score"),
        ("half a score", "'en' has no 'chance'"),
        ("a number for a score", "'en' has no 'n'"),
        ("a list of languages", "'languages' is a list, not an object"),
    ],
)
def test_a_named_run_that_is_damaged_is_an_error(laboratory: Path, kind: str, named: str):
    damage(laboratory / "transfer" / "ner-last", kind)
    with pytest.raises(InputError, match=named) as error:
        select_runs(laboratory, ("ner-last",))
    assert "results.json" in str(error.value)
    assert len(str(error.value).splitlines()) <= 2


def test_a_certificate_or_a_probe_of_another_schema_is_a_row_with_a_reason(laboratory: Path, made):
    probe = made.probe(laboratory, "older", [0.5]) / "results.json"
    results = json.loads(probe.read_text())
    del results["measurements"]
    probe.write_text(json.dumps(results))
    certificate = laboratory / "corpora" / "sample-enfake-en" / "certificate.json"
    for pairs, said in (([], "'pairs' is a list, not an object"), ({"a-b": 0}, "nothing of a-b")):
        certificate.write_text(json.dumps({"languages": {}, "pairs": pairs}))
        problems = {r.name: r.problem or "" for r in select_runs(laboratory, ())}
        assert said in problems["sample-enfake-en"]
    assert "no 'measurements'" in problems["older"]
    assert run(ReportConfig(work=laboratory)).manifest["counts"]["empty"] == 2


def test_a_damaged_run_of_a_plan_does_not_keep_the_others_from_the_page(laboratory: Path):
    damage(laboratory / "transfer" / "ner-last", "no score")
    planned = ("ner-last", "ner-dlfa", "not-run")
    problems = {r.name: r.problem for r in select_finished(laboratory, planned, ())}
    assert problems["ner-dlfa"] is None
    assert "holds no score" in problems["ner-last"]
    assert "not-run" not in problems
    with pytest.raises(InputError, match="holds no score"):
        select_finished(laboratory, planned, ("ner-last",))


@pytest.mark.parametrize("line", ["{", "[1]", "\xff"])
def test_damaged_metrics_name_the_line(laboratory: Path, line: str):
    file = laboratory / "models" / "sample-enfake-en-depth3" / "metrics.jsonl"
    file.write_bytes(b'{"step": 1}\n' + line.encode("latin-1") + b"\n")
    with pytest.raises(InputError, match=r"metrics\.jsonl:?.*2"):
        read_run(file.parent)


def test_incomplete_unknown_and_foreign_names(laboratory: Path):
    (laboratory / "models" / "slow.partial").mkdir()
    with pytest.raises(InputError, match="not complete; run its command again"):
        select_runs(laboratory, ("slow",))
    replaced = laboratory / "transfer" / ".ner-last.replaced"  # of a --force that was killed
    shutil.copytree(laboratory / "transfer" / "ner-last", replaced)
    with pytest.raises(InputError, match=r"'nonsense'.*there: .*ner-dlfa") as error:
        select_runs(laboratory, ("nonsense",))
    assert "replaced" not in str(error.value)
    with pytest.raises(InputError, match=r"has no manifest\.json"):
        select_runs(laboratory, (str(laboratory),))
    report = laboratory / "reports" / "all"
    report.mkdir(parents=True)
    (report / "manifest.json").write_text('{"stage": "report"}')
    with pytest.raises(InputError, match="is a report run"):
        select_runs(laboratory, (str(report),))


def test_nothing_to_report(work: Path):
    with pytest.raises(InputError, match="bbert demo"):
        select_runs(work, ())
    (work / "corpora" / "a.partial").mkdir(parents=True)
    with pytest.raises(InputError, match="not complete"):
        select_runs(work, ())


def test_runs_of_one_name_from_two_work_folders(laboratory: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(laboratory, other)
    records = select_runs(laboratory, ("ner-last", str(other / "transfer" / "ner-last")))
    assert names(records).count("ner-last") == 2
    anchors = [record.anchor for record in records]
    assert len(set(anchors)) == len(anchors)
    assert len({upstream(r, records).path for r in records if r.name == "ner-last"}) == 1
