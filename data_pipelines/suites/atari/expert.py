"""Atari players: a script that reads the console's memory, and a planner that tries actions in the console itself."""

import dm_env
import numpy as np

from data_pipelines.suites.atari.environment import AtariEnvironment
from data_pipelines.suites.atari.planning import Plan
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.predictive_sampling import PredictiveSamplingExpert

_BALL_X, _BALL_Y, _PADDLE_X = 99, 101, 72
_PADDLE_OFFSET = 8  # from the paddle's address to its middle, in the ball's coordinates
_DEAD_ZONE = 2


class BreakoutExpert:
    """Follows the ball with the paddle, and serves when no ball is in play.

    The aim point is offset by a few pixels, redrawn now and then, so that the ball does not settle into a cycle.
    """

    def reset(self, env: Environment, seed: int) -> None:
        self._ale = env.ale
        names = env.action_names
        self._fire, self._left, self._right, self._stay = (names.index(n) for n in ("FIRE", "LEFT", "RIGHT", "NOOP"))
        self._rng = np.random.default_rng(seed)
        self._offset = 0

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        memory = self._ale.getRAM()
        if memory[_BALL_Y] == 0:
            return np.asarray(self._fire, np.int32)
        if self._rng.random() < 0.02:
            self._offset = int(self._rng.integers(-4, 5))
        error = int(memory[_BALL_X]) - int(memory[_PADDLE_X]) - _PADDLE_OFFSET + self._offset
        if abs(error) <= _DEAD_ZONE:
            return np.asarray(self._stay, np.int32)
        return np.asarray(self._right if error > 0 else self._left, np.int32)


def planner(plan: Plan) -> PredictiveSamplingExpert:
    """Plays any game that has a line in `planning.GAMES`."""

    def value(env: AtariEnvironment) -> float:
        memory = env.ale.getRAM()
        return sum(cell.weight * cell.read(memory) for cell in plan.memory)

    return PredictiveSamplingExpert(
        plan.sampling, lives=lambda env: env.ale.lives(), value=value if plan.memory else None
    )
