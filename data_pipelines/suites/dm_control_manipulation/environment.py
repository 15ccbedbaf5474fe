"""Manipulation tasks of dm_control, from features or from a camera."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from dm_control import composer, manipulation
from dm_control.suite.wrappers import action_scale
from jaxtyping import UInt8

from data_pipelines.suites.base.environment import nest
from data_pipelines.suites.dm_control.physics_environment import PhysicsEnvironment
from data_pipelines.suites.outside.dm_env_specs import observation_leaves

REACHED = 0.99
"""Reward of a step from which the task is done: its most is 1, when a hand is at its target, a brick at its height
or in its place, or all bricks are clicked together."""

FRONT = "front_close"
"""The suite's camera, with which it also draws its observations."""


class ManipulationEnvironment(PhysicsEnvironment):
    """One task of `dm_control.manipulation`; its observations are the suite's own.

    Success is that of the latest step: the reward has its most.

    Every episode has a model of its own. Its joints have other ranges, from 0.36 to 5 rad/s: each is scaled to [-1, 1].

    Args:
      name: of the task.
      task: the suite's name, such as "reach_site_features".
      episode_steps: after which episodes are cut that have no other end.
    """

    def __init__(self, name: str, *, task: str, episode_steps: int):
        env = manipulation.load(task, seed=0)
        _draw_fast(env)
        env = action_scale.Wrapper(env, minimum=-1.0, maximum=1.0)
        shown = observation_leaves(_nested({key: _one(spec) for key, spec in env.observation_spec().items()}))
        super().__init__(name, None, env, observation=shown, max_episode_steps=episode_steps)

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        return self.physics.render(size, size, camera_id=FRONT)

    def _start(self, seed: int) -> tuple[Any, bool | None]:
        return super()._start(seed)[0], False

    def _advance(self, action: Any) -> tuple[Any, Any, float, bool, bool | None]:
        observation, reward, discount, over, _ = super()._advance(action)
        return observation, reward, discount, over, reward is not None and reward >= REACHED

    def _prepare(self, seed: int) -> None:
        self._env.random_state.seed(seed)
        if (order := getattr(self.task, "_initial_order", None)) is not None:
            order[:] = np.arange(len(order))  # The suite shuffles it in place: an episode would depend on those before.

    def _show(self, observation: Any) -> Any:
        return _nested({key: values[0] for key, values in observation.items()})


def _one(spec: Any) -> Any:
    """The spec of a value without the axis of the suite's buffers, which hold one value each."""
    if spec.shape[:1] != (1,):
        raise ValueError(f"observation {spec.name!r}: expected a buffer of one value, found shape {spec.shape}")
    return spec.replace(shape=spec.shape[1:])


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    return nest({tuple(key.split("/")): value for key, value in values.items()})


def _draw_fast(env: composer.Environment) -> None:
    """Neither shadows, reflections nor multisampling, in the observations too: several times faster in software."""
    model = env.task.root_entity.mjcf_model
    model.visual.quality.offsamples = 0
    model.visual.quality.shadowsize = 0
    for material in model.find_all("material"):
        material.reflectance = 0
