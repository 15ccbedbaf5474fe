"""DeepMind Control Suite tasks from their state observations."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from dm_control import suite
from jaxtyping import UInt8

from data_pipelines.suites.dm_control import escape
from data_pipelines.suites.dm_control.cameras import Cameras
from data_pipelines.suites.dm_control.physics_environment import PhysicsEnvironment
from data_pipelines.suites.dm_control.plannable import DmControlWorld
from data_pipelines.suites.outside.dm_env_specs import action_leaf
from data_pipelines.suites.outside.leaves import Leaf


class DmControlEnvironment(PhysicsEnvironment):
    """One suite task; observations are the suite's own, as float32.

    Args:
      name: the task's name in the catalog.
      domain, task: the suite's names, such as "cartpole", "balance".
      episode_steps: after which episodes are cut, which nothing else ends in `lqr` but the goal.
      observation: arrays that are shown instead of the suite's own.
    """

    def __init__(
        self, name: str, *, domain: str, task: str, episode_steps: int, observation: Sequence[Leaf] | None = None
    ):
        is_escape = (domain, task) == ("quadruped", "escape")
        env = escape.load(seed=0) if is_escape else suite.load(domain, task, task_kwargs={"random": 0})
        action = action_leaf(_bounded(env))
        super().__init__(name, None, env, observation=observation, action=action, max_episode_steps=episode_steps)
        self._cameras = Cameras(self.physics)

    def plannable(self) -> DmControlWorld:
        """A copy of the episode's world, in which a planning expert may try its plans."""
        return DmControlWorld(self._env.physics, self._env.task, self.control_timestep)

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        return self._cameras.picture(0, size)

    def _prepare(self, seed: int) -> None:
        self._env.task.random.seed(seed)


def _bounded(env: Any) -> Any:
    """The action spec, in [-1, 1] where the suite has no limits: `lqr`, which random actions of any size blow up."""
    spec, limited = env.action_spec(), env.physics.model.actuator_ctrllimited.astype(bool)
    return spec.replace(minimum=np.where(limited, spec.minimum, -1.0), maximum=np.where(limited, spec.maximum, 1.0))
