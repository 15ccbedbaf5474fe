"""Joining the other processes of a run, through `jax.distributed`.

JAX aborts the process from C++ when the others do not answer in time. So it joins in a thread, with more time than
it is given here: the limit that counts is ours, and ends in an error that says who was waited for.
"""

import os
import socket
import threading
from typing import Any

import jax

from gato_jax.config import Distributed, TrainConfig

NEVER_SECONDS = 10**6
"""Longer than any run waits: JAX's own limit, behind which it aborts."""
PROBE_SECONDS = 5.0


class NotJoined(RuntimeError):
    """The processes of a run did not find each other in time; the message has the address and the time waited."""


def start_distributed(config: TrainConfig) -> None:
    """Starts `jax.distributed` where there is more than this process: has to be the first use of JAX in it.

    With an explicit address (`train.coordinator` or `JAX_COORDINATOR_ADDRESS`) the number of processes and this one's
    index are `train.processes` and `train.process`, or `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID`, or what JAX detects.

    Raises:
      ValueError: an address or numbers that are missing or do not fit.
      NotJoined: the other processes did not come within `train.wait_minutes`.
      RuntimeError: JAX runs already.
    """
    if config.distributed is Distributed.OFF or jax.distributed.is_initialized():
        return
    address = config.coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    processes = _number(config.processes, "JAX_NUM_PROCESSES")
    process = _number(config.process, "JAX_PROCESS_ID")
    if address is None and config.distributed is Distributed.LOCAL:
        return
    if address is not None:
        _split(address)
    explicit = None not in (address, processes, process)
    jax.config.update("jax_enable_preemption_service", False)
    arguments = {
        "coordinator_address": address,
        "num_processes": processes,
        "process_id": process,
        "cluster_detection_method": "deactivate" if explicit else None,
        "initialization_timeout": NEVER_SECONDS,
        "shutdown_timeout_seconds": 30,
    }
    try:
        _initialize(arguments, seconds=60 * config.wait_minutes)
    except ValueError as error:
        raise ValueError(
            "jax.distributed could not be started: nothing here says how many processes there are (no TPU metadata, "
            "SLURM, Open MPI or Kubernetes); set train.coordinator, train.processes and train.process, or "
            f"JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID ({error})"
        ) from error
    except NotJoined:
        raise
    except RuntimeError as error:
        if "must be called before" in str(error):
            reason = "with several processes, train must be the first use of JAX in each of them"
            raise RuntimeError(f"{reason} ({error})") from error
        raise NotJoined(f"process {process} could not join the others at coordinator {address}: {error}") from error


def _initialize(arguments: dict[str, Any], *, seconds: float) -> None:
    """`jax.distributed.initialize`, for at most so many seconds."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            jax.distributed.initialize(**arguments)
        except Exception as error:  # raised again below, in the thread that waits
            failed.append(error)

    # A daemon: where nobody comes it never ends, and the process must be able to.
    thread = threading.Thread(target=run, name="join", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if thread.is_alive():
        raise NotJoined(_nobody(arguments, seconds))


def _nobody(arguments: dict[str, Any], seconds: float) -> str:
    """What was waited for, and what is there instead."""
    address, processes, process = (arguments[name] for name in ("coordinator_address", "num_processes", "process_id"))
    waited = f"waited {seconds:.0f} s (train.wait_minutes)"
    if address is None:
        return f"{waited} for the coordinator that this cluster names; it did not answer, or not all processes came"
    if process == 0:
        return f"process 0 at coordinator {address} {waited} for {processes} processes; not all of them came"
    who = f"process {process} of {processes}: coordinator {address} could not be reached, {waited}"
    host, port = _split(address)
    try:
        socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
    except OSError as error:
        return (
            f"{who}: {error}. Is process 0 running there, and is the port open to this host ({socket.gethostname()})?"
        )
    return f"{who}: something listens there, but it is not the run's process 0, or not all {processes} processes came"


def _split(address: str) -> tuple[str, int]:
    """Host and port of "host:port". Raises `ValueError` for other texts."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(f'train.coordinator must be "host:port", as in "host0:1234", found {address!r}')
    return host.strip("[]"), int(port)


def _number(value: int | None, variable: str) -> int | None:
    if value is not None or variable not in os.environ:
        return value
    text = os.environ[variable]
    if not text.isdigit():
        raise ValueError(f"{variable} must be a number, found {text!r}")
    return int(text)
