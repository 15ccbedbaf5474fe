"""Environments of dm_env, and our own `Environment`, as a factory makes them."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import dm_env
import numpy as np

from data_pipelines.spec import World
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.outside.adapter import LONGEST, OutsideEnvironment, checked_observation, spec_of
from data_pipelines.suites.outside.dm_env_specs import action_leaf, observation_leaves
from data_pipelines.suites.outside.leaves import Leaf
from data_pipelines.suites.outside.objects import WorldError

SEED = "seed"


class DmEnv(OutsideEnvironment):
    """An environment of dm_env. Subclasses implement `_prepare`, as dm_env has no seeds, and `_frame` or `render`.

    Args:
      name: of the task.
      world: what it is, if that is outside this package; None for a task of our suites.
      env: the environment.
      observation: its arrays, sorted by key; None = as its spec says. Who gives others implements `_show`.
      action: the action; None = as its spec says.
      max_episode_steps: episodes are truncated there.
    """

    def __init__(
        self,
        name: str,
        world: World | None,
        env: Any,
        *,
        observation: Sequence[Leaf] | None = None,
        action: Leaf | None = None,
        max_episode_steps: int = LONGEST,
    ):
        self._env = env
        shown = observation_leaves(env.observation_spec()) if observation is None else observation
        action = action_leaf(env.action_spec()) if action is None else action
        super().__init__(spec_of(name, world, shown, action, max_episode_steps=max_episode_steps), shown, action)

    @property
    def unwrapped(self) -> Any:
        return self._env

    def close(self) -> None:
        self._env.close()

    def _prepare(self, seed: int) -> None:
        """Makes the next `reset` of the foreign environment that of the episode `seed`."""
        raise NotImplementedError

    def _show(self, observation: Any) -> Any:
        """What is read of the foreign observation."""
        return observation

    def _start(self, seed: int) -> tuple[Any, bool | None]:
        self._prepare(seed)
        return self._show(self._env.reset().observation), None

    def _advance(self, action: Any) -> tuple[Any, Any, float, bool, bool | None]:
        timestep = self._env.step(action)
        discount = 1.0 if timestep.discount is None else float(timestep.discount)
        return self._show(timestep.observation), timestep.reward, discount, timestep.last(), None


class DmEnvWorld(DmEnv):
    """An environment of dm_env, made anew for every episode with its seed: dm_env knows no other way to give one.

    Args:
      name: of the task.
      world: what it is.
      make: from a seed to the environment.
    """

    def __init__(self, name: str, world: World, make: Callable[[int], dm_env.Environment]):
        self._make = make
        super().__init__(name, world, make(0))

    def _prepare(self, seed: int) -> None:
        self._env.close()
        self._env = self._make(seed)

    def _frame(self, size: int) -> Any:
        physics = getattr(self._env, "physics", None)
        if physics is not None:  # dm_control
            return physics.render(size, size, camera_id=0)
        if hasattr(self._env, "render"):
            return self._env.render()
        raise WorldError(f"{type(self._env).__name__} has neither a `physics` of dm_control nor a method `render`")


def check_seed(factory: Callable[..., Any], reference: str) -> None:
    """Raises `WorldError` unless a factory of dm_env environments takes a seed."""
    if SEED not in inspect.signature(factory).parameters:
        raise WorldError(
            f"world {reference!r}: makes a dm_env.Environment, so it needs a parameter `{SEED}`: an episode must start "
            f"the same on every machine, and dm_env has no other way to ask for it; found "
            f"{inspect.signature(factory)}"
        )


class OwnWorld(OutsideEnvironment):
    """An `Environment` that somebody wrote against this package, with its timesteps checked."""

    def __init__(self, name: str, world: World, env: Environment):
        item = env.spec.action
        action = Leaf(item, (), item.shape, np.dtype(item.dtype))
        super().__init__(dataclasses.replace(env.spec, name=name, world=world), (), action)
        self._env = env

    @property
    def unwrapped(self) -> Environment:
        return self._env

    @property
    def success(self) -> bool | None:
        return self._env.success

    def close(self) -> None:
        self._env.close()

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        self._seed, self._steps = seed, 0
        return self._check(self._env.reset_to(seed))

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        timestep = self._env.step(action)
        self._steps += 1
        timestep = self._check(timestep._replace(reward=self._number(timestep.reward)))
        if self._steps >= self._spec.max_episode_steps:
            timestep = timestep._replace(step_type=dm_env.StepType.LAST)
        return timestep

    def render(self, size: int) -> np.ndarray:
        return self._env.render(size)

    def random_action(self, rng: np.random.Generator) -> np.ndarray:
        return self._env.random_action(rng)

    def _check(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
        self._seen = timestep.observation
        return timestep._replace(observation=checked_observation(self._spec, self._seen, self._origin()))
