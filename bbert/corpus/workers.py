"""Worker processes: a function on many things at once, the results in order, memory bounded.

    with Workers(4) as workers:
        for result in workers.map(function, things, "splitting the text of en"):
            ...

The workers are started by the first `map` and stay for the next ones. What a result is does not
depend on how many there are; with one, everything happens in this process. A worker that is killed
(the kernel does that where memory runs out) ends the work with an error that says what was being
done; when this process is killed, the workers end themselves.

Choice: one pipe for each worker, two things on their way to each. The pools of the standard library
pass everything through one queue, copy it once more there, and do not say who died of what.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, TypeVar

from bbert.corpus.freed_memory import keep_freed_memory
from bbert.errors import RunFailed

_AT_EACH_WORKER = 2  # the next one lies ready when one is done
_SECONDS_TO_DIE = 10.0
WORTH_WORKERS = 2e7  # bytes of text; below, starting worker processes takes longer than the work

T = TypeVar("T")
R = TypeVar("R")


class WorkerDied(RunFailed):
    """A worker process ended without being asked to."""


class Workers:
    """Up to `processes` worker processes.

    Worker processes import the main module: a script that uses them needs an
    `if __name__ == "__main__":` around its work.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._workers: list[_Worker] = []

    def map(self, function: Callable[[T], R], things: Iterable[T], what: str) -> Iterator[R]:
        """The results of `function`, in the order of the `things`, which are read as needed.

        Args:
            function: picklable; every worker gets a copy of its own, which may keep what it learns.
            things: picklable.
            what: is being done, for the error message ("splitting the text of en").

        Raises:
            WorkerDied: a worker was killed.
            BaseException: the first thing in order at which `function` raised has raised this; a
                RuntimeError that says what it was where it cannot be pickled.
        """
        if self.processes <= 1:
            yield from map(function, things)
            return
        is_complete = False
        try:
            yield from self._map(function, things, what)
            is_complete = True
        finally:
            if not is_complete:  # workers may still be busy with what nobody waits for
                self.close()

    def if_worth(self, text_bytes: float) -> Workers:
        """These workers for so many bytes of text, or none where it is done sooner without."""
        return self if text_bytes > WORTH_WORKERS else ALONE

    def prepare(self, function: Callable[..., Any]) -> None:
        """Have workers that wait import what `function` needs, before they are given it."""
        content = pickle.dumps(function)
        for worker in self._workers:
            worker.send(content, "getting ready")

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.end()
        self._workers = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _map(self, function: Callable[[T], R], things: Iterable[T], what: str) -> Iterator[R]:
        content = pickle.dumps(function)
        for worker in self._workers:
            worker.send(content, what)
        remaining = enumerate(things)
        outcomes: dict[int, _Outcome] = {}
        num_sent = num_yielded = 0
        is_exhausted = False
        while True:
            while not is_exhausted and num_sent - num_yielded < (_AT_EACH_WORKER + 1) * (
                self.processes
            ):
                worker = self._least_busy(content, what)
                if worker is None:
                    break
                if (numbered := next(remaining, None)) is None:
                    is_exhausted = True
                    break
                worker.send(numbered, what)
                worker.num_waiting += 1
                num_sent += 1
            while num_yielded in outcomes:
                outcome = outcomes.pop(num_yielded)
                num_yielded += 1
                yield outcome.result()
            if num_yielded < num_sent:
                self._receive(outcomes, what)
            elif is_exhausted:
                return

    def _least_busy(self, function: bytes, what: str) -> _Worker | None:
        """A worker that can take something; started where none is idle and there may be more."""
        worker = min(self._workers, key=lambda worker: worker.num_waiting, default=None)
        if len(self._workers) < self.processes and (worker is None or worker.num_waiting):
            worker = _Worker()
            self._workers.append(worker)
            worker.send(function, what)
        if worker is None or worker.num_waiting >= _AT_EACH_WORKER:
            return None
        return worker

    def _receive(self, outcomes: dict[int, _Outcome], what: str) -> None:
        by_connection = {worker.connection: worker for worker in self._workers}
        for connection in wait(list(by_connection)):
            worker = by_connection[connection]  # type: ignore[index]
            number, outcome = worker.receive(what)
            worker.num_waiting -= 1
            outcomes[number] = outcome


ALONE = Workers(1)
"""No worker processes: everything happens in this one."""


class _Worker:
    """The end of a worker process that we hold."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # so that the connection ends when the worker does
        self.num_waiting = 0

    def send(self, message: Any, what: str) -> None:
        try:
            self.connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            raise self._died(what) from None

    def receive(self, what: str) -> tuple[int, _Outcome]:
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._died(what) from None

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()
        self._process.close()

    def _died(self, what: str) -> WorkerDied:
        self._process.join(_SECONDS_TO_DIE)
        code = self._process.exitcode or 0
        how = f"was killed ({_signal_name(-code)})" if code < 0 else f"ended (exit code {code})"
        mend = "run the same command again: it goes on after what is finished"
        if code == -signal.SIGKILL:
            mend += "; if memory ran out, with fewer --processes"
        return WorkerDied(f"a worker process {how} while {what}\n{mend}")


class _Outcome(Protocol):
    """What came of a thing: the result, or the exception."""

    def result(self) -> Any: ...


class _Value:
    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self) -> Any:
        return self._value


class _Error:
    def __init__(self, error: BaseException) -> None:
        self._trace = "".join(traceback.format_exception(error))
        try:
            pickle.loads(pickle.dumps(error))
            self._error = error
        except Exception:
            self._error = RuntimeError(f"{type(error).__name__}: {error}")

    def result(self) -> Any:
        self._error.add_note(f"In a worker process:\n{self._trace}")
        raise self._error


def _signal_name(number: int) -> str:
    try:
        return f"signal {number}, {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"


def _work(connection: Connection) -> None:
    """A worker: a function comes, then things to apply it to, then another function ..."""
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def read() -> None:
        # Apart from the work, so that the other side never waits with a full pipe for this one
        # while this one waits for it.
        while True:
            try:
                messages.put(connection.recv())
            except (EOFError, OSError):  # the process that started this one has ended
                os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    function: Callable[[Any], Any] | None = None
    while True:
        message = messages.get()
        if isinstance(message, bytes):
            function = pickle.loads(message)
            continue
        assert function is not None
        number, thing = message
        try:
            outcome: _Outcome = _Value(function(thing))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of a Rust library is no Exception
            outcome = _Error(error)
        try:
            connection.send((number, outcome))
        except OSError:
            os._exit(1)
