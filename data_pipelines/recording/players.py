"""Who plays a task's episodes: this process, or one of its own for worlds that draw or come from outside."""

import json
from typing import Protocol

from data_pipelines.recording.episodes import Episode, run_episode, time_limit
from data_pipelines.recording.player import Player, open_task
from data_pipelines.spec import TaskSpec
from data_pipelines.suites import catalog
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.base.suite import Outside
from data_pipelines.suites.outside.objects import WorldError
from data_pipelines.suites.outside.process import RENDERER, renderer


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
        self.env, self._expert = open_task(name)

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
        return Player(None, name=name) if catalog.get(name).draws else LocalPlayer(name)
    told = json.loads(outside)
    spec = TaskSpec.from_dict(told["spec"])
    assert spec.world is not None, "a task from outside says where it is played"
    return Player(spec.world, told["expert"], name=name, spec=spec)


def outside_json(outside: Outside | None) -> str:
    """What a worker is told of a task that is not in the catalog."""
    return json.dumps({"spec": json.loads(outside.spec.to_json()), "expert": outside.expert}) if outside else ""


def check_drawing(name: str) -> None:
    """Opens a task whose observations are drawn. Raises `WorldError` where nothing can be drawn on this machine."""
    try:
        Player(None, name=name).close()
    except WorldError as error:
        raise WorldError(
            f"task {name!r} draws its observations by OpenGL, which did not work with the renderer {renderer()!r}: "
            f"{error}; install EGL (Debian: libegl1 libegl-mesa0 libgl1-mesa-dri), or name another, {RENDERER}=osmesa"
        ) from error
