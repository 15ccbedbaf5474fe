"""Interrupts: SIGTERM and Ctrl-C become "stop at the next boundary", at the same boundary on every host.

JAX's own preemption service is switched off: it compares step ids for equality, and Orbax asks it too, with ids of its
own, so a signal that comes while a checkpoint is saved would be lost. Here a boundary is counted by one object, and the
hosts agree through `Peers`.
"""

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

import jax

from gato_jax.config import Distributed, TrainConfig
from gato_jax.training.distributed.process_group import Peers


def start_distributed(config: TrainConfig) -> None:
    """Starts `jax.distributed` where there is more than this process: has to be the first use of JAX in it.

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
    if address is None and config.distributed is Distributed.LOCAL:
        return
    explicit = None not in (address, processes, process)
    jax.config.update("jax_enable_preemption_service", False)
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
            f"with several processes, train must be the first use of JAX in each of them ({error})"
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
