"""The sample's dumps: pages as a wiki has them, read by the real wikiextractor, not parallel."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sample_files import LANGUAGES, dump_sentences, dump_text

from bbert.sample import write


@pytest.mark.parametrize("language", LANGUAGES)
def test_dump_is_what_wikiextractor_reads(sample: Path, language: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("wikiextractor") is None:
        pytest.skip("wikiextractor is not installed")
    dump = tmp_path / "dump.xml"
    dump.write_text(dump_text(sample, language), encoding="utf-8")
    command = [sys.executable, "-m", "wikiextractor.WikiExtractor", "--json", "--quiet"]
    output = ["--processes", "1", "--output", str(tmp_path / "out"), str(dump)]
    subprocess.run([*command, *output], check=True, capture_output=True, timeout=120)
    lines = [
        json.loads(line)
        for path in sorted((tmp_path / "out").rglob("wiki_*"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    record = json.loads((sample / write.RECORD).read_text())["counts"]["wiki"][language]
    assert len(lines) == record["articles"]
    stop = "।" if language == "hi" else "."
    paragraphs = [p for line in lines for p in line["text"].split("\n") if " " in p.strip()]
    assert all(paragraph.endswith(stop) for paragraph in paragraphs)
    text = "\n".join(paragraphs)
    assert not set("[]{}|<>=&'") & set(text)
    assert text.count(stop) == record["sentences"]
    extracted = {
        s.strip() + stop for p in paragraphs for s in p.replace("\u00a0", " ").split(stop) if s
    }
    assert extracted == dump_sentences(sample, language)


def test_dump_has_the_pages_of_a_wiki(sample: Path) -> None:
    for language in LANGUAGES:
        text = dump_text(sample, language)
        for mark in ("<redirect title=", "<ns>10</ns>", "<ns>1</ns>", "&lt;ref&gt;", "&lt;!--"):
            assert mark in text
        assert "&amp;nbsp;" in text
        assert "'''" in text
        assert "wikitable" in text
        titles = re.findall("<title>(.*?)</title>", text)
        assert len(set(titles)) == len(titles)


def test_dumps_are_not_parallel(sample: Path) -> None:
    """Articles of the same number are of different topics: no language follows another."""
    places = []
    for language, city in (("en", "London"), ("es", "Londres")):
        titles = re.findall(r"<title>(.*?)</title>", dump_text(sample, language))
        places.append({i for i, title in enumerate(titles) if title.startswith(f"{city} (")})
    english, spanish = places
    assert min(len(english), len(spanish)) > 30
    assert len(english & spanish) < 0.5 * len(spanish)
