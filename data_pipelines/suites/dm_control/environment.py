"""DeepMind Control Suite tasks from their state observations."""

from typing import Any

import dm_env
import numpy as np
from dm_control import suite
from dm_control.mujoco import engine
from jaxtyping import UInt8

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment

EPISODE_STEPS = 1000
"""Every suite task runs for this many control steps."""

_FAST_RENDERING = {"shadow": False, "reflection": False}


class DmControlEnvironment(Environment):
    """One suite task; observations are the suite's own, as float32.

    Args:
      name: the task's name in the catalog.
      domain, task: the suite's names, such as "cartpole", "balance".
    """

    def __init__(self, name: str, *, domain: str, task: str):
        self._env = suite.load(domain, task, task_kwargs={"random": 0})
        self._spec = TaskSpec(
            name=name,
            observation=tuple(
                ItemSpec(key, Kind.CONTINUOUS, tuple(array.shape))
                for key, array in sorted(self._env.observation_spec().items())
            ),
            action=self._action_item(),
            max_episode_steps=EPISODE_STEPS,
        )
        self._camera: engine.Camera | None = None
        self._camera_size = 0

    @property
    def physics(self) -> Any:
        """The simulation, which a planning expert may read."""
        return self._env.physics

    @property
    def control_timestep(self) -> float:
        """Seconds between two actions."""
        return self._env.control_timestep()

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        self._env.task.random.seed(seed)
        return self._timestep(self._env.reset())

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        return self._timestep(self._env.step(action))

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        # Shadows, reflections and multisampling off and a camera that is kept: 10-20 times faster in software.
        if self._camera is None or self._camera_size != size:
            self.physics.model.vis.quality.offsamples = 0
            self._camera = engine.Camera(self.physics, size, size, camera_id=0)
            self._camera_size = size
        return self._camera.render(render_flag_overrides=_FAST_RENDERING).copy()

    def close(self) -> None:
        self._env.close()

    def _action_item(self) -> ItemSpec:
        action = self._env.action_spec()
        low, high = np.unique(action.minimum), np.unique(action.maximum)
        if low.size != 1 or high.size != 1:
            raise ValueError(f"actions need one range for all dimensions, found {action.minimum} to {action.maximum}")
        return ItemSpec("action", Kind.CONTINUOUS, tuple(action.shape), low=float(low[0]), high=float(high[0]))

    def _timestep(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
        observation = {
            item.key: np.asarray(timestep.observation[item.key], np.float32) for item in self._spec.observation
        }
        return timestep._replace(observation=observation)
