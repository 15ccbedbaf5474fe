"""Sokoban behind `dm_env`: a picture in, a move out."""

import dm_env
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.timesteps import after
from data_pipelines.suites.sokoban.drawing import draw, picture_size
from data_pipelines.suites.sokoban.generator import Generator, generate
from data_pipelines.suites.sokoban.rules import RIGHT, Level, State, move, reward, solved

EPISODE_STEPS = 120


class SokobanEnvironment(Environment):
    """One size of room; every episode has a level of its own.

    Actions are stay, up, down, left and right; a move against a box pushes it. A step costs 0.1. A box that comes onto
    a target gives 1, one that leaves it -1, and the last one 10 more, which ends the episode (Racaniere et al., 2017).

    Args:
      name: the task's name in the catalog.
      generator: settings of the levels.
    """

    def __init__(self, name: str, *, generator: Generator):
        self._generator = generator
        side = picture_size(generator.size)
        self._spec = TaskSpec(
            name=name,
            observation=(ItemSpec("frame", Kind.IMAGE, (side, side, 3), "uint8"),),
            action=ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=RIGHT + 1),
            max_episode_steps=EPISODE_STEPS,
        )

    @property
    def level(self) -> Level:
        """The room of the running episode."""
        return self._level

    @property
    def state(self) -> State:
        """Where player and boxes are."""
        return self._state

    @property
    def success(self) -> bool:
        return solved(self._level, self._state)

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        self._level = generate(self._generator, seed).level
        self._state = self._level.start
        self._steps = 0
        return dm_env.restart(self._observation())

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        before = self._state
        self._state = move(self._level, before, int(action))
        self._steps += 1
        gained = reward(self._level, before, self._state)
        return after(gained, self._observation(), ended=self.success, cut=self._steps >= EPISODE_STEPS)

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        picture = Image.fromarray(draw(self._level, self._state))
        return np.asarray(picture.resize((size, size), Image.Resampling.NEAREST))

    def _observation(self) -> dict[str, np.ndarray]:
        return {"frame": draw(self._level, self._state)}
