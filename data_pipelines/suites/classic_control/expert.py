"""Who demonstrates classic control: functions of the observation, of a few lines each."""

from collections.abc import Callable
from typing import Any

import dm_env
import numpy as np

from data_pipelines.suites.base.environment import Environment


def cart_pole(state: np.ndarray) -> int:
    """Pushes to where the pole falls, and a little to where the cart goes."""
    position, velocity, angle, turning = state
    return int(0.1 * position + 0.3 * velocity + 3.0 * angle + turning > 0)


def mountain_car(state: np.ndarray) -> int:
    """Pushes to where the car rolls, so that every swing goes higher."""
    return 2 if state[1] >= 0 else 0


def mountain_car_continuous(state: np.ndarray) -> float:
    """As `mountain_car`, with less than the full force, as its square costs reward."""
    return 0.4 if state[1] >= 0 else -0.4


def acrobot(state: np.ndarray) -> int:
    """Turns the lower link to where it swings, and a little against the upper one."""
    return 2 if state[5] - 0.3 * state[4] >= 0 else 0


_UPRIGHT = 15.0
"""Energy of the upright pendulum over its inertia, in 1/s^2 (10 m/s^2, 1 m); hanging it has as much less than none."""


def pendulum(state: np.ndarray) -> float:
    """Pumps energy up to that of the upright position, and balances there."""
    cosine, sine, turning = (float(value) for value in state)
    angle = np.arctan2(sine, cosine)
    if abs(angle) < 0.5:
        return float(np.clip(-12.0 * angle - 3.0 * turning, -2.0, 2.0))
    missing = _UPRIGHT - (0.5 * turning**2 + _UPRIGHT * cosine)
    return float(np.copysign(2.0, missing * turning))


POLICIES: dict[str, Callable[[np.ndarray], Any]] = {
    "Acrobot-v1": acrobot,
    "CartPole-v1": cart_pole,
    "MountainCar-v0": mountain_car,
    "MountainCarContinuous-v0": mountain_car_continuous,
    "Pendulum-v1": pendulum,
}


class ScriptedExpert:
    """Acts as a function of the observation says."""

    def __init__(self, identifier: str):
        self._policy = POLICIES[identifier]

    def reset(self, env: Environment, seed: int) -> None:
        del seed
        self._action = env.spec.action

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        action = self._policy(timestep.observation["observation"])
        return np.full(self._action.shape, action, self._action.dtype)
