"""A small copy of dumps.wikimedia.org on the loopback, with the faults that servers have, and what
`bbert corpus download` fetches from it."""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bbert.corpus.download import run
from bbert.corpus.download_config import DownloadConfig

CONTENT = random.Random(3).randbytes(700_000)
NAME = "eswiki-20261101-pages-articles.xml.bz2"
PATH = f"/eswiki/20261101/{NAME}"


@dataclass
class DumpServer:
    """What is served, by path, and how.

    Attributes:
        files: path → content.
        cut_after: path → after how many bytes of an answer the connection breaks, one number for
            each answer; afterwards answers are whole.
        refusals: path → (status, headers) of the next answers.
        ranges: whether range requests are understood.
        entity_tags: whether answers have an ETag.
        requests: what was asked: (method, path, headers).
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    refusals: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    ranges: bool = True
    entity_tags: bool = True
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    url: str = ""

    def add_edition(
        self,
        wiki: str,
        date: str,
        parts: dict[str, bytes],
        status: str = "done",
        job: str = "articlesdump",
        **other_jobs: Any,
    ) -> None:
        """An edition with `dumpstatus.json` and checksum files, listed in the wiki's index.

        Args:
            parts: what stands after "pages-articles" in the name → content.
        """
        folder = f"/{wiki}/{date}"
        names = {f"{wiki}-{date}-pages-articles{part}": text for part, text in parts.items()}
        entries = {}
        for name, content in names.items():
            self.files[f"{folder}/{name}"] = content
            entries[name] = {
                "size": len(content),
                "url": f"{folder}/{name}",
                "md5": hashlib.md5(content).hexdigest(),
                "sha1": hashlib.sha1(content).hexdigest(),
            }
        jobs = {job: {"status": status, "updated": "", "files": entries}, **other_jobs}
        self.files[f"{folder}/dumpstatus.json"] = json.dumps(
            {"version": "0.8", "jobs": jobs}
        ).encode()
        for algorithm in ("sha1", "md5"):
            lines = (f"{entry[algorithm]}  {name}\n" for name, entry in entries.items())
            self.files[f"{folder}/{wiki}-{date}-{algorithm}sums.txt"] = "".join(lines).encode()
        self.list_dates(wiki)

    def list_dates(self, wiki: str) -> None:
        """Write the index page of a wiki from the folders that there are."""
        dates = sorted({m[1] for m in (re.match(rf"/{wiki}/(\d+)/", p) for p in self.files) if m})
        links = "".join(f'<a href="{date}/">{date}/</a>  01-Nov-2026\n' for date in dates)
        page = f'<html><body><a href="../">../</a>\n{links}<a href="latest/">latest/</a></body>'
        self.files[f"/{wiki}/"] = page.encode()

    def paths_of(self, method: str = "GET") -> list[str]:
        return [path for asked, path, _ in self.requests if asked == method]


@contextmanager
def serving() -> Iterator[DumpServer]:
    server = DumpServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            server.requests.append((self.command, self.path, dict(self.headers)))
            refused = server.refusals.get(self.path)
            if refused:
                status, headers = refused.pop(0)
                self._head(status, 0, headers)
                return
            content = server.files.get(self.path)
            if content is None:
                self._head(404, 0, {})
                return
            version = f'"{hashlib.md5(content).hexdigest()}"'
            headers = {"ETag": version} if server.entity_tags else {}
            start = self._first_byte(version)
            if start is not None and start >= len(content):
                self._head(416, 0, {"Content-Range": f"bytes */{len(content)}"})
                return
            if start is None:
                body, status = content, 200
            else:
                body, status = content[start:], 206
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._head(status, len(body), headers)
            if self.command == "HEAD":
                return
            cuts = server.cut_after.get(self.path)
            if cuts:
                body = body[: cuts.pop(0)]
                self.close_connection = True
            server.sent[self.path] += len(body)
            self.wfile.write(body)

        def _first_byte(self, version: str) -> int | None:
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if asked is None or not server.ranges:
                return None
            if self.headers.get("If-Range", version) != version:
                return None
            return int(asked[1])

        def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        listener.daemon_threads = True
        server.url = f"http://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
        thread.start()
        yield server
        listener.shutdown()
        thread.join()


def fetch(server: DumpServer, work: Path, *languages: str, **options) -> str:
    shown = run(DownloadConfig(languages or ("es",), work=work, mirror=server.url, **options))
    assert isinstance(shown, str)
    return shown


def here(work: Path, edition: str = "eswiki-20261101", name: str = NAME) -> Path:
    return work / "dumps" / edition / name
