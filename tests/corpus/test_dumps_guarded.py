"""Articles that wikiextractor cannot end are left out, and none of its processes stays behind."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dump_files import dump, extract, page, write

from bbert.corpus import dumps as dumps_module
from bbert.corpus.guarded_process import guarded_process
from bbert.errors import RunFailed


@pytest.fixture(autouse=True)
def ordinary_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's output to a pipe is buffered, as it is for a user."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


LOOPS = {
    "itself": {"Loop": "round {{Loop}} and {{Loop}}"},
    "each other": {"Loop": "a {{Other}} {{Other}}", "Other": "b {{Loop}} {{Loop}}"},
    "itself, otherwise": {"Loop": "{{Loop|{{{1}}}a}} {{Loop|{{{1}}}b}}"},
    "each other, otherwise": {
        "Loop": "{{Other|{{{1}}}a}} {{Other|{{{1}}}b}}",
        "Other": "{{Loop|{{{1}}}c}} {{Loop|{{{1}}}d}}",
    },
}


@pytest.mark.parametrize("loop", LOOPS)
def test_templates_that_include_each_other_come_to_an_end(
    tmp_path: Path, monkeypatch, caplog, loop: str
):
    """wikiextractor itself stops where the arguments repeat; where they do not, we do."""
    monkeypatch.setattr("bbert.corpus.guarded_process.SECONDS_WITHOUT_LINE", 3.0)
    pages = [
        page(f"Template:{name}", text, namespace="10", number=number)
        for number, (name, text) in enumerate(LOOPS[loop].items(), 50)
    ]
    pages += [page(title, f"About {title}.", number=i) for i, title in enumerate("AB")]
    pages.insert(-1, page("L", "Text. {{Loop|x}} ends.", number=9))
    documents, counts = extract(write(tmp_path, dump(pages)), processes=2)
    if "otherwise" in loop:  # that of article 1 is not lost with the program that is ended
        assert documents == [["About A."], ["About B."]]
        assert counts["failed_articles"] == 1
        assert "article 2 is left out: wikiextractor not done after 3 s" in caplog.text
        assert "could not read 1 of 3 articles" in caplog.text
    else:
        first, [between], last = documents
        assert (first, last) == (["About A."], ["About B."])
        words = between.split()
        assert (words[0], words[-1]) == ("Text.", "ends.")
        assert set(words[1:-1]) == ({"round", "and"} if loop == "itself" else {"a", "b"})
        assert counts["unexpanded_templates"] > 1
        assert counts["failed_articles"] == 0


def test_an_article_that_swells_is_left_out(tmp_path: Path, monkeypatch, caplog):
    monkeypatch.setattr("bbert.corpus.guarded_process.MAX_LINE_BYTES", 100_000)
    ten = "{{{1}}}" * 10
    template = page("Template:Ten", ten, namespace="10", number=9)
    bomb = "{{Ten|" * 6 + "x" + "}}" * 6
    pages = [template, page("A", "Before."), page("B", bomb), page("C", "After.")]
    documents, counts = extract(write(tmp_path, dump(pages)))
    assert documents == [["Before."], ["After."]]
    assert counts["failed_articles"] == 1
    assert "article 2 is left out: wikiextractor more than 0 MB of text" in caplog.text


def test_a_wikiextractor_that_never_works_is_an_error(tmp_path: Path, monkeypatch):
    def command(articles: Path, templates: Path | None, processes: int) -> list[str]:
        return ["sh", "-c", "echo broken installation >&2; exit 1"]

    monkeypatch.setattr(dumps_module, "_command", command)
    pages = [page(f"A {i}", "text", number=i) for i in range(9)]
    with pytest.raises(RunFailed, match=r"dump\.xml: .*any article: broken installation"):
        extract(write(tmp_path, dump(pages)))


FAKE_EXTRACTOR = """
import gzip, json, re, sys, time
for page in re.findall("<page>.*?</page>", gzip.open(sys.argv[1], "rt").read(), re.S):
    if "POISON" in page:
        print("Traceback (most recent call last)\\nValueError: poison", file=sys.stderr, flush=True)
        time.sleep(100)
    print(json.dumps({"text": re.search("<title>(.*)</title>", page)[1]}))
"""


def test_a_page_that_stops_wikiextractor_is_left_out(tmp_path: Path, monkeypatch, caplog):
    """Stood in for by a program that hangs after an exception, as wikiextractor does."""
    program = tmp_path / "program.py"
    program.write_text(FAKE_EXTRACTOR)

    def command(articles: Path, templates: Path | None, processes: int) -> list[str]:
        return [*dumps_module._PYTHON, str(program), str(articles)]

    monkeypatch.setattr(dumps_module, "_command", command)
    monkeypatch.setattr("bbert.corpus.guarded_process._SECONDS_AFTER_TRACEBACK", 0.2)
    titles = ["a", "b", "POISON", "c", "POISON", "d"]
    path = write(tmp_path, dump([page(title, "text", number=i) for i, title in enumerate(titles)]))
    documents, counts = extract(path, processes=2)
    assert documents == [["a"], ["b"], ["c"], ["d"]]
    assert counts["failed_articles"] == 2
    assert re.findall(r"article (\d) is left out", caplog.text) == ["3", "5"]
    assert "article 3 is left out: wikiextractor cannot read it: ValueError: poison" in caplog.text


def test_a_line_that_a_killed_program_began_is_none():
    script = "echo one; printf tw; kill -s KILL $$"
    with guarded_process(["sh", "-c", script]) as program:
        assert list(program) == [b"one\n"]


def test_a_silent_program_is_ended(monkeypatch):
    monkeypatch.setattr("bbert.corpus.guarded_process.SECONDS_WITHOUT_LINE", 0.3)
    started = time.monotonic()
    with guarded_process(["sh", "-c", "echo one; sleep 60"]) as program:
        assert list(program) == [b"one\n"]
    assert time.monotonic() - started < 20


def test_a_program_does_not_outlive_its_caller(tmp_path: Path):
    marker = tmp_path / "pid"
    script = (
        "import os, signal\n"
        "from bbert.corpus.guarded_process import guarded_process\n"
        f"with guarded_process(['sh', '-c', 'echo $$ > {marker}; echo x; sleep 60']) as program:\n"
        "    next(iter(program))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], timeout=60)
    pid = int(marker.read_text())
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/stat").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    assert time.monotonic() < deadline
