"""Chromium without a window, driven over a pipe by the DevTools protocol: no further package.

    with Browser(program, profile_folder) as browser:
        tab = browser.open(path, width=400, dark=True)
        tab.value("document.title")

Every tab keeps what the page said on the console and what it asked the network for.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds until an answer that does not come is an error."""
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--remote-debugging-pipe",
)  # fmt: skip


class Browser:
    """One process; its protocol stands on file descriptors 3 (to it) and 4 (from it)."""

    def __init__(self, program: str, profile: Path) -> None:
        from_us, self._send = os.pipe()
        self._receive, from_it = os.pipe()
        # The shell moves the two ends to where the protocol wants them, whatever their numbers are.
        script = f'exec "$@" 3<&{from_us} 4>&{from_it}'
        command = ["bash", "-c", script, "bash", program, *_FLAGS, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            command, pass_fds=(from_us, from_it), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(from_us)
        os.close(from_it)
        self._number, self._buffer = 0, b""
        self._tabs: dict[str, Tab] = {}

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._send)
        os.close(self._receive)
        self._process.terminate()
        self._process.wait(timeout=PATIENCE)

    def open(self, page: Path, width: int = 1400, dark: bool = False, fragment: str = "") -> Tab:
        """A tab of its own with the page loaded at a width in CSS pixels."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        tab.call("Emulation.setEmulatedMedia", features=[scheme])
        tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        tab.call("Page.navigate", url=page.resolve().as_uri() + fragment)
        while not tab.loaded:
            self._read()
        return tab

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """The result of a method of the protocol."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == message["id"]:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def _read(self) -> dict[str, Any]:
        """The next message; what belongs to a tab is noted there."""
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._receive], [], [], max(0.0, until - time.monotonic()))
            received = os.read(self._receive, 1 << 16) if ready else b""
            assert received, "the browser does not answer"
            self._buffer += received
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        tab = self._tabs.get(message.get("sessionId", ""))
        if tab is not None and "method" in message:
            tab.note(message["method"], message["params"])
        return message


class Tab:
    """One page: its console, its requests, and what can be asked of it."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.console: list[str] = []
        self.requests: list[str] = []
        self.loaded = False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def note(self, method: str, parameters: dict[str, Any]) -> None:
        """Keep an event."""
        if method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Log.entryAdded":
            self.console.append(parameters["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.console.append(parameters["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.console.append(str(parameters["args"]))

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is on the page."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def value_becomes(self, expression: str, wanted: Any) -> None:
        """Wait until an expression has a value: scrolling takes some frames."""
        until = time.monotonic() + PATIENCE
        while self.value(expression) != wanted:
            assert time.monotonic() < until, expression
            time.sleep(0.02)

    def press(self, key: str, code: int) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code
            )

    def picture(self, top: float = 0, height: float = 900) -> bytes:
        """A part of the page as PNG, over its whole width."""
        width = self.value("window.innerWidth")
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        found = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(found["data"])
