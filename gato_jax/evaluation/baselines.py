"""Baselines: what plays every task beside the agent, on the same seeds, without having learnt anything."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.scores import Normaliser
from data_pipelines.storage.recorded_tasks import DataError, RecordedTask, read_task
from gato_jax.evaluation import demonstrations, neighbour
from gato_jax.evaluation.demonstrations import Request
from gato_jax.evaluation.rollouts import Rollout
from gato_jax.evaluation.statistics import percent_interval

ROLLOUTS = "baselines"
"""Where their rollouts are kept, beside those of the agent."""


@dataclasses.dataclass(frozen=True)
class Baseline:
    """How a baseline does in one task.

    Attributes:
      name: "1-NN": the recorded action at the nearest recorded observation.
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
class Plan:
    """Which tasks the nearest neighbour plays.

    Attributes:
      directory: data directory.
      requests: by task, what is read.
      settings: by task, what has to be equal for a rollout to be used again.
      why_not: by task, why it does not apply.
    """

    directory: str
    requests: Mapping[str, Request]
    settings: Mapping[str, Any]
    why_not: Mapping[str, str]

    def read(self, tasks: Sequence[str], out: Path) -> None:
        """Writes what these tasks search into a directory, in a child process."""
        demonstrations.read(self.directory, {task: self.requests[task] for task in tasks}, out)


def plan(tasks: Sequence[str], directory: str) -> Plan:
    """What is searched in each task: the train split of a data directory. Reads no records."""
    requests, settings, why_not = {}, {}, {}
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
        settings[task] = {"timesteps": most, "contents": demonstrations.contents(recorded, "train")}
    return Plan(directory, requests, settings, why_not)


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
