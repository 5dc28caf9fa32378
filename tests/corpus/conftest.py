"""A server of dumps that several test files of this room share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dump_server import CONTENT, DumpServer, serving


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long would have been waited; and no proxy between the test and its server."""
    from bbert.corpus import download_http

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    slept: list[float] = []
    monkeypatch.setattr(download_http.time, "sleep", slept.append)
    return slept


@pytest.fixture
def server(waits: list[float]) -> Iterator[DumpServer]:
    with serving() as running:
        running.add_edition("eswiki", "20261101", {".xml.bz2": CONTENT})
        yield running
