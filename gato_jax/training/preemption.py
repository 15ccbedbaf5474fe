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

from gato_jax.training.config import Distributed, TrainConfig


def start_distributed(config: TrainConfig) -> None:
    """Starts `jax.distributed`: has to be the first use of JAX in the process. Does nothing where it runs already.

    With an explicit address (`train.coordinator` or `JAX_COORDINATOR_ADDRESS`) the number of processes and this one's
    index are `train.processes` and `train.process`, or `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID`, or what JAX detects.

    Raises:
      ValueError: numbers that are missing or do not fit.
      RuntimeError: JAX runs already, or the other processes did not come.
    """
    if config.distributed is Distributed.OFF or jax.distributed.is_initialized():
        return
    address = config.coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    processes = _number(config.processes, "JAX_NUM_PROCESSES")
    process = _number(config.process, "JAX_PROCESS_ID")
    local = address is None and config.distributed is Distributed.LOCAL
    if local:
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            address, processes, process = f"localhost:{probe.getsockname()[1]}", 1, 0
    explicit = None not in (address, processes, process)
    try:
        jax.distributed.initialize(
            address,
            num_processes=processes,
            process_id=process,
            cluster_detection_method="deactivate" if explicit else None,
            initialization_timeout=int(60 * config.wait_minutes),
            shutdown_timeout_seconds=30,
        )
    except RuntimeError as error:
        if "must be called before" not in str(error):
            raise
        raise RuntimeError(
            "train must be the first use of JAX in its process, so that SIGTERM is noticed; in a notebook set "
            f"train.distributed to OFF ({error})"
        ) from error
    except ValueError as error:
        raise ValueError(
            "jax.distributed could not be started: nothing here says how many processes there are (no TPU metadata, "
            "SLURM, Open MPI or Kubernetes); set train.coordinator, train.processes and train.process, or "
            f"JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID ({error})"
        ) from error


def _number(value: int | None, variable: str) -> int | None:
    if value is not None or variable not in os.environ:
        return value
    text = os.environ[variable]
    if not text.isdigit():
        raise ValueError(f"{variable} must be a number, found {text!r}")
    return int(text)


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
