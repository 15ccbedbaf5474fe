"""Baselines: what plays every task beside the agent, on the same seeds."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from data_pipelines.scores import Normaliser
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask, read_task
from gato_jax.evaluation import demonstrations, neighbour, policies
from gato_jax.evaluation.demonstrations import Request
from gato_jax.evaluation.rollouts import Rollout
from gato_jax.evaluation.statistics import percent_interval
from gato_jax.evaluation.worker import Jobs

ROLLOUTS = "baselines"
"""Where their rollouts are kept, beside those of the agent."""


@dataclasses.dataclass(frozen=True)
class Baseline:
    """How a baseline does in one task.

    Attributes:
      name: "1-NN": the recorded action at the nearest recorded observation; or that of a policy (`policies`).
      why_not: why it does not apply; "" where it does.
      percent: 0 = random, 100 = expert, with its 95 % interval; None where it does not apply.
      returns: per episode, of the same seeds as the agent's.
      failures: seed -> why an episode could not be played.
      searched: how many recorded timesteps and episodes it knows, of those that are recorded.
    """

    name: str
    why_not: str = ""
    percent: float | None = None
    low: float | None = None
    high: float | None = None
    interval: str = "none"
    returns: Sequence[float] = ()
    failures: Mapping[str, str] = dataclasses.field(default_factory=dict)
    searched: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Contender:
    """What plays beside the agent, in which tasks.

    Attributes:
      name: as in `Baseline`.
      jobs: how its tasks are rolled out.
      tasks: those that it plays.
      why_not: by task, why it does not.
      read: writes what it must know of some tasks into a directory.
    """

    name: str
    jobs: Jobs
    tasks: Sequence[str]
    why_not: Mapping[str, str]
    read: Callable[[Sequence[str], Path], None]

    def score(self, task: str, normaliser: Normaliser) -> Baseline | None:
        """How it does in a task; None where it has not played yet."""
        if task in self.why_not:
            return Baseline(self.name, self.why_not[task])
        rollout = self.jobs.saved(task)
        return None if rollout is None else score(rollout, normaliser)


def nearest_neighbour(jobs: Jobs, tasks: Sequence[str], directory: str) -> Contender:
    """1-NN play: searches the train split of a data directory. Reads no records.

    Args:
      jobs: with the settings that every contender shares.
      tasks: control tasks.
      directory: data directory.
    """
    requests: dict[str, Request] = {}
    settings, why_not = {}, {}
    for task in tasks:
        try:
            recorded = read_task(directory, task)
        except DataError as error:
            why_not[task] = str(error)
            continue
        if reason := _why_not(recorded):
            why_not[task] = reason
            continue
        assert recorded.spec is not None
        most = neighbour.most_timesteps(recorded.spec)
        requests[task] = Request("train", episodes=10**9, timesteps=most)
        contents = demonstrations.contents(recorded, "train")
        own = jobs.task_settings.get(task, {})
        settings[task] = {**own, "searched": {"timesteps": most, "contents": contents}}

    def read(some: Sequence[str], out: Path) -> None:
        demonstrations.read(directory, {task: requests[task] for task in some}, out)

    jobs = dataclasses.replace(jobs, task_settings=settings, actor=neighbour.NAME)
    return Contender(neighbour.NAME, jobs, list(requests), why_not, read)


def policy(name: str, jobs: Jobs, tasks: Sequence[str]) -> Contender:
    """Random play, the tasks' experts, or a policy of anybody's, by name.

    Raises:
      ValueError: what names no policy.
      WorldError: one that cannot be imported, before anything is played.
    """
    policies.check(name)
    why_not = {task: reason for task in tasks if (reason := policies.why_not(name, task))}
    if ":" in name:
        policies.open_policy(name, "")
    jobs = dataclasses.replace(jobs, actor=name, settings={**jobs.settings, **policies.settings(name)})
    return Contender(name, jobs, [task for task in tasks if task not in why_not], why_not, lambda some, out: None)


def _why_not(recorded: RecordedTask) -> str:
    if recorded.spec is None:
        return f"the recordings are {recorded.kind}, not control"
    if not recorded.examples("train"):
        return f"no train split, found {sorted(recorded.shards)}"
    return neighbour.why_not(recorded.spec)


def score(rollout: Rollout, normaliser: Normaliser) -> Baseline:
    """Percent of expert, and its interval."""
    interval = percent_interval(rollout.returns, normaliser.expert, normaliser.random)
    return Baseline(
        name=rollout.decode,
        percent=interval.mean,
        low=interval.low,
        high=interval.high,
        interval=interval.method,
        returns=rollout.returns,
        failures=rollout.failures,
        searched={name: int(value) for name, value in rollout.notes.items()},
    )
