"""Who plays a task's episodes: this process where the catalog has the task, a process of its own for other worlds."""

import json
from typing import Protocol

from data_pipelines.recording.episodes import Episode, run_episode, time_limit
from data_pipelines.recording.player import Player
from data_pipelines.spec import TaskSpec
from data_pipelines.suites import catalog
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.base.suite import Outside


class Plays(Protocol):
    """A world with its expert."""

    @property
    def env(self) -> Environment:
        """Says what observations and actions are."""

    def expert(self, seed: int, *, noise: float, hold: int, limit: int | None, seconds: float) -> Episode:
        """One attempt of the expert within `seconds`; otherwise as `run_episode`."""

    def random(self, seed: int) -> Episode:
        """One episode of the random policy."""


class LocalPlayer:
    """Plays a task of the catalog in this process."""

    def __init__(self, name: str):
        task = catalog.get(name)
        if task.make_expert is None:
            raise ValueError(f"task {name!r} has no expert")
        self.env, self._expert = catalog.make(name), task.make_expert()

    def expert(self, seed: int, *, noise: float, hold: int, limit: int | None, seconds: float) -> Episode:
        with time_limit(seconds):
            return run_episode(self.env, self._expert, seed, noise=noise, hold=hold, limit=limit)

    def random(self, seed: int) -> Episode:
        return run_episode(self.env, RandomPolicy(), seed)


def open_player(name: str, outside: str = "") -> Plays:
    """Who plays a task.

    Args:
      name: of the task.
      outside: `outside_json` of a task that is not in the catalog; "" where it is.
    """
    if not outside:
        return LocalPlayer(name)
    told = json.loads(outside)
    spec = TaskSpec.from_dict(told["spec"])
    assert spec.world is not None, "a task from outside says where it is played"
    return Player(spec.world, told["expert"], name=name, spec=spec)


def outside_json(outside: Outside | None) -> str:
    """What a worker is told of a task that is not in the catalog."""
    return json.dumps({"spec": json.loads(outside.spec.to_json()), "expert": outside.expert}) if outside else ""
