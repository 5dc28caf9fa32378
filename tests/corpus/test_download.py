"""`bbert corpus download` against a server on the loopback that does what servers do."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import socket
from email.utils import formatdate
from pathlib import Path

import pytest
from dump_server import CONTENT, NAME, PATH, DumpServer, fetch, here, serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbert import cli
from bbert.corpus import download_http
from bbert.corpus.download_file import part_of
from bbert.errors import InputError, RunFailed


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
    shown = fetch(server, work / "elsewhere")
    assert shlex.split(shown)[-2:] == ["--work", str(work / "elsewhere")]


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


def test_a_begun_edition_that_is_all_here_is_complete(server: DumpServer, work: Path):
    leave_part(server, work)
    here(work).write_bytes(CONTENT)  # by hand; or a process was killed just after the last file
    fetch(server, work)
    record = json.loads((here(work).parent / "download.json").read_text())
    assert record["complete"]
    assert record["files"][NAME]["bytes"] == len(CONTENT)
    server.add_edition("eswiki", "20261120", {".xml.bz2": b"newer"})
    fetch(server, work)
    assert here(work, "eswiki-20261120", "eswiki-20261120-pages-articles.xml.bz2").is_file()


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


def test_an_edition_taken_away_between_list_and_file(server: DumpServer, work: Path):
    del server.files[PATH]
    with pytest.raises(InputError, match="not there any more"):
        fetch(server, work)


def test_a_server_that_refuses_for_good(server: DumpServer, work: Path, waits: list[float]):
    server.refusals["/eswiki/"] = [(403, {})]
    with pytest.raises(InputError, match="403"):
        fetch(server, work)
    assert waits == []


def test_a_redirection_in_a_circle_is_told_in_two_lines(server: DumpServer, work: Path):
    server.refusals[PATH] = [(302, {"Location": PATH})] * 20
    with pytest.raises(InputError, match=r"says 302 .*infinite loop.*; check --mirror") as error:
        fetch(server, work)
    assert len(str(error.value).splitlines()) <= 2


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


def test_a_downloaded_dump_builds_a_corpus(server: DumpServer, work: Path, tmp_path: Path):
    """The printed command's --dump is one that the corpus stage can read."""
    from bbert.corpus.sources import read_sources

    shown = fetch(server, work)
    value = shlex.split(shown)[-1]
    (source,) = read_sources([value], []).values()
    assert [path.read_bytes() for path in source.dumps] == [CONTENT]
