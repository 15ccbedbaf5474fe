"""Who trains which run: claims in a common directory, so that no run is trained twice.

A claim is a file `<run>.<n>` that names its owner; claims are never removed. The owner of a run is the holder of the
highest n. Who wants a run whose last claim is released or dead creates the file n + 1, which only one process can do;
an owner that was only slow finds the higher number and stops. A claim is dead when its process is gone (on the same
machine) or when its heartbeat is older than `stale_seconds`.
"""

import dataclasses
import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_pipelines.read_json import read_json

RELEASED = ".released"


def _machine() -> str:
    """This machine as processes see it: process numbers mean something inside it alone."""
    parts = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id",):
        parts += [Path(path).read_text().strip()] if Path(path).exists() else []
    if os.path.lexists("/proc/self/ns/pid"):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _started(pid: int) -> str:
    """When a process began, "" where there is none: a number that was given again is another process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _owner(path: Path) -> dict[str, Any]:
    """Who made a claim. Claims appear whole: a damaged one is of no living owner, but nobody may guess that."""
    keys = ("machine", "pid", "started")
    return read_json(path, "the owner of a run", keys=keys, remedy="delete it if nobody sweeps")


class Claim:
    """A run that this process owns, as long as its heartbeat goes."""

    def __init__(self, path: Path, *, beat_seconds: float, lost: Callable[[], None]):
        self.path, self._lost, self._beat = path, lost, beat_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"claim-{path.name}")
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._beat):
            try:
                if not self.held():
                    self._lost()
                    return
                os.utime(self.path)
            except OSError as error:  # The file system may be back at the next beat; if not, others take the run.
                print(f"{self.path}: no heartbeat: {error}", file=sys.stderr, flush=True)

    def held(self) -> bool:
        """Whether nobody took the run over."""
        run, _, number = self.path.name.rpartition(".")
        return not self.path.with_name(f"{run}.{int(number) + 1}").exists()

    def release(self) -> None:
        """Another process may take the run at once."""
        self._stop.set()
        self._thread.join()
        self.path.with_name(self.path.name + RELEASED).touch()


@dataclasses.dataclass(frozen=True)
class Claims:
    """The claims of a sweep.

    Args:
      directory: common to all workers.
      stale_seconds: age of a heartbeat at which its owner counts as dead.
    """

    directory: Path
    stale_seconds: float = 120.0

    @property
    def beat_seconds(self) -> float:
        """Between two heartbeats."""
        return self.stale_seconds / 10

    def last(self, run: str) -> Path | None:
        """The latest claim of a run."""
        numbers = [path.name.removeprefix(f"{run}.") for path in self.directory.glob(f"{run}.*")]
        claim_numbers = [int(number) for number in numbers if number.isdigit()]
        return self.directory / f"{run}.{max(claim_numbers)}" if claim_numbers else None

    def alive(self, run: str) -> bool:
        """Whether somebody trains this run now."""
        path = self.last(run)
        if path is None or path.with_name(path.name + RELEASED).exists():
            return False
        owner = _owner(path)
        if owner["machine"] == _machine():
            return _started(owner["pid"]) == owner["started"]
        return self.now() - path.stat().st_mtime < self.stale_seconds

    def beaten(self, run: str, since: float) -> bool:
        """Whether the owner certainly lives: its process is there, or its heart has beaten after `since` (of `now`).

        Until then a claim of another machine may be alive only because its owner died a moment ago.
        """
        path = self.last(run)
        if path is None or not self.alive(run):
            return False
        return _owner(path)["machine"] == _machine() or path.stat().st_mtime > since

    def deaths(self, run: str) -> int:
        """How often an owner died in this run, without having released it."""
        last = self.last(run)
        claims = range(1, int(last.name.rpartition(".")[2]) + 1) if last else range(0)
        unreleased = sum(not (self.directory / f"{run}.{number}{RELEASED}").exists() for number in claims)
        return unreleased - self.alive(run)

    def take(self, run: str, *, lost: Callable[[], None]) -> Claim | None:
        """The claim, or None where another process owns the run."""
        self.directory.mkdir(parents=True, exist_ok=True)
        last = self.last(run)
        if self.alive(run):
            return None
        number = int(last.name.rpartition(".")[2]) + 1 if last else 1
        owner = {"machine": _machine(), "pid": os.getpid(), "started": _started(os.getpid()), "time": time.time()}
        handle, partial = tempfile.mkstemp(dir=self.directory, prefix=".")
        with os.fdopen(handle, "w") as file:
            json.dump(owner, file)
        path = self.directory / f"{run}.{number}"
        try:
            os.link(partial, path)  # Whole or not at all, and for one process only, over NFS too.
        except FileExistsError:
            return None
        finally:
            os.unlink(partial)
        return Claim(path, beat_seconds=self.beat_seconds, lost=lost)

    def now(self) -> float:
        """The file system's clock, which all workers share."""
        with tempfile.NamedTemporaryFile(dir=self.directory, prefix=".clock") as file:
            return os.stat(file.name).st_mtime
