"""`bbert corpus download` against a server on the loopback that does what servers do."""

from __future__ import annotations

import hashlib
import json
import random
import shlex
import shutil
import socket
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from dump_server import DumpServer, serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbert import cli
from bbert.corpus import download_http
from bbert.corpus.download import run
from bbert.corpus.download_config import DownloadConfig
from bbert.corpus.download_editions import OTHER_NAMES, edition, wiki_of
from bbert.corpus.download_file import part_of
from bbert.errors import InputError, RunFailed
from bbert.languages import KNOWN_CODES

CONTENT = random.Random(3).randbytes(700_000)
NAME = "eswiki-20261101-pages-articles.xml.bz2"
PATH = f"/eswiki/20261101/{NAME}"


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long would have been waited; and no proxy between the test and its server."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    slept: list[float] = []
    monkeypatch.setattr(download_http.time, "sleep", slept.append)
    return slept


@pytest.fixture
def server() -> Iterator[DumpServer]:
    with serving() as running:
        running.add_edition("eswiki", "20261101", {".xml.bz2": CONTENT})
        yield running


def fetch(server: DumpServer, work: Path, *languages: str, **options) -> str:
    shown = run(DownloadConfig(languages or ("es",), work=work, mirror=server.url, **options))
    assert isinstance(shown, str)
    return shown


def here(work: Path, edition: str = "eswiki-20261101", name: str = NAME) -> Path:
    return work / "dumps" / edition / name


def test_the_newest_complete_edition_arrives_verified(server: DumpServer, work: Path):
    server.add_edition("eswiki", "20261020", {".xml.bz2": b"older"})
    server.add_edition("eswiki", "20261120", {".xml.bz2": b"half"}, status="in-progress")
    shown = fetch(server, work)
    assert here(work).read_bytes() == CONTENT
    assert sorted(p.name for p in here(work).parent.iterdir()) == ["download.json", NAME]
    assert "verified by sha1" in shown
    command = shlex.split(shown.partition("build a corpus: ")[2])
    assert command[:3] == ["bbert", "corpus", "build"]
    assert command[-1] == f"es={here(work)}"


def test_asks_politely(server: DumpServer, work: Path):
    fetch(server, work)
    for _, _, headers in server.requests:
        assert headers["User-Agent"].startswith("bbert/")
    assert len(server.requests) == 3  # the dates, the files of one, the file


def test_what_is_here_is_not_fetched_again(server: DumpServer, work: Path):
    fetch(server, work)
    server.requests.clear()
    fetch(server, work)
    assert PATH not in server.paths_of()
    here(work).write_bytes(CONTENT[:-1] + b"?")
    fetch(server, work)
    assert here(work).read_bytes() == CONTENT


def test_a_file_brought_by_hand_is_verified_not_fetched(server: DumpServer, work: Path):
    here(work).parent.mkdir(parents=True)
    here(work).write_bytes(CONTENT)
    fetch(server, work)
    assert PATH not in server.paths_of()


@settings(max_examples=12, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(cuts=st.lists(st.integers(1, 300_000), max_size=4), entity_tags=st.booleans(),
       ranges=st.booleans())  # fmt: skip
def test_cut_connections_give_the_same_file(
    server: DumpServer, work: Path, cuts: list[int], entity_tags: bool, ranges: bool
):
    shutil.rmtree(work, ignore_errors=True)
    server.cut_after[PATH] = list(cuts)
    server.entity_tags, server.ranges = entity_tags, ranges
    server.sent.clear()
    fetch(server, work)
    assert here(work).read_bytes() == CONTENT
    if ranges:
        assert server.sent[PATH] == len(CONTENT)  # nothing twice


def test_the_same_command_resumes_where_the_last_one_stopped(server: DumpServer, work: Path):
    server.cut_after[PATH] = [300_000] + [0] * download_http.ATTEMPTS
    with pytest.raises(RunFailed, match="times in a row") as failure:
        fetch(server, work)
    assert "goes on from here" in str(failure.value)
    assert part_of(here(work)).stat().st_size == 300_000
    server.cut_after.clear()
    server.sent.clear()
    server.requests.clear()
    fetch(server, work)
    assert here(work).read_bytes() == CONTENT
    assert server.sent[PATH] == 400_000
    asked = next(headers for _, path, headers in server.requests if path == PATH)
    assert asked["Range"] == "bytes=300000-"
    assert asked["If-Range"] == f'"{hashlib.md5(CONTENT).hexdigest()}"'


def test_a_cut_list_is_asked_for_again(server: DumpServer, work: Path):
    server.cut_after["/eswiki/20261101/dumpstatus.json"] = [80]
    server.cut_after["/eswiki/"] = [30]
    fetch(server, work)
    assert here(work).read_bytes() == CONTENT


def leave_part(server: DumpServer, work: Path, size: int = 300_000) -> None:
    server.cut_after[PATH] = [size] + [0] * download_http.ATTEMPTS
    with pytest.raises(RunFailed):
        fetch(server, work)
    server.cut_after.clear()


def test_a_begun_edition_is_gone_on_with(server: DumpServer, work: Path):
    leave_part(server, work)
    server.add_edition("eswiki", "20261120", {".xml.bz2": b"newer"})
    fetch(server, work)
    assert here(work).read_bytes() == CONTENT
    fetch(server, work)
    assert here(work, "eswiki-20261120", "eswiki-20261120-pages-articles.xml.bz2").is_file()


def test_another_mirror_goes_on_with_the_same_file(server: DumpServer, work: Path):
    leave_part(server, work)
    with serving() as mirror:
        mirror.add_edition("eswiki", "20261101", {".xml.bz2": CONTENT})
        fetch(mirror, work)
        assert mirror.sent[PATH] == 400_000
    assert here(work).read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(
    server: DumpServer, work: Path
):
    leave_part(server, work)
    changed = CONTENT[::-1]
    server.add_edition("eswiki", "20261101", {".xml.bz2": changed})
    fetch(server, work)
    assert here(work).read_bytes() == changed


def test_a_damaged_beginning_is_noticed_and_fetched_again(server: DumpServer, work: Path):
    leave_part(server, work)
    part = part_of(here(work))
    part.write_bytes(b"?" + part.read_bytes()[1:])
    fetch(server, work)
    assert here(work).read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_and_nothing_stays(server: DumpServer, work: Path):
    server.files[PATH] = b"!" + CONTENT[1:]
    with pytest.raises(InputError, match=r"sha1 .* not .* as listed"):
        fetch(server, work)
    assert not here(work).exists()
    assert not part_of(here(work)).exists()


def test_another_size_than_listed_is_refused(server: DumpServer, work: Path):
    server.files[PATH] = CONTENT + b"more"
    with pytest.raises(InputError, match="700,004 bytes, not 700,000"):
        fetch(server, work)
    assert not here(work).exists()


def test_a_busy_server_is_asked_again_when_it_says(
    server: DumpServer, work: Path, waits: list[float]
):
    server.refusals[PATH] = [(503, {"Retry-After": "7"}), (429, {}), (500, {})]
    server.refusals["/eswiki/"] = [(503, {"Retry-After": formatdate(0, usegmt=True)})]
    fetch(server, work)
    assert here(work).read_bytes() == CONTENT
    assert waits == [0.0, 7.0, 2.0, 4.0]


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


def test_without_any_checksum_a_part_needs_the_same_version(server: DumpServer, work: Path):
    folder = "/eswiki/20261101"
    status = json.loads(server.files[f"{folder}/dumpstatus.json"])
    for entry in status["jobs"]["articlesdump"]["files"].values():
        del entry["sha1"], entry["md5"]
    server.files[f"{folder}/dumpstatus.json"] = json.dumps(status).encode()
    for algorithm in ("sha1", "md5"):
        del server.files[f"{folder}/eswiki-20261101-{algorithm}sums.txt"]
    leave_part(server, work)
    server.files[PATH] = CONTENT[::-1]  # as long, but another file
    assert "verified by size" in fetch(server, work)
    assert here(work).read_bytes() == CONTENT[::-1]


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


def test_an_edition_taken_away_between_list_and_file(server: DumpServer, work: Path):
    del server.files[PATH]
    with pytest.raises(InputError, match="not there any more"):
        fetch(server, work)


def test_a_page_that_is_no_list_of_files(server: DumpServer, work: Path):
    server.files["/eswiki/20261101/dumpstatus.json"] = b"<html>please log in</html>"
    with pytest.raises(InputError, match="is no list of files"):
        fetch(server, work)


def test_a_server_that_refuses_for_good(server: DumpServer, work: Path, waits: list[float]):
    server.refusals["/eswiki/"] = [(403, {})]
    with pytest.raises(InputError, match="403"):
        fetch(server, work)
    assert waits == []


def test_no_room_on_the_disk(server: DumpServer, work: Path, monkeypatch: pytest.MonkeyPatch):
    usage = shutil.disk_usage(".")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match=r"700\.0 kB to download, 1\.0 kB free"):
        fetch(server, work)
    assert not work.exists()


def test_dry_run_says_sizes_and_fetches_nothing(server: DumpServer, work: Path):
    leave_part(server, work)
    server.requests.clear()
    shown = fetch(server, work, dry_run=True)
    assert f"{NAME}: 700.0 kB, 300.0 kB of it here" in shown
    assert "to download: 400.0 kB" in shown
    assert PATH not in server.paths_of()


def test_two_processes_do_not_write_one_file(server: DumpServer, work: Path):
    from filelock import FileLock

    (work / ".locks").mkdir(parents=True)
    with (
        FileLock(work / ".locks" / "download-eswiki-20261101.lock"),
        pytest.raises(InputError, match="another process"),
    ):
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


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["es", "--mirror", "MIRROR/nowhere"], 2),
        (["es", "--mirror", f"http://127.0.0.1:{free_port()}"], 1),
        (["es", "--mirror", "ftp://example.org"], 2),
        (["es", "--mirror", "http://[::1"], 2),
        (["es", "--date", "yesterday"], 2),
        (["es", "--parts", "0"], 2),
        (["es", "it", "--wiki", "simplewiki"], 2),
        (["es", "--wiki", "../x"], 2),
        (["spanish"], 2),
        ([], 2),
    ],
)
def test_exit_codes_and_two_lines(
    server: DumpServer, work: Path, capsys: pytest.CaptureFixture[str],
    arguments: list[str], code: int,
):  # fmt: skip
    typed = [word.replace("MIRROR", server.url) for word in arguments]
    assert cli.main(["corpus", "download", *typed, "--quiet"]) == code
    error = capsys.readouterr().err
    assert error.startswith("bbert corpus download: ")
    assert 1 <= len(error.splitlines()) <= 2


def test_names_of_wikis():
    codes = ("en", "nb", "yue", "rup", "zh-min-nan")
    assert [wiki_of(code) for code in codes] == [
        "enwiki", "nowiki", "zh_yuewiki", "roa_rupwiki", "zh_min_nanwiki",
    ]  # fmt: skip


def test_every_language_with_another_name_is_one_that_can_be_asked_for():
    assert OTHER_NAMES.keys() <= KNOWN_CODES


def test_a_downloaded_dump_builds_a_corpus(server: DumpServer, work: Path, tmp_path: Path):
    """The printed command's --dump is one that the corpus stage can read."""
    from bbert.corpus.sources import read_sources

    shown = fetch(server, work)
    value = shlex.split(shown)[-1]
    (source,) = read_sources([value], []).values()
    assert [path.read_bytes() for path in source.dumps] == [CONTENT]
