"""Signals stop all processes of a group at the same step."""

from __future__ import annotations

import os
import signal

import pytest

from bbert.errors import InputError
from bbert.pretrain import launcher_watch, stop_request
from bbert.pretrain.process_group import ProcessGroup, launched_group
from bbert.pretrain.stop_request import STOP_SIGNALS, StopRequest, stopped_at_once


class Clock:
    """Time that passes when a step is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(stop_request.time, "monotonic", lambda: self.now)


class TwoProcesses(ProcessGroup):
    """A group whose other process says `answer` whenever it is asked."""

    answer = (0.0, 0.0)
    questions = 0

    def largest(self, numbers: list[float]) -> list[float]:
        type(self).questions += 1
        return [max(pair) for pair in zip(numbers, type(self).answer, strict=True)]


@pytest.fixture
def two() -> TwoProcesses:
    TwoProcesses.answer, TwoProcesses.questions = (0.0, 0.0), 0
    return TwoProcesses(rank=0, size=2)


def test_alone_it_stops_after_the_step_at_hand():
    with StopRequest(ProcessGroup()) as stop:
        assert not stop.requested()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested()
        assert stop.signal_number == signal.SIGTERM
        assert stop.requested(), "a request stays"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_every_signal_with_which_others_end_a_process_asks_to_stop(number: int):
    before = signal.signal(number, signal.SIG_DFL)  # under nohup a hangup is ignored
    try:
        with StopRequest(ProcessGroup()) as stop:
            os.kill(os.getpid(), number)
            assert stop.requested()
    finally:
        signal.signal(number, before)
    assert stop.signal_number == number


def test_a_hangup_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest(ProcessGroup()) as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.requested()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_with_nothing_to_save_it_stops_at_once():
    with pytest.raises(SystemExit) as stopped, stopped_at_once():
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.code == 143
    with pytest.raises(KeyboardInterrupt), stopped_at_once():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_slow_events_are_asked_about_at_once_after_quick_ones(
    two: TwoProcesses, monkeypatch: pytest.MonkeyPatch
):
    clock = Clock(monkeypatch)
    with StopRequest(two) as stop:
        for _ in range(2000):
            clock.now += 1e-4
            stop.requested()
        stop.restart_pace()
        TwoProcesses.answer = (float(signal.SIGTERM), 0.0)
        clock.now += 10
        assert stop.requested()


def test_a_second_interrupt_does_not_wait(monkeypatch: pytest.MonkeyPatch):
    clock = Clock(monkeypatch)
    with StopRequest(ProcessGroup()):
        os.kill(os.getpid(), signal.SIGINT)
        clock.now += 0.5
        os.kill(os.getpid(), signal.SIGINT)  # the launcher passes on what the terminal has sent
        os.kill(os.getpid(), signal.SIGTERM)
        clock.now += 5
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("seconds_per_step", [1e-3, 0.1, 20.0])
def test_a_group_is_asked_about_twice_a_second(
    seconds_per_step: float, two: TwoProcesses, monkeypatch: pytest.MonkeyPatch
):
    clock = Clock(monkeypatch)
    with StopRequest(two) as stop:
        for _ in range(2000):
            clock.now += seconds_per_step
            assert not stop.requested()
    per_second = two.questions / clock.now
    assert per_second <= 3
    assert two.questions == 2000 or per_second >= 1.5


def test_the_slowest_process_sets_the_pace_and_any_can_stop(
    two: TwoProcesses, monkeypatch: pytest.MonkeyPatch
):
    clock = Clock(monkeypatch)
    TwoProcesses.answer = (0.0, 0.25)
    with StopRequest(two) as stop:
        for _ in range(5):
            clock.now += 1e-4
            assert not stop.requested()
        assert two.questions == 3  # after steps 1, 3 and 5
        TwoProcesses.answer = (float(signal.SIGINT), 0.25)
        assert [stop.requested() for _ in range(2)] == [False, True]
    assert stop.signal_number == signal.SIGINT


def test_a_vanished_supervisor_stops_the_workers(
    two: TwoProcesses, monkeypatch: pytest.MonkeyPatch
):
    with StopRequest(two) as stop:
        assert not stop.requested()
        monkeypatch.setattr(launcher_watch.os, "getppid", lambda: 1 if os.getpid() != 1 else 2)
        assert any(stop.requested() for _ in range(1001))


def test_a_supervisor_that_vanished_before_the_training_began_is_missed():
    with StopRequest(TwoProcesses(rank=0, size=2, started_by=os.getppid())) as stop:
        assert not stop.requested()
    with StopRequest(TwoProcesses(rank=0, size=2, started_by=os.getpid())) as stop:  # not its child
        assert stop.requested()
    assert stop.signal_number == signal.SIGTERM


def test_the_launchers_environment_names_the_place(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert launched_group() is None
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "1")
    group = launched_group()
    assert group is not None
    assert group == ProcessGroup(3, 4, 1)
    assert group.started_by == os.getppid()
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(InputError, match="RANK"):
        launched_group()
