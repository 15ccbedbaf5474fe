"""One attempt of a policy in an environment, in memory, and its replay for a logger."""

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Iterator
from typing import Any

import dm_env
import numpy as np
from dm_env import specs

from data_pipelines.spec import Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import Expert
from data_pipelines.suites.outside.objects import WorldError


class TimeLimitExceeded(Exception):
    """An attempt took longer than its task allows."""


class ExpertFailed(Exception):
    """The demonstrator itself raised; the message names what."""


class WorldFailed(WorldError):
    """The world raised while an episode was played; the message names what."""


class PlayerDied(WorldFailed):
    """The process in which a world is played ended; the message says how."""


class PlayerGrew(WorldFailed):
    """The process in which a world is played took too much memory in one episode, and was ended."""


class NoiseError(ValueError):
    """Noise was asked for that these actions cannot have."""


@dataclasses.dataclass(frozen=True)
class Episode:
    """N actions and the N + 1 timesteps around them.

    Args:
      seed: names the episode in its environment (`Environment.reset_to`).
      noise: standard deviation of the noise on executed actions, 0 for none.
      timesteps: N + 1 observations with rewards; the last one has no action.
      executed: the N actions that the environment was given.
      labels: the N actions that the policy chose.
    """

    seed: int
    noise: float
    timesteps: tuple[dm_env.TimeStep, ...]
    executed: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]

    @property
    def episode_return(self) -> float:
        """Undiscounted sum of rewards."""
        return float(sum(timestep.reward for timestep in self.timesteps[1:]))

    @property
    def fields(self) -> dict[str, Any]:
        """What is stored of the episode beside its steps."""
        return {
            "seed": self.seed,
            "episode_return": np.float32(self.episode_return),
            "noise": np.float32(self.noise),
        }


def run_episode(
    env: Environment, policy: Expert, seed: int, *, noise: float = 0.0, hold: int = 1, limit: int | None = None,
    swap: bool = False,
) -> Episode:  # fmt: skip
    """Runs one attempt to its end.

    Args:
      env: where to act.
      policy: chooses the labels; sees what really happens.
      seed: of the episode, the policy and the noise.
      noise: standard deviation of Gaussian noise added to continuous actions, which are then clipped to their range.
      hold: steps that one draw of the noise lasts; more push the body further off the policy's path.
      limit: stop after this many steps and mark the last one as a truncation; None for the whole episode.
      swap: `noise` is the share of steps, drawn one by one, at which a random action takes the policy's place.

    Raises:
      ExpertFailed: the policy raised an exception.
      NoiseError: noise for actions that are not continuous.
    """
    item = env.spec.action
    if noise and not swap and item.kind is not Kind.CONTINUOUS:
        raise NoiseError(f"task {env.spec.name!r}: action noise needs continuous actions, found {item.kind.value}")
    rng = np.random.default_rng([seed, 1])
    timesteps = [env.reset_to(seed)]
    executed: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    push = np.zeros(item.shape)
    with _blame(policy):
        policy.reset(env, seed)
    while not timesteps[-1].last() and (limit is None or len(labels) < limit):
        with _blame(policy):
            label = policy.act(timesteps[-1])
        action = label
        if swap:
            action = env.random_action(rng) if rng.random() < noise else label
        elif noise:
            if len(labels) % hold == 0:
                push = rng.normal(0.0, noise, label.shape)
            action = np.clip(label + push, item.low, item.high).astype(item.dtype)
        timesteps.append(env.step(action))
        executed.append(action)
        labels.append(label)
    timesteps[-1] = timesteps[-1]._replace(step_type=dm_env.StepType.LAST)
    return Episode(seed, noise, tuple(timesteps), tuple(executed), tuple(labels))


@contextlib.contextmanager
def _blame(policy: Expert) -> Iterator[None]:
    try:
        yield
    except TimeLimitExceeded:
        raise
    except Exception as error:
        raise ExpertFailed(f"{type(policy).__name__} raised {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `TimeLimitExceeded` inside the block after so many seconds. Works in a process's main thread only."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("time limits use SIGALRM and need the main thread")

    def stop(signum, frame):
        raise TimeLimitExceeded(f"the attempt took more than {seconds} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


_GRACE = (2.0, 0.1, 30.0)
"""Seconds, share of the time limit, and the most of both, in which a process stops an episode by itself; or else
foreign code hangs. The most is less than what the pool of workers waits."""


def patience(seconds: float) -> float:
    """How long to wait for an episode that is played elsewhere within `time_limit(seconds)`, in seconds."""
    return seconds + min(_GRACE[0] + _GRACE[1] * seconds, _GRACE[2])


class ReplayEnvironment(dm_env.Environment):
    """Plays back recorded episodes step for step, so that a logger sees only what was accepted."""

    def __init__(self, env: Environment):
        self._observation_spec = env.observation_spec()
        self._action_spec = env.action_spec()
        self._action_item = env.spec.action
        self._spec: TaskSpec = env.spec
        self._episode: Episode | None = None
        self._index = 0

    @property
    def episode(self) -> Episode:
        """The episode being replayed."""
        if self._episode is None:
            raise ValueError("no episode to replay: call load() first")
        return self._episode

    @property
    def label(self) -> np.ndarray:
        """What the expert chose at the current timestep; zeros at the last one, which has no action."""
        labels = self.episode.labels
        if self._index < len(labels):
            return labels[self._index]
        return np.zeros(self._action_item.shape, self._action_item.dtype)

    @property
    def step_fields(self) -> dict[str, Any]:
        """What is stored of the current timestep beside what an environment returns."""
        return {"expert_action": self.label}

    def load(self, episode: Episode) -> None:
        """The next `reset` starts this episode."""
        self._episode = episode

    def reset(self) -> dm_env.TimeStep:
        self._index = 0
        return self._timestep()

    def step(self, action: Any) -> dm_env.TimeStep:
        if not np.array_equal(action, self.episode.executed[self._index]):
            raise ValueError(f"replay of seed {self.episode.seed}: action {self._index} is not the recorded one")
        self._index += 1
        return self._timestep()

    def observation_spec(self) -> dict[str, Any]:
        return self._observation_spec

    def action_spec(self) -> specs.Array:
        return self._action_spec

    def reward_spec(self) -> specs.Array:
        return specs.Array((), np.float32, name="reward")

    def discount_spec(self) -> specs.Array:
        return specs.BoundedArray((), np.float32, 0.0, 1.0, name="discount")

    def _timestep(self) -> dm_env.TimeStep:
        timestep = self.episode.timesteps[self._index]
        if timestep.first():
            return timestep
        return timestep._replace(reward=np.float32(timestep.reward), discount=np.float32(timestep.discount))
