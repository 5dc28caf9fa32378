"""The page in a real browser: no console message, no request, tables that can be read."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bbert.report.config import ReportConfig
from bbert.report.run import run

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--enable-logging=stderr",
         "--virtual-time-budget=1000"]  # fmt: skip


@pytest.fixture
def page(laboratory: Path) -> Path:
    return run(ReportConfig(work=laboratory)).path / "report.html"


def opened(page: Path, fragment: str, profile: Path) -> subprocess.CompletedProcess[str]:
    command = [
        BROWSER,
        *FLAGS,
        f"--user-data-dir={profile}",
        "--dump-dom",
        f"file://{page}{fragment}",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH")
def test_a_score_leads_to_its_run(page: Path, tmp_path: Path):
    done = opened(page, "#run-transfer-ner-dlfa", tmp_path / "profile")
    assert "CONSOLE" not in done.stderr
    dom = done.stdout
    cell = re.search(r'<a href="#(run-transfer-ner-dlfa)">85\.3 ± 5\.5</a>', dom)
    assert cell, "the score of dlfa on en"
    opened_entries = re.findall(r'<details open="">.*?</details>', dom, re.DOTALL)
    assert len(opened_entries) == 1
    assert f'id="{cell.group(1)}"' in opened_entries[0]
