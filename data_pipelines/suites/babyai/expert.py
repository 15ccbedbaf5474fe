"""The BabyAI bot: a symbolic planner that reads the level's grid."""

import dm_env
import numpy as np
from minigrid.utils.baby_ai_bot import BabyAIBot

from data_pipelines.suites.base.environment import Environment


class BabyAiExpert:
    """MiniGrid's bot. It can loop for ever or fail an assertion on a few levels: run it under a time limit."""

    def reset(self, env: Environment, seed: int) -> None:
        del seed
        self._bot = BabyAIBot(env.level)
        self._previous: int | None = None

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        self._previous = int(self._bot.replan(self._previous))
        return np.asarray(self._previous, np.int32)
