"""A thread that writes down where the process is when a part of the loop takes too long."""

import faulthandler
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import jax

from gato_jax.training.distributed.process_group import Peers
from gato_jax.training.logging.timer import Timer

DIRECTORY = "stalls"


class Watchdog:
    """Context manager. When the loop stays in one part for longer than `seconds`, it writes the stacks of all threads.

    They go to `<run>/stalls/step-<n>-process-<i>.txt`, once for each stall; the run goes on. With several processes,
    all that stall say where, so that the one which the others wait for can be seen.
    """

    def __init__(self, timer: Timer, out: Path, *, seconds: float, peers: Peers, say: Callable[[str], None]):
        self._timer, self._out, self._seconds, self._peers, self._say = timer, out, seconds, peers, say
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        told = None
        while not self._closed.wait(min(self._seconds / 4, 5.0)):
            now = self._timer.now
            if now != told and time.monotonic() - now[2] > self._seconds:
                told = now
                self._write(*now)

    def _write(self, step: int, part: str, since: float) -> None:
        where = f"step {step}, {part}"
        path = self._out / DIRECTORY / f"step-{step}-process-{jax.process_index()}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {where}: {time.monotonic() - since:.0f} s\n")
            file.flush()
            faulthandler.dump_traceback(file, all_threads=True)
        self._say(f"{where} takes longer than {self._seconds:.0f} s; the stacks are in {path}")
        time.sleep(min(self._seconds / 4, 5.0))  # The others stall at nearly the same time.
        for name, text in self._peers.tell_where(where).items():
            self._say(f"  {name}: {text}")
