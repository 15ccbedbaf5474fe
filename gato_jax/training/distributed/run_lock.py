"""One run in a directory: a lock that dies with the process that holds it.

The lock is an advisory lock of the file system, which the kernel takes back when the process ends, however it ends. It
is held twice: on the directory itself, which stays when somebody deletes `run.lock`, and on that file, for file systems
that do not lock directories. Network file systems may not share such locks between hosts, so the holder also writes who
it is and touches the file; another host that finds a stranger's name waits until the touches have stopped before it
takes over. A holder whose file was deleted writes it again; one that finds another's file in its place has lost the
directory, and ends before it writes there again.
"""

import contextlib
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
      touch_seconds: between touches, at which the file is also looked at; `TOUCH_SECONDS` if None.

    Raises:
      RunLocked: a living process holds it.
      OSError: the directory cannot be written.
    """

    def __init__(
        self,
        out: Path,
        *,
        say: Callable[[str], None],
        stale_seconds: float = STALE_SECONDS,
        touch_seconds: float | None = None,
    ):
        self._path, self._say, self._stale, self._touch_seconds = (
            out / NAME,
            say,
            stale_seconds,
            touch_seconds or TOUCH_SECONDS,
        )
        self._me = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        self._lost: str | None = None
        self._opened = contextlib.ExitStack()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._touch, name="run-lock", daemon=True)

    def __enter__(self) -> "RunLock":
        self._created = not self._path.parent.exists()
        with contextlib.ExitStack() as opened:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                directory = os.open(self._path.parent, os.O_RDONLY)
                opened.callback(os.close, directory)
                self._lock_directory(directory)  # First: who is refused here leaves no file behind.
                self._file = self._path.open("a+")
            except OSError as error:
                reason = error.strerror or error
                raise OSError(f"cannot write in the run directory {self._path.parent}: {reason}") from error
            opened.callback(lambda: self._file.close())
            if not _lock(self._file.fileno()):
                raise RunLocked(self._held(self._holder()))
            if not self._is_mine():
                raise RunLocked(f"{self._path} was replaced while this run took it; start the same command again")
            self._wait_for_another_host()
            self._opened = opened.pop_all()
        self._write(self._me)
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed.set()
        self._thread.join()
        if self._lost is None and self._is_mine():
            self._write(None)
            if self._created and [path.name for path in self._path.parent.iterdir()] == [NAME]:
                # The run was refused before it wrote anything.
                self._path.unlink()
                self._path.parent.rmdir()
        self._opened.close()

    def check(self) -> None:
        """Raises `RunLocked` where another process has taken the directory over; call before writing there."""
        if self._lost is not None:
            raise RunLocked(self._lost)

    def _lock_directory(self, directory: int) -> None:
        """Raises `RunLocked` where a process of this host holds the directory, whatever became of the file in it."""
        try:
            free = _lock(directory)
        except OSError:  # This file system locks files only.
            return
        if not free:
            raise RunLocked(self._held(self._holder()))

    def _is_mine(self) -> bool:
        """Whether the file in the directory is the one that is locked here."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._file.fileno()))
        except OSError:  # Deleted, with its directory perhaps.
            return False

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
        """What the file says; nothing where it was deleted."""
        try:
            return json.loads(self._path.read_text() or "{}")
        except (FileNotFoundError, ValueError):  # Cut short when the holder's host died.
            return {}

    def _write(self, holder: dict | None) -> None:
        self._file.seek(0)
        self._file.truncate()
        if holder is not None:
            self._file.write(json.dumps(holder))
        self._file.flush()

    def _touch(self) -> None:
        while not self._closed.wait(self._touch_seconds):
            if self._is_mine():
                os.utime(self._file.fileno())
            elif (lost := self._write_again()) is not None:
                self._lost = lost
                self._say(lost)
                return

    def _write_again(self) -> str | None:
        """The file was deleted while the run goes on. None where it is there again, else why it cannot be."""
        deleted = f"{self._path} was deleted while this run trains there"
        try:
            file = self._path.open("a+")
        except OSError as error:
            return f"{deleted}, and cannot be written again: {error.strerror or error}"
        holder = self._holder()
        if not _lock(file.fileno()) or (holder and holder["host"] != self._me["host"]):
            file.close()
            return f"{deleted}, and now {self._held(holder)}"
        previous, self._file = self._file, file
        self._write(self._me)
        previous.close()
        self._say(f"{deleted}; it is written again")
        return None


def _lock(descriptor: int) -> bool:
    """Whether the file or directory could be locked. Raises `OSError` where its file system does not lock such."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
