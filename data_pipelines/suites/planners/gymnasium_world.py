"""A MuJoCo environment of gymnasium as a planner sees it."""

import copy
from typing import Any

import mujoco
import numpy as np
from jaxtyping import Float

from data_pipelines.suites.planners.plannable import STATE, control_range, set_state, state_of


class GymnasiumMujocoWorld:
    """A copy of an environment, made by its own constructor.

    Its own `step` says what a step is worth; what it takes for the simulation puts the simulated state there instead.
    Two things differ from the episode: places of bodies are those after the step, where gymnasium's are one simulation
    step older, and contact forces are none.

    Args:
      simulation: the episode's environment, unwrapped; it is read, never changed.
    """

    def __init__(self, simulation: Any):
        self._episode = simulation
        self._copy = copy.deepcopy(simulation)
        self._copy.reset(seed=0)
        self._copy.do_simulation = self._jump
        self.model: mujoco.MjModel = self._copy.model
        self.data: mujoco.MjData = self._copy.data
        self.control_timestep = float(simulation.dt)
        self.low, self.high = control_range(self.model)

    def state(self) -> Float[np.ndarray, "ns"]:
        return state_of(self._episode.model, self._episode.data)

    def reward(self, before: np.ndarray, after: np.ndarray, controls: np.ndarray) -> tuple[float, bool]:
        mujoco.mj_setState(self.model, self.data, before, STATE)
        mujoco.mj_kinematics(self.model, self.data)  # some rewards compare where bodies were before and after
        self._after = after
        _, reward, terminated, _, _ = self._copy.step(controls)
        return float(reward), bool(terminated)

    def _jump(self, controls: np.ndarray, frames: int) -> None:
        del frames
        set_state(self.model, self.data, self._after, controls)
