"""A modular body's world as a planner sees it."""

from typing import Any

import mujoco
import numpy as np
from jaxtyping import Float

from data_pipelines.suites.modular_rl.reward import LocomotionReward
from data_pipelines.suites.planners.plannable import control_range, state_of


class ModularWorld:
    """A copy of a body's physics; the reward needs states only.

    Args:
      physics: of the episode; it is read, never changed.
      reward: the environment's own.
      start_height: of the torso, in metres.
      control_timestep: seconds between two actions.
    """

    def __init__(self, physics: Any, reward: LocomotionReward, start_height: float, control_timestep: float):
        self._episode = physics
        copied = physics.copy()
        self.model: mujoco.MjModel = copied.model.ptr
        self.data: mujoco.MjData = copied.data.ptr
        self._reward, self._start_height = reward, start_height
        self.control_timestep = control_timestep
        self.low, self.high = control_range(self.model)

    def state(self) -> Float[np.ndarray, "ns"]:
        return state_of(self._episode.model.ptr, self._episode.data.ptr)

    def reward(self, before: np.ndarray, after: np.ndarray, controls: np.ndarray) -> tuple[float, bool]:
        speed = (after[1] - before[1]) / self.control_timestep  # time, then the torso's x
        positions = after[1 : 1 + self.model.nq]
        is_up = self._reward.is_up(positions, self._start_height)
        return float(self._reward.value(speed, controls)), not is_up
