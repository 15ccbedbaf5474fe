"""A page in headless Chromium, driven over a pipe: what its console says, what is in it, and how it looks.

Uses the DevTools protocol (https://chromedevtools.github.io/devtools-protocol): JSON messages that end with a zero
byte, read by Chromium from file descriptor 3 and written to 4.
"""

import base64
import collections
import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed: chromium, or google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


class Page:
    """An open page; leave it with `close`, or use it in a `with`.

    Args:
      profile: an empty folder for the browser.
      seconds: that it may take to answer.
    """

    def __init__(self, profile: pathlib.Path, *, seconds: float = 30):
        (theirs_in, self._to), (self._from, theirs_out) = os.pipe(), os.pipe()
        # Chromium wants the two at 3 and 4: moved out of the way first, so that neither covers the other.
        high = [os.dup(theirs_in), os.dup(theirs_out)]
        script = f'exec 3<&{high[0]} 4>&{high[1]}; exec "$@"'
        command = [PROGRAM, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command], pass_fds=high, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for descriptor in (theirs_in, theirs_out, *high):
            os.close(descriptor)
        self._seconds, self._buffer, self._number, self._session = seconds, b"", 0, None
        self.complaints: list[str] = []
        """Errors and warnings of the page's console, and exceptions of its code."""
        self._events: collections.Counter[str] = collections.Counter()
        target = next(t for t in self.send("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for descriptor in (self._to, self._from):
            os.close(descriptor)

    def send(self, method: str, **parameters):
        """Calls a method of the protocol and waits for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _receive(self) -> dict:
        deadline = time.monotonic() + self._seconds
        while b"\0" not in self._buffer:
            assert time.monotonic() < deadline, "Chromium does not answer"
            data = os.read(self._from, 1 << 16)
            assert data, f"Chromium ended with code {self._process.wait()}"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(line)
        self._events[message.get("method", "")] += 1
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        if message.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(parameters["args"]))
        if message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"]["text"])
        return message

    def open(
        self, path: pathlib.Path | str, *, width: int = 1280, height: int = 900, dark: bool = False, at: str = ""
    ) -> None:
        """Loads a file or an address at a width, light or dark; `at` stands behind the # of the address."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url="about:blank")
        loaded = self._events["Page.loadEventFired"] + 1
        address = path if isinstance(path, str) else path.resolve().as_uri()
        self.send("Page.navigate", url=address + (f"#{at}" if at else ""))
        while self._events["Page.loadEventFired"] < loaded or self.run("document.readyState") != "complete":
            time.sleep(0.02)
            self.run("0")

    def run(self, code: str):
        """The value of an expression in the page."""
        result = self.send("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, code: str, *, seconds: float = 10):
        """Waits until an expression is true, and returns it."""
        deadline = time.monotonic() + seconds
        while not (value := self.run(code)):
            assert time.monotonic() < deadline, f"never true: {code}"
            time.sleep(0.05)
        return value

    def screenshot(self, path: pathlib.Path, *, whole: bool = False) -> None:
        """Writes what can be seen, or the whole page, as a PNG."""
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))
