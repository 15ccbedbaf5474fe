"""Environments of gymnasium: by a registered id, or as a factory makes them."""

import difflib
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import find_highest_version, registry

from data_pipelines.spec import World
from data_pipelines.suites.outside.adapter import LONGEST, OutsideEnvironment, spec_of
from data_pipelines.suites.outside.gymnasium_spaces import action_leaf, observation_leaves
from data_pipelines.suites.outside.leaves import Leaf
from data_pipelines.suites.outside.objects import WorldError, import_module, said

SUCCESS = ("success", "is_success")
"""Keys of `info` that say whether the goal is reached."""


class GymnasiumWorld(OutsideEnvironment):
    """An environment of gymnasium.

    Termination ends with discount 0, truncation with 1.

    Args:
      name: of the task.
      world: what it is, if that is outside this package; None for a task of our suites.
      env: the environment, made with `RENDER_MODE` where it is to be drawn.
      max_episode_steps: 0 = as it was registered, else `LONGEST`.
    """

    def __init__(self, name: str, world: World | None, env: gymnasium.Env, *, max_episode_steps: int = 0):
        leaves = self._leaves(env.observation_space), action_leaf(env.action_space)
        limit = max_episode_steps or (env.spec.max_episode_steps if env.spec else None) or LONGEST
        super().__init__(spec_of(name, world, *leaves, max_episode_steps=limit), *leaves)
        self._env = env

    @property
    def unwrapped(self) -> gymnasium.Env:
        return self._env

    def close(self) -> None:
        self._env.close()

    def _start(self, seed: int) -> tuple[Any, bool | None]:
        observation, info = self._env.reset(seed=seed)
        return observation, self._is_success(info, 0.0, False)

    def _advance(self, action: Any) -> tuple[Any, Any, float, bool, bool | None]:
        observation, reward, terminated, truncated, info = self._env.step(action)
        success = self._is_success(info, reward, terminated)
        return observation, reward, 0.0 if terminated else 1.0, bool(terminated or truncated), success

    def _frame(self, size: int) -> Any:
        return self._env.render()

    @staticmethod
    def _leaves(space: gymnasium.Space) -> Sequence[Leaf]:
        """The arrays of the observation, sorted by key."""
        return observation_leaves(space)

    def _is_success(self, info: Any, reward: Any, terminated: bool) -> bool | None:
        """Whether the goal is reached, as `info` says; None where it says nothing: then what it said last holds."""
        del reward, terminated
        return next((bool(np.all(info[key])) for key in SUCCESS if key in info), None)


def make_registered(identifier: str, kwargs: dict[str, Any]) -> gymnasium.Env:
    """The environment of an id such as Pendulum-v1, ALE/Pong-v5 or my_pkg:My-v0 (which imports my_pkg first).

    Raises:
      WorldError: no such id, with the nearest ones; or what making it raised.
    """
    module, _, plain = identifier.rpartition(":")
    what = f"world 'gymnasium:{identifier}'"
    if module:
        import_module(module, what)
    # An id without a version means the newest, which is none that anybody could name later.
    if plain not in registry:
        newest = find_highest_version(*_parts(plain))
        near = difflib.get_close_matches(plain, registry, n=3, cutoff=0.5)
        near = [f"{plain.rpartition('-v')[0] or plain}-v{newest}"] if newest is not None else near
        hint = f"did you mean {' or '.join(near)}?" if near else f"of another package: gymnasium:PACKAGE:{plain}"
        raise WorldError(f"{what}: gymnasium has no id {plain!r}; {hint}")
    try:
        return gymnasium.make(plain, disable_env_checker=True, **kwargs)
    except Exception as error:  # Whatever the environment raises while it is made.
        raise WorldError(f"{what}: making it with {kwargs} raised {said(error)}") from error


def _parts(identifier: str) -> tuple[str | None, str]:
    namespace, _, name = identifier.rpartition("/")
    return namespace or None, name.rpartition("-v")[0] or name
