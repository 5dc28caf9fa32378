"""SIGTERM and SIGINT ask a training to stop after the step at hand, with a checkpoint.

The processes of a group must stop at the same step, or one would wait for another forever. They
ask each other about twice a second: one small exchange between the hosts, whose distance in steps
follows from the speed they measure, so that it costs nothing at a thousand steps a second.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

from bbert.pretrain.process_group import ProcessGroup

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SECONDS_BETWEEN_QUESTIONS = 0.5
_MAX_STEPS_BETWEEN_QUESTIONS = 1000


class StopRequest:
    """Catches the signals while it is entered.

    Attributes:
        signal_number: the signal on which all processes have agreed, None while training goes on.
    """

    def __init__(self, group: ProcessGroup) -> None:
        self.signal_number: int | None = None
        self._group = group
        self._received = 0
        self._parent = os.getppid()
        self._steps_between_questions = 1
        self._steps_since_question = 0
        self._asked = time.monotonic()
        self._previous: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def after_step(self) -> bool:
        """True where training has to stop now; call it after every step."""
        if self._group.size == 1:
            return self._decide(self._received)
        self._steps_since_question += 1
        if self._steps_since_question < self._steps_between_questions:
            return False
        if os.getppid() != self._parent:  # whoever started the workers is gone
            self._received = self._received or signal.SIGTERM
        now = time.monotonic()
        seconds_per_step = (now - self._asked) / self._steps_since_question
        received, slowest = self._group.largest([float(self._received), seconds_per_step])
        self._steps_between_questions = min(
            max(1, int(_SECONDS_BETWEEN_QUESTIONS / max(slowest, 1e-9))),
            _MAX_STEPS_BETWEEN_QUESTIONS,
        )
        self._asked, self._steps_since_question = now, 0
        return self._decide(int(received))

    def _decide(self, received: int) -> bool:
        self.signal_number = received or None
        return bool(received)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received and number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice: do not wait for the checkpoint
        self._received = number
