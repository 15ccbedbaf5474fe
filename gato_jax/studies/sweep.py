"""`gato sweep`: every run of a study, once, by any number of workers that share a directory.

plan.json            the runs of the study           claims/             who trains what (claims.py)
added.json           runs of proposals (proposals.py)
runs/<run>/          experiment.json, train/ (a run directory), and result.json or failed.json at the end
cache/               compiled steps, shared
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_pipelines.ranges import Count, check_call
from gato_jax.studies.plan import read_plan, run_directory, write_plan
from gato_jax.studies.status import RESULT, Status, read_result, status_of
from gato_jax.studies.study import Study
from gato_jax.studies.workers.processes import start_workers

Show = Callable[[Status], None]


def status(out: Path) -> Status:
    """What the files say now. Raises `ValueError` where there is no sweep."""
    return status_of(out, read_plan(out))


def results(out: Path) -> list[dict[str, Any]]:
    """The table: every finished run with its losses, in the order of the plan."""
    directories = [run_directory(out, run) for run in read_plan(out)]
    return [read_result(directory) for directory in directories if (directory / RESULT).exists()]


def sweep(
    study: Study, out: Path, *, workers: Count = 1, show: Show | None = None, poll_seconds: float = 2.0
) -> Status:
    """Runs everything that is not done, in `workers` processes of this machine; call it again to go on.

    Others may sweep the same directory at the same time. A run that fails is marked with its reason, and the rest
    goes on; delete its failed.json to try again.

    Args:
      show: called with the state every `poll_seconds`.

    Raises:
      ValueError: the directory holds another study.
      RuntimeError: a worker itself ended with an error.
    """
    check_call(sweep, {"workers": workers})
    write_plan(study, out)
    processes = start_workers(out, workers)
    try:
        while any(process.poll() is None for process in processes):
            time.sleep(poll_seconds)
            if show is not None:
                show(status(out))
    finally:
        for process in processes:
            process.terminate()  # Saves a checkpoint; of a process that has ended, nothing.
        codes = [process.wait() for process in processes]
    if any(codes):
        state = status(out)
        left = [*state.running, *state.waiting]
        raise RuntimeError(
            f"workers ended with exit codes {codes}; {len(state.done)} runs are done, {len(state.failed)} failed, left "
            f"are {left[:5]}; see {out}/worker-*-{os.getpid()}-*.log"
        )
    return status(out)
