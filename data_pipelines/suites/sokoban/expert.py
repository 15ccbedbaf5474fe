"""The solver as a demonstrator."""

import dm_env
import numpy as np

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.search import Limits
from data_pipelines.suites.sokoban.rules import State, move
from data_pipelines.suites.sokoban.solver import LIMITS, solve


class SokobanExpert:
    """Solves the level at its start, and again where the boxes are not as planned. Raises `NoPlan` where it cannot."""

    def __init__(self, limits: Limits = LIMITS):
        self._limits = limits

    def reset(self, env: Environment, seed: int) -> None:
        del seed
        self._env = env
        self._actions: list[int] = []
        self._expected: State | None = None

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        level, state = self._env.level, self._env.state
        if state != self._expected:
            self._actions = solve(level, state, self._limits)
        action = self._actions.pop(0)
        self._expected = move(level, state, action)
        return np.asarray(action, np.int32)
