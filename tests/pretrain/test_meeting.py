"""Processes find each other at a port, or at one of the next where others have it."""

from __future__ import annotations

import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bbert.errors import RunFailed
from bbert.pretrain import meeting
from bbert.pretrain.process_group import ProcessGroup


def meet_in_threads(port: int, size: int = 3, seconds: float = 20) -> list:
    with ThreadPoolExecutor(size) as threads:
        groups = [ProcessGroup(rank, size, rank) for rank in range(size)]
        return list(
            threads.map(lambda group: meeting.meet(group, "127.0.0.1", port, seconds), groups)
        )


def port_with_neighbours() -> int:
    """A port that is free, and the next ones with it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1] - meeting.NUM_PORTS
        if all(is_free(port + place) for place in range(meeting.NUM_PORTS)):
            return port


def is_free(port: int) -> bool:
    try:
        meeting.listen(port).close()
    except OSError:
        return False
    return True


def assert_shared(met: list) -> None:
    stores = [store for store, _ in met]
    stores[0].set("key", "said by the leading process")
    assert [store.get("key") for store in stores] == [b"said by the leading process"] * len(met)
    assert {address for _, address in met} == {"127.0.0.1"}


def test_they_share_a_store():
    assert_shared(meet_in_threads(port_with_neighbours()))


def test_a_port_that_another_program_has_is_passed_over(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "bbert")
    port = port_with_neighbours()
    # One program that says nothing, and one that says something else.
    silent = socket.create_server(("127.0.0.1", port))
    with silent, ThreadPoolExecutor(1) as thread, meeting.listen(port + 1) as other:

        def answer() -> None:
            while True:
                try:
                    guest, _ = other.accept()
                except OSError:
                    return
                with guest:
                    guest.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread.submit(answer)
        assert_shared(meet_in_threads(port, size=2))
        other.shutdown(socket.SHUT_RDWR)
    assert f"port {port} is taken: meeting at port {port + 2}" in caplog.text


def test_two_runs_at_one_port_do_not_mix(monkeypatch: pytest.MonkeyPatch):
    port = port_with_neighbours()
    groups = [ProcessGroup(rank, 2, rank) for rank in range(2)]
    listening, listen = threading.Event(), meeting.listen

    def listen_and_say_so(port: int) -> socket.socket:
        listener = listen(port)
        listening.set()
        return listener

    # To look whether the port is free would take it at the moment when the first run wants it.
    monkeypatch.setattr(meeting, "listen", listen_and_say_so)
    with ThreadPoolExecutor(2) as threads:
        monkeypatch.setattr(sys, "argv", ["bbert", "pretrain", "--name", "first"])
        first = threads.submit(meeting.meet, groups[0], "127.0.0.1", port, 20)
        assert listening.wait(20)
        monkeypatch.setattr(sys, "argv", ["bbert", "pretrain", "--name", "second"])
        with pytest.raises(RunFailed, match="did not find process 0"):
            meeting.meet(groups[1], "127.0.0.1", port, 0.5)
        monkeypatch.setattr(sys, "argv", ["bbert", "pretrain", "--name", "first"])
        store, _ = meeting.meet(groups[1], "127.0.0.1", port, 20)
        assert store.port == first.result()[0].port


def test_who_does_not_come_is_named():
    with pytest.raises(RunFailed, match="process 1, 2 of 3 did not come"):
        meeting.meet(ProcessGroup(0, 3, 0), "127.0.0.1", port_with_neighbours(), 0.3)


def test_the_interface_of_an_address():
    assert meeting.interface_of("127.0.0.1") in {"lo", "lo0"}
    assert meeting.interface_of("203.0.113.9") is None
    assert meeting.address_towards("127.0.0.1") == "127.0.0.1"
    assert meeting.address_towards("no.such.host.invalid") is None
