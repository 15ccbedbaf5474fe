"""Headless Chromium for tests of pages: opens a file at some width and says what its console and layout say.

It is driven by the DevTools protocol over two pipes (`--remote-debugging-pipe`), which needs no library.
"""

import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
SECONDS = 60.0


def found() -> str | None:
    """The program, where there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


class Browser:
    """One tab. Made by `browser`."""

    def __init__(self, process: subprocess.Popen, to: int, back: int):
        self._process, self._to, self._back = process, to, back
        self._number, self._rest, self._events = 0, b"", []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = None
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, page: pathlib.Path, *, width: int, dark: bool = False) -> dict:
        """Opens a page.

        Returns:
          "errors": what the console says that is an error or a warning, and what was asked of the network;
          "scroll": width of what is laid out, in CSS pixels; "height": of the whole page.
        """
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Network.enable")
        self._events.clear()
        self._call("Page.navigate", url=page.resolve().as_uri())
        self._wait("Page.loadEventFired")
        size = self.run("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        errors = [text for event in self._events if (text := _complaint(event))]
        return {"errors": errors, "scroll": size[0], "height": size[1]}

    def run(self, expression: str):
        """The value of a JavaScript expression in the page."""
        result = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def picture(self, path: pathlib.Path) -> None:
        """Writes a PNG of the whole page."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self._call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **parameters) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._events.append(answer)

    def _wait(self, method: str) -> None:
        while not any(event.get("method") == method for event in self._events):
            self._events.append(self._read())

    def _read(self) -> dict:
        until = time.monotonic() + SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._back], [], [], max(0, until - time.monotonic()))
            assert ready, f"Chromium said nothing for {SECONDS:.0f} s"
            more = os.read(self._back, 1 << 20)
            assert more, f"Chromium ended with code {self._process.poll()}"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)


def _complaint(event: dict) -> str:
    parameters = event.get("params", {})
    match event.get("method"):
        case "Runtime.exceptionThrown":
            return json.dumps(parameters["exceptionDetails"])
        case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
            return json.dumps(parameters["args"])
        case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
            return parameters["entry"]["text"]
        case "Network.requestWillBeSent":
            url = urllib.parse.urlparse(parameters["request"]["url"])
            return "" if url.scheme in ("file", "data") else f"asked for {url.geturl()}"
    return ""


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium that ends with the block."""
    program = found()
    assert program is not None
    down, to = os.pipe()
    back, up = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["sh", "-c", f'exec "$@" 3<&{down} 4>&{up}', "sh", program, *FLAGS, f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            [*command, "about:blank"], pass_fds=(down, up), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(down)
        os.close(up)
        try:
            yield Browser(process, to, back)
        finally:
            process.kill()
            process.wait()
            os.close(to)
            os.close(back)
