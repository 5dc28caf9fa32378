"""A signal asks a training to stop after the step at hand, with a checkpoint.

SIGTERM and SIGINT, and what else batch systems and terminals send before they end a process:
SIGUSR1 and SIGUSR2 (Slurm's `--signal`), SIGHUP (unless it is ignored, as under nohup). That the
launcher is gone counts as SIGTERM.

The processes of a group must stop at the same step, or one would wait for another forever. They
ask each other about twice a second: one small exchange between the hosts, whose distance follows
from the speed they measure, so that it costs nothing at a thousand steps a second.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from bbert.pretrain.launcher_watch import LauncherWatch
from bbert.pretrain.process_group import ProcessGroup

logger = logging.getLogger(__name__)

STOP_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGHUP,
)
_SECONDS_BETWEEN_QUESTIONS = 0.5
_MAX_EVENTS_BETWEEN_QUESTIONS = 1000
_SECONDS_BEFORE_A_SECOND_WISH = 2.0  # one Ctrl-C comes twice: from the terminal and the launcher


class StopRequest:
    """Catches the signals while it is entered.

    Attributes:
        signal_number: the signal on which all processes have agreed, None while training goes on.
    """

    def __init__(self, group: ProcessGroup) -> None:
        self.signal_number: int | None = None
        self._group = group
        self._received, self._received_at = 0, 0.0
        self._launcher = LauncherWatch(group.size > 1, group.started_by)
        self._looked = time.monotonic()
        self._handled = signals_handled(self._receive)
        self.restart_pace()

    def __enter__(self) -> StopRequest:
        self._handled.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._handled.__exit__(None, None, None)

    def restart_pace(self) -> None:
        """Ask at the next event; call it where events become longer, at the same place in all."""
        self._events_between_questions = 1
        self._events_since_question = 0
        self._asked = time.monotonic()

    def requested(self) -> bool:
        """True where work has to stop now; every process calls it after the same events.

        Events are of similar length: micro-batches, or batches of a validation.
        """
        if self.signal_number is not None:
            return True
        if self._group.size == 1:
            now = time.monotonic()
            if now - self._looked > _SECONDS_BETWEEN_QUESTIONS:
                self._looked = now
                self._look_for_launcher()
            return self._decide(self._received)
        self._events_since_question += 1
        if self._events_since_question < self._events_between_questions:
            return False
        self._look_for_launcher()
        now = time.monotonic()
        seconds_per_event = (now - self._asked) / self._events_since_question
        received, slowest = self._group.largest([float(self._received), seconds_per_event])
        self._events_between_questions = min(
            max(1, int(_SECONDS_BETWEEN_QUESTIONS / max(slowest, 1e-9))),
            _MAX_EVENTS_BETWEEN_QUESTIONS,
        )
        self._asked, self._events_since_question = now, 0
        return self._decide(int(received))

    def _look_for_launcher(self) -> None:
        """Its end is a wish to stop that it could not pass on."""
        if self._received == 0 and self._launcher.gone():
            logger.warning("the launcher is gone")
            self._received = signal.SIGTERM

    def _decide(self, received: int) -> bool:
        self.signal_number = received or None
        return bool(received)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._received == 0:
            self._received, self._received_at = number, now
        elif number == signal.SIGINT and now - self._received_at >= _SECONDS_BEFORE_A_SECOND_WISH:
            raise KeyboardInterrupt  # asked twice: do not wait for the checkpoint


@contextmanager
def stopped_at_once() -> Iterator[None]:
    """While entered, a signal ends the process in order, for want of anything to save.

    Raises:
        KeyboardInterrupt, SystemExit: SIGINT, or another signal with 128 + its number.
    """
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise stopping_exception(number)

    with signals_handled(stop):
        try:
            yield
        except SystemExit:
            if received:
                name = signal.Signals(received[0]).name
                logger.info("stopped by %s; the same command goes on", name)
            raise


def stopping_exception(number: int) -> BaseException:
    """What ends a process that signal `number` has stopped: exit code 130 for SIGINT, and so on."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


@contextmanager
def signals_handled(receive: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let `receive` have the signals of `STOP_SIGNALS` while entered; in the main thread only."""
    previous = {}
    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            previous[number] = signal.signal(number, receive)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
