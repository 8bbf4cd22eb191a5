"""Headless Chromium for tests of pages, spoken to over a pipe: what a page logs, asks for, and looks like."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

EXECUTABLE = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
]


class Page:
    """An opened page; use as a context manager.

    Attributes:
        errors: what it logged as an error or warning, and uncaught exceptions.
        requests: addresses that it asked for, itself first, data URIs left out.
    """

    def __init__(self, path: Path, width: int = 1280, height: int = 900, dark: bool = False):
        self.address = path.resolve().as_uri()
        self.width, self.height, self.dark = width, height, dark
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._number = 0
        self._session: str | None = None

    def __enter__(self) -> Page:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        (read_end, self._to), (self._from, write_end) = os.pipe(), os.pipe()
        # Chromium reads from descriptor 3 and writes to 4.
        command = f'exec "$@" 3<&{read_end} 4>&{write_end}'
        arguments = [EXECUTABLE, *_FLAGS, f"--user-data-dir={self._profile.name}"]
        self._process = subprocess.Popen(
            ["bash", "-c", command, "chromium", *arguments],
            pass_fds=(read_end, write_end),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_end)
        os.close(write_end)
        self._replies = os.fdopen(self._from, "rb")
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if self.dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        phone = self.width < 600
        size = {"width": self.width, "height": self.height}
        self.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.call("Page.navigate", url=self.address)
        self._until("Page.loadEventFired")
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        os.close(self._to)
        self._replies.close()
        self._profile.cleanup()

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    def screenshot(self, path: Path, top: float = 0, height: float | None = None) -> None:
        """A picture of a part of the page, as high as the window by default, `top` pixels from its beginning."""
        clip = {"x": 0, "y": top, "width": self.width, "height": height or self.height, "scale": 1}
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(answer["data"]))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        answer = self._until(self._number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _until(self, awaited: int | str) -> dict[str, Any]:
        while True:
            message = self._receive()
            self._note(message)
            if awaited in (message.get("id"), message.get("method")):
                return message

    def _receive(self) -> dict[str, Any]:
        received = bytearray()
        while (byte := self._replies.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("Chromium ended.")
            received += byte
        return json.loads(received)

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent" and not params["request"]["url"].startswith("data:"):
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["text"])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(str([argument.get("value") for argument in params["args"]]))
