"""`gato sweep`: every run of a study, once, by any number of workers that share a directory.

plan.json            the runs of the study           claims/             who trains what (claims.py)
added.json           runs of proposals (proposals.py)
runs/<run>/          experiment.json, train/ (a run directory), and result.json or failed.json at the end
cache/               compiled steps, shared
"""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gato_jax.files import write_bytes, write_json
from gato_jax.serialize import decode, encode
from gato_jax.studies.claims import Claims
from gato_jax.studies.study import Run, Study

PLAN = "plan.json"
ADDED = "added.json"
Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Status:
    """How far a sweep is: runs by state, and the seconds of those that are done."""

    done: tuple[str, ...]
    failed: Mapping[str, str]
    running: tuple[str, ...]
    waiting: tuple[str, ...]
    seconds: float

    def line(self, *, workers: int = 1) -> str:
        """One line, with the time that is left at the mean speed so far."""
        left = len(self.running) + len(self.waiting)
        eta = (
            f", about {self.seconds / len(self.done) * left / workers / 60:.0f} min left" if self.done and left else ""
        )
        counts = f"{len(self.done)} done, {len(self.failed)} failed, {len(self.running)} running"
        return f"{counts}, {len(self.waiting)} waiting{eta}"


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
    for run in (*runs, *added):
        path, text = run_directory(out, run) / "experiment.json", study.experiment(run).to_json()
        if path.exists() and path.read_text() != text:
            raise ValueError(f"{path} holds another experiment than the study's {run.name!r}; choose another --out")
        write_bytes(path, text.encode())
    domains = {domain: list(tasks) for domain, tasks in study.domains.items()}
    write_json(out / PLAN, {"study": study.name, "domains": domains, "runs": [encode(run) for run in runs]})
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
    """What the files say now."""
    claims, seconds = Claims(out / "claims"), 0.0
    states: dict[str, str] = {}
    failed: dict[str, str] = {}
    for run in read_plan(out):
        directory = run_directory(out, run)
        if (directory / "result.json").exists():
            states[run.name] = "done"
            seconds += json.loads((directory / "result.json").read_text())["seconds"]
        elif (directory / "failed.json").exists():
            failed[run.name] = json.loads((directory / "failed.json").read_text())["reason"]
        else:
            states[run.name] = "running" if claims.alive(run.name) else "waiting"
    of = lambda state: tuple(name for name, found in states.items() if found == state)  # noqa: E731
    return Status(of("done"), failed, of("running"), of("waiting"), seconds)


def results(out: Path) -> list[dict[str, Any]]:
    """The table: every finished run with its losses, in the order of the plan."""
    paths = [run_directory(out, run) / "result.json" for run in read_plan(out)]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def sweep(study: Study, out: Path, *, workers: int = 1, say: Say = print, poll_seconds: float = 2.0) -> Status:
    """Runs everything that is not done, in `workers` processes of this machine; call it again to go on.

    Others may sweep the same directory at the same time. A run that fails is marked with its reason, and the rest
    goes on; delete its failed.json to try again.

    Raises:
      ValueError: the directory holds another study.
      RuntimeError: a worker itself ended with an error.
    """
    if workers < 1:
        raise ValueError(f"workers must be positive, found {workers}")
    write_plan(study, out)
    cache = {"JAX_COMPILATION_CACHE_DIR": str((out / "cache").resolve())}
    cache["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    command = [sys.executable, "-m", "gato_jax.studies.worker", str(out.resolve())]
    processes = []
    try:
        for number in range(workers):
            with (out / f"worker-{os.getpid()}-{number}.log").open("w") as log:
                processes.append(subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **cache}))
        last = ""
        while any(process.poll() is None for process in processes):
            time.sleep(poll_seconds)
            if (line := status(out).line(workers=workers)) != last:
                say(line)
                last = line
    finally:
        for process in processes:
            process.terminate()  # Saves a checkpoint; of a process that has ended, nothing.
        codes = [process.wait() for process in processes]
    if any(codes):
        raise RuntimeError(f"workers ended with exit codes {codes}; see {out}/worker-{os.getpid()}-*.log")
    return status(out)


def pod_manifest(study: str, out: Path, *, workers: int, image: str) -> str:
    """A Kubernetes job of `workers` pods that sweep one directory, which a volume of yours has to bring."""
    import yaml

    container = {
        "name": "sweep",
        "image": image,
        "command": ["gato", "sweep", study, "--out", str(out), "--workers", "1"],
        "volumeMounts": [{"name": "sweep", "mountPath": str(out.parent)}],
    }
    claim = {"name": "sweep", "persistentVolumeClaim": {"claimName": "gato-sweep"}}
    pod = {"restartPolicy": "OnFailure", "containers": [container], "volumes": [claim]}
    spec = {"completionMode": "Indexed", "completions": workers, "parallelism": workers, "template": {"spec": pod}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "gato-sweep"}, "spec": spec}
    return yaml.safe_dump(job, sort_keys=False)


def study_of(out: Path) -> str:
    """The study's name."""
    return _plan(out)["study"]


def domains_of(out: Path) -> dict[str, Sequence[str]]:
    """Domain -> its tasks."""
    return _plan(out)["domains"]
