"""Where the workers of a sweep run: processes of this machine, a SLURM job array, pods. Imports nothing heavy.

Wherever they run, they share nothing but the sweep's directory.
"""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def cache_environment(out: Path) -> dict[str, str]:
    """Variables with which all processes of a sweep share their compiled steps."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str((out / "cache").resolve()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def start_workers(out: Path, count: int) -> list[subprocess.Popen[bytes]]:
    """Processes of this machine, each with cores of its own; what they say goes to worker-<host>-<pid>-<n>.log.

    They save their runs and end when this process does, whatever ended it.
    """
    command = [sys.executable, "-m", "gato_jax.studies.workers.worker", str(out.resolve())]
    processes = []
    for number in range(count):
        with (out / f"worker-{socket.gethostname()}-{os.getpid()}-{number}.log").open("a") as log:
            environment = {**os.environ, **cache_environment(out)}
            part = [*command, "--parent", str(os.getpid()), "--cores", *map(str, cores_of(number, count))]
            processes.append(subprocess.Popen(part, stdout=log, stderr=log, env=environment))
    return processes


def cores_of(number: int, count: int) -> list[int]:
    """Cores of worker `number` of `count`: none where the system cannot say, or has fewer cores than workers.

    XLA starts as many threads as it sees cores; steps of workers that all see the same ones wait for each other.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return cores[number::count] if len(cores) >= count else []


@dataclasses.dataclass(frozen=True)
class Worker:
    """What a job of a cluster calls: works on a sweep until no run is left."""

    out: str

    def __call__(self) -> bool:
        # Before JAX is imported, which reads them once; the machine that submitted may have other devices.
        os.environ.update(cache_environment(Path(self.out)))
        from gato_jax.studies.workers.worker import work

        return work(Path(self.out))

    def checkpoint(self) -> Any:
        """submitit asks this when time runs out or the job is preempted: the same again, in a new job.

        The run goes on from its last checkpoint; its claim is released, or counts as dead after two minutes.
        """
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def job_executor(
    out: Path, *, name: str, workers: int, cluster: str = "slurm", options: Mapping[str, Any] | None = None
) -> Any:
    """What submits jobs over the sweep directory `out`: a `submitit.AutoExecutor`. Nothing is submitted yet.

    Args:
      out: on a file system that the nodes share.
      name: of the jobs.
      workers: jobs that may run at once.
      cluster: "slurm", or "local" for processes of this machine.
      options: of submitit's `update_parameters`, such as timeout_min, cpus_per_task, gpus_per_node, slurm_partition.

    Raises:
      RuntimeError: submitit is not installed, or there is no SLURM here.
      ValueError: an option that submitit does not know, or a value of another type.
    """
    try:
        import submitit
    except ImportError as error:
        raise RuntimeError("jobs are submitted through submitit; pip install 'gato-jax[studies]'") from error
    # A sweep may take any number of jobs; submitit's own limit of three would end the fourth in an error.
    executor = submitit.AutoExecutor(folder=out / "jobs", cluster=cluster, slurm_max_num_timeout=1000)
    try:
        executor.update_parameters(name=name, slurm_array_parallelism=workers, **(options or {}))
    except (NameError, AssertionError) as error:  # How submitit refuses names and types.
        raise ValueError(f"options of the jobs: {error}") from error
    return executor


def submit(executor: Any, out: Path, *, workers: int) -> list[str]:
    """One array of jobs, each a worker over `out`, whose plan is written. Returns the job ids."""
    with executor.batch():
        jobs = [executor.submit(Worker(str(out.resolve()))) for _ in range(workers)]
    return [job.job_id for job in jobs]


def parse_options(words: Sequence[str]) -> dict[str, Any]:
    """("timeout_min=60", "slurm_partition=long") -> {"timeout_min": 60, "slurm_partition": "long"}."""
    parsed: dict[str, Any] = {}
    for option in words:
        name, equals, value = option.partition("=")
        if not name or not equals:
            raise ValueError(f"options: expected NAME=VALUE, found {option!r}")
        try:
            parsed[name] = json.loads(value)
        except json.JSONDecodeError:
            parsed[name] = value
    return parsed


def pod_manifest(study: str, data: Path, out: Path, *, workers: int, image: str, options: Sequence[str] = ()) -> str:
    """A Kubernetes job of `workers` pods that sweep one directory, which a volume of yours has to bring.

    Args:
      study, data, out, options: as `gato sweep` takes them, with the paths that they have in the pods.
      workers: pods.
      image: with gato-jax in it.

    Raises:
      ValueError: a path that is not absolute, which would not lie on the volume.
    """
    import yaml

    for name, path in (("--data", data), ("--out", out)):
        if not path.is_absolute():
            raise ValueError(f"{name}: expected the absolute path that it has in the pods, found {path}")
    mounts = dict.fromkeys([str(out.parent), str(data.parent)])

    command = ["gato", "sweep", study, "--data", str(data), "--out", str(out), "--workers", "1"]

    container = {
        "name": "sweep",
        "image": image,
        "command": [*command, "--options", *options] if options else command,
        "volumeMounts": [{"name": "sweep", "mountPath": mount} for mount in mounts],
    }
    claim = {"name": "sweep", "persistentVolumeClaim": {"claimName": "gato-sweep"}}
    pod = {"restartPolicy": "OnFailure", "containers": [container], "volumes": [claim]}
    spec = {"completionMode": "Indexed", "completions": workers, "parallelism": workers, "template": {"spec": pod}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "gato-sweep"}, "spec": spec}
    return yaml.safe_dump(job, sort_keys=False)
