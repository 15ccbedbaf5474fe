"""Who plays a task's episodes: this process, or one of its own for worlds that draw or come from outside."""

import contextlib
import json
from collections.abc import Iterator
from typing import Protocol

from data_pipelines.errors import TimestepError
from data_pipelines.recording.episodes import (
    Episode,
    ExpertFailed,
    NoiseError,
    TimeLimitExceeded,
    WorldFailed,
    run_episode,
    time_limit,
)  # fmt: skip
from data_pipelines.recording.player import Player, open_task
from data_pipelines.spec import TaskSpec
from data_pipelines.suites import catalog
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.base.suite import Outside
from data_pipelines.suites.outside.objects import WorldError, said
from data_pipelines.suites.outside.process import RENDERER, renderer, resident_mebibytes


class Plays(Protocol):
    """A world with its expert."""

    @property
    def env(self) -> Environment:
        """Says what observations and actions are."""

    def expert(
        self, seed: int, *, noise: float, hold: int, limit: int | None, seconds: float, swap: bool = False
    ) -> Episode:
        """One attempt of the expert within `seconds`; otherwise as `run_episode`."""

    def random(self, seed: int, *, seconds: float) -> Episode:
        """One episode of the random policy, alike."""

    @property
    def isolated(self) -> bool:
        """Whether the world is in a process of its own."""

    @property
    def alive(self) -> bool:
        """Whether its process is there."""

    @property
    def memory(self) -> float:
        """Of its process, in MiB; 0 where the system does not tell."""

    def close(self) -> None:
        """Lets go of the world."""


class LocalPlayer:
    """Plays a task of the catalog in this process."""

    isolated, alive = False, True

    def __init__(self, name: str):
        self.env, self._expert = open_task(name)

    def expert(
        self, seed: int, *, noise: float, hold: int, limit: int | None, seconds: float, swap: bool = False
    ) -> Episode:
        with time_limit(seconds), _world_may_fail(self.env):
            return run_episode(self.env, self._expert, seed, noise=noise, hold=hold, limit=limit, swap=swap)

    def random(self, seed: int, *, seconds: float) -> Episode:
        with time_limit(seconds), _world_may_fail(self.env):
            return run_episode(self.env, RandomPolicy(), seed)

    @property
    def memory(self) -> float:
        return resident_mebibytes()

    def close(self) -> None:
        self.env.close()


@contextlib.contextmanager
def _world_may_fail(env: Environment) -> Iterator[None]:
    """What the world raises becomes `WorldFailed`."""
    try:
        yield
    except (ExpertFailed, TimeLimitExceeded, TimestepError, NoiseError):
        raise
    except Exception as error:  # Whatever a simulator raises costs an episode.
        raise WorldFailed(f"task {env.spec.name!r}: the world raised {said(error)}") from error


def open_player(name: str, outside: str = "", *, isolated: bool = False, memory: float = 0.0) -> Plays:
    """Who plays a task.

    Args:
      name: of the task.
      outside: `outside_json` of a task that is not in the catalog; "" where it is.
      isolated: whether it is played in a process of its own in any case.
      memory: MiB that such a process may hold; 0 = any.
    """
    if not outside:
        alone = isolated or catalog.get(name).draws
        return Player(None, name=name, memory=memory) if alone else LocalPlayer(name)
    told = json.loads(outside)
    spec = TaskSpec.from_dict(told["spec"])
    assert spec.world is not None, "a task from outside says where it is played"
    return Player(spec.world, told["expert"], name=name, spec=spec, memory=memory)


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
