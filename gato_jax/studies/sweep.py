"""`gato sweep`: every run of a study, once, by any number of workers that share a directory.

plan.json            the runs of the study           claims/             who trains what (claims.py)
added.json           runs of proposals (proposals.py)
runs/<run>/          experiment.json, train/ (a run directory), and result.json or failed.json at the end
cache/               compiled steps, shared
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gato_jax.config import load_experiment
from gato_jax.config.encoding import decode, encode
from gato_jax.files import write_bytes, write_json
from gato_jax.studies.status import Status, status_of
from gato_jax.studies.study import Run, Study
from gato_jax.studies.workers.processes import start_workers

PLAN = "plan.json"
ADDED = "added.json"
Show = Callable[[Status], None]


def write_plan(study: Study, out: Path) -> list[Run]:
    """Writes what the workers need, of added runs too. A directory keeps one meaning: runs may be added, none changes.

    Raises:
      ValueError: `out` holds another study, or another experiment under the name of one of this study's runs.
    """
    runs, added = study.runs(), added_runs(out)
    found = [decode(Run, run) for run in _plan(out)["runs"]] if (out / PLAN).exists() else []
    asked = {run.name: run for run in runs}
    if changed := [run.name for run in found if asked.get(run.name) != run]:
        raise ValueError(f"{out} holds another study: runs {changed[:5]} differ or are gone; choose another --out")
    if twice := sorted(asked.keys() & {run.name for run in added}):
        raise ValueError(f"{out / ADDED} holds runs {twice}, which the study has too; give its points other names")
    experiments = [(run, study.experiment(run)) for run in (*runs, *added)]  # All, before the first is written.
    for run, experiment in experiments:
        path = run_directory(out, run) / "experiment.json"
        if not path.exists():
            write_bytes(path, experiment.to_json().encode())
        elif load_experiment(path) != experiment:  # Not as text: a setting may be younger than the file.
            raise ValueError(f"{path} holds another experiment than the study's {run.name!r}; choose another --out")
    domains = {domain: list(tasks) for domain, tasks in study.domains.items()}
    said = {"study": study.name, "domains": domains, "scored": list(study.scored)}
    write_json(out / PLAN, {**said, "runs": [encode(run) for run in runs]})
    return [*runs, *added]


def read_plan(out: Path) -> list[Run]:
    """The runs of a sweep directory, added ones last. Raises `ValueError` where there is none."""
    return [*(decode(Run, run) for run in _plan(out)["runs"]), *added_runs(out)]


def added_runs(out: Path) -> list[Run]:
    """Runs that the study does not name; they are trained as the study's own the next time that it is swept."""
    path = out / ADDED
    return [decode(Run, run) for run in json.loads(path.read_text())["runs"]] if path.exists() else []


def add_runs(out: Path, runs: Sequence[Run]) -> None:
    """Adds runs to a sweep directory; those that are there already stay."""
    there = {run.name for run in read_plan(out)}
    kept = [*added_runs(out), *(run for run in runs if run.name not in there)]
    write_json(out / ADDED, {"runs": [encode(run) for run in kept]})


def _plan(out: Path) -> dict[str, Any]:
    if not (out / PLAN).is_file():
        raise ValueError(f"{out} is no sweep directory: it has no {PLAN}")
    return json.loads((out / PLAN).read_text())


def run_directory(out: Path, run: Run) -> Path:
    """Where a run's files are."""
    return out / "runs" / run.name


def status(out: Path) -> Status:
    """What the files say now. Raises `ValueError` where there is no sweep."""
    return status_of(out, read_plan(out))


def results(out: Path) -> list[dict[str, Any]]:
    """The table: every finished run with its losses, in the order of the plan."""
    paths = [run_directory(out, run) / "result.json" for run in read_plan(out)]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def sweep(study: Study, out: Path, *, workers: int = 1, show: Show | None = None, poll_seconds: float = 2.0) -> Status:
    """Runs everything that is not done, in `workers` processes of this machine; call it again to go on.

    Others may sweep the same directory at the same time. A run that fails is marked with its reason, and the rest
    goes on; delete its failed.json to try again.

    Args:
      show: called with the state every `poll_seconds`.

    Raises:
      ValueError: the directory holds another study.
      RuntimeError: a worker itself ended with an error.
    """
    if workers < 1:
        raise ValueError(f"workers must be positive, found {workers}")
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


def study_of(out: Path) -> str:
    """The study's name."""
    return _plan(out)["study"]


def domains_of(out: Path) -> dict[str, Sequence[str]]:
    """Domain -> its tasks."""
    return _plan(out)["domains"]


def scored_roles(out: Path) -> Sequence[str]:
    """Roles whose runs are scored, beside their losses."""
    return _plan(out).get("scored", ())
