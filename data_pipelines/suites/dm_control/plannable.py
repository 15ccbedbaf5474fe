"""A suite task's world as a planner sees it."""

import copy
from typing import Any

import mujoco
import numpy as np
from jaxtyping import Float

from data_pipelines.suites.planners.plannable import control_range, set_state, state_of


class DmControlWorld:
    """A copy of a suite task's physics and of the task itself, which knows the reward.

    Args:
      physics, task: of the episode, with the targets and gains that its reset drew; they are read, never changed.
      control_timestep: seconds between two actions.
    """

    def __init__(self, physics: Any, task: Any, control_timestep: float):
        self._episode = physics
        self.physics = physics.copy()
        self.task = copy.deepcopy(task)
        self.model: mujoco.MjModel = self.physics.model.ptr
        self.data: mujoco.MjData = self.physics.data.ptr
        self.control_timestep = control_timestep
        self.low, self.high = control_range(self.model)

    def state(self) -> Float[np.ndarray, "ns"]:
        return state_of(self._episode.model.ptr, self._episode.data.ptr)

    def reward(self, before: np.ndarray, after: np.ndarray, controls: np.ndarray) -> tuple[float, bool]:
        del before  # the suite's rewards look at one state
        set_state(self.model, self.data, after, controls)
        return float(self.task.get_reward(self.physics)), self.task.get_termination(self.physics) is not None
