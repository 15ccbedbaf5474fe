"""A process that rolls out tasks for `evaluate`: one task name per line in, JSON lines out.

Simulators are Python-bound, so tasks side by side in processes use the cores that one process leaves idle. Run as
`python -m gato_jax.evaluation.worker '<Jobs as JSON>'`; `Workers` does.
"""

import contextlib
import dataclasses
import functools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.atomic_files import write_json
from data_pipelines.spec import TaskSpec
from data_pipelines.suites import catalog
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.outside.process import python_path
from gato_jax.evaluation import policies
from gato_jax.evaluation.rollout_files import Rollout, load_rollout
from gato_jax.evaluation.simulators.local import Local, Simulators
from gato_jax.evaluation.simulators.remote import Remote

AGENT = "agent"
DECISION = "decision.json"


@dataclasses.dataclass(frozen=True)
class Jobs:
    """What all tasks of an evaluation share.

    Args:
      weights: run, checkpoint or export directory.
      data: data directory, for the text model.
      episodes: per task.
      environments: of a task, that are stepped at a time.
      first_seed: seed of the first episode; the others follow.
      out: directory that gets <task>.npz.
      settings: stored with every rollout, to tell later whether it may be reused.
      task_settings: task -> what is stored besides.
      actor: "agent", or the name of a baseline or policy.
      specs: of the tasks that are played outside this package, as JSON; whoever made the jobs has consent to open them.
      shown: directory with demonstrations of some tasks (<task>.npz): prompts of the agent, what a baseline searches.
      cpus: cores this process may use; empty = all.
      decision: task of which one decision is written token by token, beside `out`; "" = none.
      simulator_processes: over which a task's simulators are spread; up to 1 = they stand in the process that acts.
    """

    weights: str
    data: str
    episodes: int
    environments: int
    first_seed: int
    out: str
    settings: dict[str, Any]
    task_settings: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    actor: str = AGENT
    specs: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    shown: str = ""
    cpus: tuple[int, ...] = ()
    simulator_processes: int = 0
    decision: str = ""

    def settings_of(self, task: str) -> dict[str, Any]:
        """What is stored with a task's rollout."""
        return {**self.settings, **self.task_settings.get(task, {})}

    def path(self, task: str) -> Path:
        """Where a task's rollout is."""
        return Path(self.out) / f"{task}.npz"

    def saved(self, task: str) -> Rollout | None:
        """The task's rollout without its arrays, when there is one of these very settings."""
        path = self.path(task)
        if not path.is_file():
            return None
        rollout, settings = load_rollout(path, arrays=False)
        return rollout if settings == self.settings_of(task) else None


def run_task(jobs: Jobs, task: str, progress: Any = None) -> None:
    """Rolls out one task in this process and saves it; its simulators may stand in processes of their own."""
    from gato_jax.evaluation.neighbour import NAME
    from gato_jax.evaluation.rollouts import play_alone, roll_out_to

    spec = TaskSpec.from_dict(jobs.specs[task]) if task in jobs.specs else None
    seeds = list(range(jobs.first_seed, jobs.first_seed + jobs.episodes))
    path, settings = jobs.path(task), jobs.settings_of(task)
    if jobs.actor not in (AGENT, NAME):
        with contextlib.closing(_environment(task, spec)) as environment:
            policy = policies.open_policy(jobs.actor, task)
            rollout = play_alone(policy, environment, seeds, name=jobs.actor, progress=progress)
        rollout.save(path, settings=settings)
        return
    with contextlib.closing(_simulators(jobs, task, spec)) as simulators:
        actor = _actor(jobs, task, simulators.spec)
        roll_out_to(path, actor, simulators, seeds, settings=settings, progress=progress)
        if jobs.actor == AGENT and task == jobs.decision:
            _write_decision(jobs, simulators, seeds[0])


def _write_decision(jobs: Jobs, simulators: Simulators, seed: int) -> None:
    """Writes what the agent does at the beginning of an episode, and what else it could have done."""
    from gato_jax.agent.policy import Policy
    from gato_jax.evaluation.metrics.decisions import decision

    weights = _weights(jobs.weights, jobs.data)
    (observation,) = simulators.reset([0], [seed])
    made = decision(weights, Policy(weights, simulators.spec), observation, seed)
    write_json(Path(jobs.out).parent / DECISION, {"decisions": [made]})


def _environment(task: str, spec: TaskSpec | None) -> Environment:
    return catalog.make(task, spec, allow=(spec.world.code,) if spec is not None and spec.world is not None else ())


def _simulators(jobs: Jobs, task: str, spec: TaskSpec | None) -> Simulators:
    count = min(jobs.environments, jobs.episodes)
    if jobs.simulator_processes > 1:
        opengl = catalog.renderer_for([task], jobs.specs)
        return Remote(task, spec, count=count, processes=jobs.simulator_processes, opengl=opengl)
    return Local([_environment(task, spec) for _ in range(count)])


def _actor(jobs: Jobs, task: str, spec: TaskSpec) -> Any:
    from gato_jax.agent.policy import Policy
    from gato_jax.evaluation import demonstrations, neighbour
    from gato_jax.evaluation.prompts import prompted

    if jobs.actor == neighbour.NAME:
        return neighbour.NearestNeighbour(spec, demonstrations.load(Path(jobs.shown) / f"{task}.npz"))
    policy = Policy(_weights(jobs.weights, jobs.data), spec)
    prompt_settings = jobs.settings_of(task).get("prompts")
    return prompted(policy, Path(jobs.shown), prompt_settings) if prompt_settings else policy


@functools.lru_cache(maxsize=1)
def _weights(path: str, data: str) -> Any:
    from gato_jax.weights.load import load_weights

    return load_weights(path, data=data)


def main(arguments: Sequence[str]) -> None:
    """The process: `arguments` is one JSON of `Jobs`."""
    data = json.loads(arguments[0])
    jobs = Jobs(**{**data, "cpus": tuple(data["cpus"])})
    if jobs.cpus:
        os.sched_setaffinity(0, jobs.cpus)  # before XLA starts: it sizes its thread pool by what is allowed
    # Simulators print; the answers go out on a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        task = line.strip()

        def progress(step: int, finished: int, count: int, task: str = task) -> None:
            print(json.dumps({"task": task, "step": step, "finished": finished, "count": count}), file=answers)

        try:
            run_task(jobs, task, progress)
        except Exception as error:  # reported to the parent, which raises
            print(json.dumps({"task": task, "error": f"{type(error).__name__}: {error}"}), file=answers)
            raise
        print(json.dumps({"task": task, "done": True}), file=answers)


class WorkerFailed(RuntimeError):
    """A worker process ended with an error; the message names the task."""


class Workers:
    """Worker processes that take tasks from one queue."""

    def __init__(self, jobs: Jobs, tasks: Sequence[str], *, processes: int):
        self._tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
        for task in tasks:
            self._tasks.put(task)
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        cpus = _shares(min(processes, len(tasks)))
        opengl = catalog.renderer_for(tasks, jobs.specs)
        self._processes = [self._start(dataclasses.replace(jobs, cpus=share), opengl) for share in cpus]
        self._threads = [threading.Thread(target=self._serve, args=[p], daemon=True) for p in self._processes]
        for thread in self._threads:
            thread.start()

    def events(self) -> Iterator[dict[str, Any]]:
        """Progress of all workers until all tasks are done. Raises `WorkerFailed`."""
        open_workers = len(self._processes)
        while open_workers:
            event = self._events.get()
            if "error" in event:
                raise WorkerFailed(f"task {event['task']!r} could not be rolled out: {event['error']}")
            if "closed" in event:
                open_workers -= 1
            else:
                yield event

    def close(self) -> None:
        """Ends the processes; unfinished tasks leave nothing behind."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
        for thread in self._threads:
            thread.join()

    def _start(self, jobs: Jobs, opengl: str) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": python_path(), "MUJOCO_GL": opengl, "TF_CPP_MIN_LOG_LEVEL": "3"}
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "gato_jax.evaluation.worker", json.dumps(dataclasses.asdict(jobs))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,  # an interrupt from the terminal goes to the parent, which ends the workers
        )

    def _serve(self, process: subprocess.Popen) -> None:
        if process.stdin is None:
            raise ValueError("a worker is started with pipes")
        errors: list[str] = []
        drain = threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
        drain.start()
        task = ""
        with contextlib.suppress(BrokenPipeError):
            while True:
                try:
                    task = self._tasks.get_nowait()
                except queue.Empty:
                    process.stdin.close()
                    break
                process.stdin.write(task + "\n")
                process.stdin.flush()
                if not self._listen(process):
                    break
        code = process.wait()
        drain.join()
        if code > 0:
            reason = next((line.strip() for line in reversed(errors) if line.strip()), f"exit code {code}")
            self._events.put({"task": task, "error": reason})
        elif code < 0:
            self._events.put({"task": task, "error": f"killed by signal {-code}"})
        self._events.put({"closed": True})

    def _listen(self, process: subprocess.Popen) -> bool:
        """Passes events on until the task is done; False when the worker ended before."""
        for line in process.stdout or ():
            event = json.loads(line)
            self._events.put(event)
            if event.get("done"):
                return True
            if "error" in event:
                return False
        return False


def _shares(processes: int) -> list[tuple[int, ...]]:
    """The cores this process may use, dealt to the workers; empty where the system cannot say or has too few."""
    if not hasattr(os, "sched_getaffinity"):
        return [()] * processes
    cpus = sorted(os.sched_getaffinity(0))
    return [tuple(cpus[i::processes]) for i in range(processes)] if len(cpus) >= processes else [()] * processes


if __name__ == "__main__":
    main(sys.argv[1:])
