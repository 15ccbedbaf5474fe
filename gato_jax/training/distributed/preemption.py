"""Interrupts: SIGTERM and Ctrl-C become "stop at the next boundary", at the same boundary on every host.

JAX's own preemption service is switched off: it compares step ids for equality, and Orbax asks it too, with ids of its
own, so a signal that comes while a checkpoint is saved would be lost. Here a boundary is counted by one object, and the
hosts agree through `Peers`.
"""

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

import jax

from gato_jax.training.distributed.process_group import Peers


class Preemption:
    """Says once per boundary whether to stop. A context manager: it restores the signal handlers it replaced."""

    def __init__(self):
        self._peers: Peers | None = None
        self._signalled = self._told = False
        self._lock = threading.Lock()
        self._boundaries = 0
        self._stop_at: int | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def join(self, peers: Peers) -> None:
        """From here on all hosts stop when one of them is signalled."""
        self._peers = peers
        peers.on_stop = self._agree

    def __enter__(self) -> "Preemption":
        if threading.current_thread() is threading.main_thread():
            self._previous[signal.SIGINT] = signal.signal(signal.SIGINT, self._interrupt)
            self._previous[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @property
    def signalled(self) -> bool:
        """Whether this process was signalled, whatever the others know of it."""
        return self._signalled

    def requested(self) -> bool:
        """True from the first boundary at which all hosts know of a signal. Call at every boundary on every host."""
        # While the hosts agree, the lock keeps this one from going on to further boundaries.
        with self._lock:
            self._boundaries += 1
            if self._signalled and not self._told:
                self._told = True
                if jax.process_count() == 1 or self._peers is None:
                    self._stop_at = self._boundaries
                else:
                    self._peers.ask_to_stop()
            return self._stop_at is not None and self._boundaries >= self._stop_at

    def _agree(self) -> None:
        """Runs in a thread on every host: stop at the boundary after the farthest that any host has reached."""
        assert self._peers is not None
        with self._lock:
            self._told = True
            self._stop_at = self._peers.largest("boundaries", self._boundaries) + 1

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._signalled:
            raise KeyboardInterrupt
        self._signalled = True
        print("\nstopping at the next boundary; press Ctrl-C again to stop at once", file=sys.stderr, flush=True)
