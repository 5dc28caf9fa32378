"""Requests to a dump server: what is a mistake, what may pass, and how long to be patient.

`urllib` of the standard library does the work: it follows redirects, knows proxies and verifies
certificates, and ranges need nothing more. One connection at a time, and a User-Agent that says who
asks, as Wikimedia wants it.
"""

from __future__ import annotations

import http.client
import platform
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from bbert import __version__
from bbert.errors import InputError, RunFailed
from bbert.progress import logger

TIMEOUT_SECONDS = 60.0
ATTEMPTS = 6
"""Failures in a row, with not a byte received between them, after which it is given up."""
LONGEST_WAIT_SECONDS = 300.0

_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOST_OF_A_LIST = 64 << 20  # bytes; lists of editions and files are far smaller

USER_AGENT = f"bbert/{__version__} (corpus download) Python-urllib/{platform.python_version()}"

Result = TypeVar("Result")


class NotThere(LookupError):
    """The server has nothing at this address (404 or 410)."""


class RangeRefused(Exception):
    """The server has no bytes from that place on (416)."""


@dataclass
class Trouble(Exception):
    """What may pass: a cut connection, a busy server. `wait_seconds` where the server says it."""

    reason: str
    wait_seconds: float | None = None


class Patience:
    """How often something may fail: waits grow from one second on and start afresh with success."""

    def __init__(self, address: str, sleep: Callable[[float], None] | None = None) -> None:
        self._address, self._sleep = address, sleep or time.sleep
        self._failures = 0

    def success(self) -> None:
        """Something arrived."""
        self._failures = 0

    def failure(self, trouble: Trouble) -> None:
        """Wait, or raise RunFailed where it was too often."""
        self._failures += 1
        if self._failures >= ATTEMPTS:
            raise RunFailed(
                f"{self._address}: {trouble.reason}, {ATTEMPTS} times in a row\n"
                "the same command goes on from here; --mirror URL asks another server"
            )
        wait = trouble.wait_seconds
        if wait is None:
            wait = 2.0 ** (self._failures - 1)
        wait = min(wait, LONGEST_WAIT_SECONDS)
        logger.info("%s: %s; trying again in %.0f s", self._address, trouble.reason, wait)
        self._sleep(wait)

    def __call__(self, action: Callable[[], Result]) -> Result:
        """The result of `action`, tried again while there is only `Trouble`."""
        while True:
            try:
                return action()
            except Trouble as trouble:
                self.failure(trouble)


def fetch(url: str) -> bytes:
    """A small file as a whole, with patience; `NotThere` where there is none."""

    def once() -> bytes:
        with request(url) as response:
            content = read(response, _MOST_OF_A_LIST)
            length = response.headers.get("Content-Length", "")
            if length.isdigit() and len(content) < int(length):
                raise Trouble("the connection was cut")
            return content

    return Patience(url)(once)


def remote_size(url: str) -> int | None:
    """Bytes of a file as the server states them, None where it does not."""

    def once() -> int | None:
        with request(url, method="HEAD") as response:
            length = response.headers.get("Content-Length", "")
            return int(length) if length.isdigit() else None

    return Patience(url)(once)


def request(url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Any:
    """An open response, to be read by `read`.

    Raises:
        NotThere, RangeRefused, Trouble: see there.
        InputError: the server refuses the request for good.
        RunFailed: the server's certificate cannot be verified.
    """
    asked = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **(headers or {})}
    try:
        return urlopen(Request(url, headers=asked, method=method), timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        error.close()
        if error.code in (404, 410):
            raise NotThere(url) from None
        if error.code == 416:
            raise RangeRefused(url) from None
        said = f"the server says {error.code} {_in_words(error.reason)}"
        if error.code in _MAY_PASS:
            raise Trouble(said, _retry_after(error.headers.get("Retry-After"))) from None
        raise InputError(f"{url}: {said}; check --mirror") from None
    except (URLError, OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise RunFailed(
                f"{url}: its certificate cannot be verified ({reason.verify_message})"
            ) from None
        raise Trouble(_in_words(reason)) from None


def read(response: Any, num_bytes: int) -> bytes:
    """At most `num_bytes` of a response, b"" at its end; Trouble where the connection breaks."""
    try:
        return response.read(num_bytes)
    except (OSError, http.client.HTTPException) as error:
        raise Trouble(_in_words(error)) from None


def _in_words(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS:.0f} s"
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return " ".join(str(text).split())


def _retry_after(value: str | None) -> float | None:
    """Seconds: the header has a number of them, or a date."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
