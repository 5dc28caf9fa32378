"""The example reports that `make docs` puts into the site."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from bbert.cli import main

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "docs" / "build_examples.py"


@pytest.fixture(scope="module")
def examples():
    specification = importlib.util.spec_from_file_location("build_examples", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def check_site(site: Path, reports: tuple[str, ...]) -> None:
    """Every link of a report leads to something that is in the site; no weights are."""
    for name in reports:
        page = site / "reports" / name / "report.html"
        text = page.read_text(encoding="utf-8")
        outer = [link for link in re.findall(r'href="([^"]+)"', text) if link[0] not in "#d"]
        assert outer, name
        for link in outer:
            folder = page.parent / unquote(link)
            listing = (folder / "index.html").read_text(encoding="utf-8")
            files = re.findall(r'href="([^"]+)"', listing)
            assert "manifest.json" in files
            assert all((folder / file).is_file() for file in files)
    copied = [path for path in site.rglob("*") if path.is_file()]
    assert {path.suffix for path in copied} <= {
        ".html", ".json", ".jsonl", ".csv", ".yaml", ".tex", ".svg", ".pdf",
    }  # fmt: skip
    assert sum(path.stat().st_size for path in copied) < 10_000_000


def test_reports_and_the_measurements_they_lead_to_are_published(examples, tmp_path: Path):
    work, site = tmp_path / "work", tmp_path / "site"
    run = work / "corpora" / "c"
    (run / "text").mkdir(parents=True)
    (run / "text" / "en.txt").write_text("A sentence .\n")
    facts = {"documents": 1, "sentences": 1, "words": 3, "word_pieces": 3, "unk_rate": 0.0,
             "interventions": []}  # fmt: skip
    (run / "certificate.json").write_text(json.dumps({"languages": {"en": facts}, "pairs": {}}))
    (run / "manifest.json").write_text(json.dumps({"stage": "corpus", "finished": "2026"}))
    (run / "vocabulary.bin").write_bytes(bytes(10))
    (work / "corpora" / "other.partial").mkdir()
    for name in examples.REPORTS:
        assert main(["report", "c", "--name", name, "--work", str(work), "--quiet"]) == 0
    (site / "reports" / "of-before").mkdir(parents=True)
    examples.publish(work, site)
    check_site(site, examples.REPORTS)
    assert not (site / "reports" / "of-before").exists()
    assert not list(site.rglob("*.bin")) + list(site.rglob("*.txt"))
    assert not list(site.rglob("*.partial"))


@pytest.mark.slow
def test_the_script_of_make_docs_at_a_tiny_size(examples, tmp_path: Path):
    command = [sys.executable, str(SCRIPT), "--steps", "20", "--seeds", "1",
               "--work", str(tmp_path / "kept"), "--site", str(tmp_path / "site")]  # fmt: skip
    subprocess.run(command, check=True, cwd=tmp_path)
    check_site(tmp_path / "site", examples.REPORTS)
    everything = tmp_path / "site" / "reports" / "everything" / "report.html"
    text = everything.read_text(encoding="utf-8")
    for said in ("Zero-shot transfer", "CKA by layer", "Sentence translation by layer",
                 "Promises that the certificate holds", "Loss of "):  # fmt: skip
        assert said in text
    manifests = list((tmp_path / "kept").rglob("manifest.json"))
    before = {path: path.stat().st_mtime_ns for path in manifests}
    subprocess.run(command, check=True, cwd=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in manifests} == before
