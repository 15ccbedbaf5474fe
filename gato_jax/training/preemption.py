"""Interrupts: SIGTERM and Ctrl-C become "stop at the next boundary", at the same step on every host.

`jax.distributed`'s service notices SIGTERM and agrees on a step among hosts. It answers True once, wants step ids that
rise, and is blinded by any other SIGTERM handler; so one object asks, remembers, and owns the ids. Ctrl-C is passed on
to it as a SIGTERM of our own.
"""

import os
import signal
import socket
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

import jax
from jax.experimental import multihost_utils

from gato_jax.training.config import Distributed


def start_distributed(mode: Distributed) -> None:
    """Starts `jax.distributed`: has to be the first use of JAX in the process. Does nothing where it runs already."""
    if mode is Distributed.OFF or jax.distributed.is_initialized():
        return
    if mode is Distributed.CLUSTER or "JAX_COORDINATOR_ADDRESS" in os.environ:
        jax.distributed.initialize()
        return
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    try:
        jax.distributed.initialize(f"localhost:{port}", num_processes=1, process_id=0)
    except RuntimeError as error:
        raise RuntimeError(
            "train must be the first use of JAX in its process, so that SIGTERM is noticed; in a notebook set "
            f"train.distributed to OFF ({error})"
        ) from error


class Preemption:
    """Asks once per boundary whether to stop. A context manager: it restores the signal handlers it replaced."""

    def __init__(self):
        self._service = jax.distributed.is_initialized()
        self._signalled = False
        self._stopped = False
        self._polls = 0
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Preemption":
        if threading.current_thread() is threading.main_thread():
            self._previous[signal.SIGINT] = signal.signal(signal.SIGINT, self._interrupt)
            if not self._service:
                self._previous[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def requested(self) -> bool:
        """True from the first boundary at which all hosts know of the signal. Call at every boundary on every host."""
        self._polls += 1
        if not self._stopped:
            if self._service:
                self._stopped = bool(multihost_utils.reached_preemption_sync_point(self._polls))
                # The service takes about a second to notice; one process need not wait for an agreement.
                self._stopped |= self._signalled and jax.process_count() == 1
            else:
                self._stopped = self._signalled
        return self._stopped

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._signalled:
            raise KeyboardInterrupt
        self._signalled = True
        print("\nstopping at the next boundary; press Ctrl-C again to stop at once", file=sys.stderr, flush=True)
        if self._service and jax.process_count() > 1:
            os.kill(os.getpid(), signal.SIGTERM)
