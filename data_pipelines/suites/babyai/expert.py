"""The BabyAI bot: a symbolic planner that reads the level's grid."""

import dm_env
import numpy as np
from minigrid.core.actions import Actions
from minigrid.utils.baby_ai_bot import BabyAIBot

from data_pipelines.suites.base.environment import Environment


class BabyAiExpert:
    """MiniGrid's bot. It can loop for ever or fail an assertion on a few levels: run it under a time limit.

    It cannot plan with what it carries from the start. So that is put down first, and the bot begins after it.
    """

    def reset(self, env: Environment, seed: int) -> None:
        del seed
        self._level = env.level
        self._bot: BabyAIBot | None = None
        self._previous: int | None = None

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        if self._bot is None:
            if self._level.carrying is not None:
                is_free = self._level.grid.get(*self._level.front_pos) is None
                return np.asarray(Actions.drop if is_free else Actions.left, np.int32)
            self._bot = BabyAIBot(self._level)
        self._previous = int(self._bot.replan(self._previous))
        return np.asarray(self._previous, np.int32)
