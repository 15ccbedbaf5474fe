"""One run in a directory: a lock that dies with the process that holds it.

The lock is an advisory lock of the file system, which the kernel takes back when the process ends, however it ends.
Network file systems may not share such locks between hosts, so the holder also writes who it is and touches the file;
another host that finds a stranger's name waits until the touches have stopped before it takes over.
"""

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

NAME = "run.lock"
TOUCH_SECONDS = 5.0
STALE_SECONDS = 20.0


class RunLocked(RuntimeError):
    """Another process trains in this directory; the message says which."""


class RunLock:
    """Context manager that holds the lock of a run directory, which it creates.

    Args:
      out: run directory.
      say: called with a line while another host's lock may be a dead one.
      stale_seconds: how long another host's touches must have stopped.

    Raises:
      RunLocked: a living process holds it.
      OSError: the directory cannot be written.
    """

    def __init__(self, out: Path, *, say: Callable[[str], None], stale_seconds: float = STALE_SECONDS):
        self._path, self._say, self._stale = out / NAME, say, stale_seconds
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._touch, name="run-lock", daemon=True)

    def __enter__(self) -> "RunLock":
        self._created = not self._path.parent.exists()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+")
        except OSError as error:
            raise OSError(
                f"cannot write in the run directory {self._path.parent}: {error.strerror or error}"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunLocked(self._held(self._holder())) from None
        self._wait_for_another_host()
        self._write({"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")})
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed.set()
        self._thread.join()
        self._write(None)
        if self._created and [path.name for path in self._path.parent.iterdir()] == [NAME]:
            # The run was refused before it wrote anything.
            self._path.unlink()
            self._path.parent.rmdir()
        self._file.close()

    def _wait_for_another_host(self) -> None:
        """The kernel gave us the lock, but it may not know what happens on the host that is written in the file."""
        holder = self._holder()
        if not holder or holder.get("host") == socket.gethostname():
            return
        touched, since = self._path.stat().st_mtime, time.monotonic()
        self._say(f"{self._path}: last held on {holder['host']}; waiting {self._stale:.0f} s to see whether it lives")
        while time.monotonic() - since < self._stale:
            time.sleep(min(1.0, self._stale / 5))
            if self._path.stat().st_mtime != touched:
                raise RunLocked(self._held(holder))

    def _held(self, holder: dict) -> str:
        who = f"process {holder['pid']} on {holder['host']}, since {holder['since']}" if holder else "another process"
        return f"{self._path.parent} is being trained by {who}; stop that run first, or choose another directory"

    def _holder(self) -> dict:
        text = self._path.read_text()
        try:
            return json.loads(text) if text else {}
        except ValueError:  # Cut short when the holder's host died.
            return {}

    def _write(self, holder: dict | None) -> None:
        self._file.seek(0)
        self._file.truncate()
        if holder is not None:
            self._file.write(json.dumps(holder))
        self._file.flush()

    def _touch(self) -> None:
        while not self._closed.wait(TOUCH_SECONDS):
            os.utime(self._path)
