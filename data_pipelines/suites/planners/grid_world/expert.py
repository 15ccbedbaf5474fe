"""A demonstrator for MiniGrid's worlds that reads the whole level and plans."""

import dm_env
import minigrid.envs as worlds
import numpy as np

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.grid_world.goals import Goal, goals_of
from data_pipelines.suites.planners.grid_world.plan import plan
from data_pipelines.suites.planners.grid_world.world import FINISH, LEFT, GridState, GridWorld
from data_pipelines.suites.planners.search import Limits, NoPlan

LIMITS = Limits(nodes=5000, seconds=20.0)


class GridWorldExpert:
    """Plans for one goal after the other, and anew wherever the level is not as planned.

    `env.level` is the running MiniGrid environment. Only its own `step` says whether the episode succeeds.

    Raises:
      NoPlan: there is none, or none within the limits; NoGoal: the level asks for nothing that is known.
    """

    def __init__(self, limits: Limits = LIMITS):
        self._limits = limits

    def reset(self, env: Environment, seed: int) -> None:
        del seed
        self._world = GridWorld(env.level)
        self._goals = goals_of(self._world)
        self._actions: list[int] = []
        self._expected: GridState | None = None
        self._restless = isinstance(env.level, worlds.DynamicObstaclesEnv)

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        state = self._world.read()
        if self._expected is not None:
            if state != self._expected:
                self._actions = []
            elif not self._actions and len(self._goals) > 1:
                self._goals.pop(0)
        while not self._actions:
            self._actions = self._plan(state, self._goals[0])
            if not self._actions and len(self._goals) > 1:
                self._goals.pop(0)
            elif not self._actions:
                self._actions = [FINISH]  # It is reached already, and the level looks only after an action.
        action = self._actions.pop(0)
        self._expected = self._world.apply(state, action)
        return np.asarray(action, np.int32)

    def _plan(self, state: GridState, goal: Goal) -> list[int]:
        try:
            return plan(self._world, state, goal, limits=self._limits)
        except NoPlan:
            if not self._restless:
                raise
            return [LEFT]  # Something stands in the way and will move: turning is waiting.
