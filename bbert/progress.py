"""Progress for people: bars on a terminal, plain log lines elsewhere, both with rate and time left.

Library code logs and reports progress through this module; it never prints.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

_LINE_EVERY_SECONDS = 10.0


def set_up_logging(quiet: bool = False, debug: bool = False) -> None:
    """Send bbert's log to standard error; `quiet` keeps warnings only."""
    level = logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO
    package = logging.getLogger("bbert")
    package.setLevel(level)
    package.propagate = False
    for handler in list(package.handlers):
        package.removeHandler(handler)
    handler = _ConsoleHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    package.addHandler(handler)


class _ConsoleHandler(logging.Handler):
    """Writes through rich's console, so that lines and a live bar do not overwrite each other."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            if record.levelno >= logging.WARNING:
                text = f"{record.levelname.lower()}: {text}"
            error_console().print(text, markup=False, highlight=False, soft_wrap=True)
        except Exception:
            self.handleError(record)


_console = None


def error_console():
    """The one rich console on standard error."""
    global _console
    if _console is None:
        from rich.console import Console

        _console = Console(stderr=True)
    return _console


@contextmanager
def progress(
    description: str, total: float | None, unit: str, start: float = 0
) -> Iterator[Callable[[float], None]]:
    """Show how far a loop is; yields `advance(amount)`.

    Args:
        description: what is being done.
        total: amount at the end, in `unit`s; None where it is not known.
        unit: "sentences", "steps", "MB", ...
        start: amount already done by an earlier process.
    """
    if logger.isEnabledFor(logging.INFO):
        shown = _bar if error_console().is_terminal else _lines
        with shown(description, total, unit, start) as advance:
            yield advance
    else:
        yield lambda amount: None


@contextmanager
def _bar(
    description: str, total: float | None, unit: str, start: float
) -> Iterator[Callable[[float], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    began, done = time.monotonic(), 0.0
    with Progress(*columns, console=error_console(), transient=False) as bar:
        task = bar.add_task(description, total=total, completed=int(start), rate=f"{unit}")

        def advance(amount: float) -> None:
            nonlocal done
            done += amount
            rate = done / max(time.monotonic() - began, 1e-9)
            bar.update(task, advance=amount, rate=_rate(rate, unit))

        yield advance


@contextmanager
def _lines(
    description: str, total: float | None, unit: str, start: float
) -> Iterator[Callable[[float], None]]:
    began = last = time.monotonic()
    done = 0.0

    def advance(amount: float) -> None:
        nonlocal done, last
        done += amount
        now = time.monotonic()
        if now - last >= _LINE_EVERY_SECONDS:
            last = now
            rate = done / (now - began)
            of, left = "", ""
            if total is not None:
                of = f" of {total:,.0f}"
                left = f", {_clock((total - start - done) / rate)} left" if done else ""
            logger.info(
                "%s: %s%s %s, %s%s",
                description, f"{start + done:,.0f}", of, unit, _rate(rate, unit), left,
            )  # fmt: skip

    yield advance
    seconds = time.monotonic() - began
    logger.info("%s: %s %s in %s", description, f"{start + done:,.0f}", unit, _clock(seconds))


def _rate(rate: float, unit: str) -> str:
    """Amount a second, or a minute where a second holds less than one."""
    if rate < 1:
        return f"{60 * rate:,.1f} {unit}/min"
    return f"{rate:,.1f} {unit}/s" if rate < 100 else f"{rate:,.0f} {unit}/s"


def _clock(seconds: float) -> str:
    """Seconds as "12 s", "3 min 05 s" or "2 h 07 min"."""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60):02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
