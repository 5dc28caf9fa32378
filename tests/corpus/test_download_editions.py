"""Editions to download: the files that one has, their checksums, what is listed or not there."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from dump_server import CONTENT, DumpServer, fetch, here

from bbert import cli
from bbert.corpus.download_editions import OTHER_NAMES, edition, wiki_of
from bbert.errors import InputError
from bbert.languages import KNOWN_CODES


def test_an_edition_in_parts(server: DumpServer, work: Path):
    parts = {f"{n}.xml-p{n}00p{n}99.bz2": CONTENT[: n * 1000] for n in (10, 2, 1)}
    whole = {"status": "waiting", "files": {}}
    server.add_edition("enwiki", "20261101", parts, articlesdumprecombine=whole)
    shown = fetch(server, work, "enfake", "en", "es")
    files = sorted((work / "dumps" / "enwiki-20261101").glob("*.bz2"))
    assert [len(f.read_bytes()) for f in files] == [1000, 10_000, 2000]
    command = shlex.split(shown.partition("build a corpus: ")[2])
    assert command[4:7] == ["enfake", "en", "es"]
    assert f"en={work}/dumps/enwiki-20261101/*.bz2" in command
    assert [f.name for f in edition(server.url, "enwiki", "20261101").files] == [
        f"enwiki-20261101-pages-articles{n}.xml-p{n}00p{n}99.bz2" for n in (1, 2, 10)
    ]


def test_the_first_parts_only(server: DumpServer, work: Path):
    parts = {f"{n}.xml-p{n}p{n}.bz2": bytes(n) for n in (1, 2, 3)}
    server.add_edition("enwiki", "20261101", parts)
    folder = work / "dumps" / "enwiki-20261101"
    fetch(server, work, "en", parts=2)
    assert len(list(folder.glob("*.bz2"))) == 2
    fetch(server, work, "en")
    assert len(list(folder.glob("*.bz2"))) == 3


def test_the_recombined_file_where_parts_are_gone(server: DumpServer, work: Path):
    server.add_edition("itwiki", "20261101", {".xml.bz2": b"all"}, job="articlesdumprecombine")
    fetch(server, work, "it")
    path = here(work, "itwiki-20261101", "itwiki-20261101-pages-articles.xml.bz2")
    assert path.read_bytes() == b"all"


def test_a_mirror_with_checksums_only(server: DumpServer, work: Path):
    del server.files["/eswiki/20261101/dumpstatus.json"]
    del server.files["/eswiki/20261101/eswiki-20261101-sha1sums.txt"]
    assert "verified by md5" in fetch(server, work)
    assert here(work).read_bytes() == CONTENT


def test_dumpstatus_without_checksums_takes_those_of_the_list(server: DumpServer, work: Path):
    path = "/eswiki/20261101/dumpstatus.json"
    status = json.loads(server.files[path])
    for entry in status["jobs"]["articlesdump"]["files"].values():
        del entry["sha1"], entry["md5"]
    server.files[path] = json.dumps(status).encode()
    assert "verified by sha1" in fetch(server, work)


def test_names_that_lead_elsewhere_are_left_out(server: DumpServer, work: Path):
    server.add_edition("eswiki", "20261120", {".xml.bz2": b"good"})
    path = "/eswiki/20261120/dumpstatus.json"
    status = json.loads(server.files[path])
    files = status["jobs"]["articlesdump"]["files"]
    for name in ("../../../evil", "/etc/evil", "eswiki-20261120-pages-articles-multistream.xml.bz2",
                 "eswiki-20261120-pages-articles/../x.xml.bz2"):  # fmt: skip
        files[name] = {"size": 1, "sha1": "0" * 40}
    server.files[path] = json.dumps(status).encode()
    assert [f.name for f in edition(server.url, "eswiki", "20261120").files] == [
        "eswiki-20261120-pages-articles.xml.bz2"
    ]


@pytest.mark.parametrize(
    ("languages", "options", "expected"),
    [
        (("it",), {}, "/itwiki/: there is no such wiki"),
        (("es",), {"date": "20250101"}, "no eswiki of 20250101; it has 20261120, 20261101"),
        (("es",), {"date": "2026-11-20"}, "not complete: in-progress"),
        (("es",), {"wiki": "eswikinews"}, "/eswikinews/: there is no such wiki"),
    ],
)
def test_what_is_not_there(server: DumpServer, work: Path, languages, options, expected):
    server.add_edition("eswiki", "20261120", {".xml.bz2": b""}, status="in-progress")
    with pytest.raises(InputError, match=expected):
        fetch(server, work, *languages, **options)
    assert not (work / "dumps").exists()


def test_no_edition_is_complete(server: DumpServer, work: Path):
    server.add_edition("itwiki", "20261101", {".xml.bz2": b""}, status="waiting")
    with pytest.raises(InputError, match="no edition is complete"):
        fetch(server, work, "it")


def test_a_page_that_is_no_list_of_files(server: DumpServer, work: Path):
    server.files["/eswiki/20261101/dumpstatus.json"] = b"<html>please log in</html>"
    with pytest.raises(InputError, match="is no list of files"):
        fetch(server, work)


def test_the_command_lists_editions(
    server: DumpServer, work: Path, capsys: pytest.CaptureFixture[str]
):
    server.add_edition("eswiki", "20261120", {".xml.bz2": b"x"}, status="in-progress")
    assert cli.main(["corpus", "download", "es", "--mirror", server.url, "--list"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    (row,) = [row for row in rows if "20261101" in row]
    assert {"complete", "1", "700.0", "kB"} <= set(row)
    (row,) = [row for row in rows if "20261120" in row]
    assert "in-progress" in row
    assert not work.exists()


def test_the_list_says_what_is_here(
    server: DumpServer, work: Path, capsys: pytest.CaptureFixture[str]
):
    server.add_edition("eswiki", "20261120", {"1.xml-p1p9.bz2": b"one", "2.xml-p10p20.bz2": b"two"})
    fetch(server, work, date="20261101")
    fetch(server, work, date="20261120", parts=1)
    capsys.readouterr()
    assert cli.main(["corpus", "download", "es", "--mirror", server.url, "--work", str(work),
                     "--list"]) == 0  # fmt: skip
    rows = [line.rstrip("│ ") for line in capsys.readouterr().out.splitlines()]
    ends = {date: row for date in ("20261101", "20261120") for row in rows if date in row}
    assert ends["20261101"].endswith(" all")
    assert ends["20261120"].endswith(" a part")


def test_names_of_wikis():
    codes = ("en", "nb", "yue", "rup", "zh-min-nan")
    assert [wiki_of(code) for code in codes] == [
        "enwiki", "nowiki", "zh_yuewiki", "roa_rupwiki", "zh_min_nanwiki",
    ]  # fmt: skip


def test_every_language_with_another_name_is_one_that_can_be_asked_for():
    assert OTHER_NAMES.keys() <= KNOWN_CODES
