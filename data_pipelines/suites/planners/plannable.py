"""What a planner needs of a world: a copy of its physics in which plans are tried, and the world's own reward."""

from typing import Protocol

import mujoco
import numpy as np
from jaxtyping import Float

from data_pipelines.suites.base.environment import Environment

STATE = int(mujoco.mjtState.mjSTATE_FULLPHYSICS.value)
"""What a state holds: time, positions, velocities, activations. It is what `mujoco.rollout` takes and gives."""


class PlannableWorld(Protocol):
    """A copy of the world of one episode. Nothing that is done to it reaches the episode.

    Attributes:
      model, data: of the copy.
      control_timestep: seconds between two actions.
      low, high: range of each control [nu].
    """

    model: mujoco.MjModel
    data: mujoco.MjData
    control_timestep: float
    low: Float[np.ndarray, "nu"]
    high: Float[np.ndarray, "nu"]

    def state(self) -> Float[np.ndarray, "ns"]:
        """The episode's present state, as `STATE` says. Reading it changes nothing."""

    def reward(
        self, before: Float[np.ndarray, "ns"], after: Float[np.ndarray, "ns"], controls: Float[np.ndarray, "nu"]
    ) -> tuple[float, bool]:
        """The world's own reward for a step, and whether that step ends the episode.

        Args:
          before: state from which the environment's step began.
          after: state that it led to; afterwards `data` holds it, with what follows from positions and velocities.
          controls: of that step.
        """


def plannable(env: Environment) -> PlannableWorld:
    """A copy of the world of the episode that has just begun in `env`.

    Raises:
      TypeError: that environment offers none.
    """
    make = getattr(env, "plannable", None)
    if make is None:
        raise TypeError(
            f"task {env.spec.name!r}: {type(env).__name__} offers no copy of its physics to plan in; a planner "
            "needs an environment with a method plannable() that returns a PlannableWorld"
        )
    return make()


def state_of(model: mujoco.MjModel, data: mujoco.MjData) -> Float[np.ndarray, "ns"]:
    """The state that stands in `data`."""
    state = np.empty(mujoco.mj_stateSize(model, STATE))
    mujoco.mj_getState(model, data, state, STATE)
    return state


def set_state(
    model: mujoco.MjModel, data: mujoco.MjData, state: Float[np.ndarray, "ns"], controls: Float[np.ndarray, "nu"]
) -> None:
    """Puts a state and controls into `data`, with what follows from positions and velocities: no forces."""
    mujoco.mj_setState(model, data, state, STATE)
    data.ctrl[:] = controls
    mujoco.mj_step1(model, data)


def control_range(model: mujoco.MjModel) -> tuple[Float[np.ndarray, "nu"], Float[np.ndarray, "nu"]]:
    """Lowest and highest controls; -1 and 1 where the model sets no limit."""
    limited = model.actuator_ctrllimited.astype(bool)
    low, high = model.actuator_ctrlrange.T
    return np.where(limited, low, -1.0), np.where(limited, high, 1.0)
