"""BabyAI: instructions in a grid world, seen as a 7x7 field of symbols."""

import contextlib
import io
from typing import Any

import dm_env
import gymnasium
import minigrid  # noqa: F401  (its import registers the levels with gymnasium)
import numpy as np
from jaxtyping import UInt8

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment

CELL_RADIX = (11, 6, 3)
"""Values that an object type, a colour and a state can take."""

STEP_LIMIT = 64 * 9 * 4
"""No level allows more steps than this; each level's own limit, which varies with its layout, ends episodes earlier."""


class BabyAiEnvironment(Environment):
    """One level. The reward is 1 - 0.9 * steps / limit at success, which ends the episode, else 0.

    Args:
      name: the task's name in the catalog.
      level: the level's id, such as "BabyAI-GoToObj-v0".
    """

    def __init__(self, name: str, *, level: str):
        # The unwrapped environment: gymnasium's checking wrappers take most of the time of a step.
        self._env: Any = gymnasium.make(level, disable_env_checker=True).unwrapped
        self._spec = TaskSpec(
            name=name,
            observation=(
                ItemSpec("direction", Kind.DISCRETE, (), "int32", num_values=4),
                ItemSpec("image", Kind.DISCRETE, (7, 7, 3), "int32", radix=CELL_RADIX, num_values=max(CELL_RADIX)),
                ItemSpec("mission", Kind.TEXT, (), "str"),
            ),
            action=ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=7),
            max_episode_steps=STEP_LIMIT,
        )
        self._success = False

    @property
    def level(self) -> Any:
        """The running MiniGrid environment, which the bot may read."""
        return self._env

    @property
    def success(self) -> bool:
        return self._success

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        # Level generation prints each layout that it throws away.
        with contextlib.redirect_stdout(io.StringIO()):
            observation, _ = self._env.reset(seed=seed)
        self._success = False
        return dm_env.restart(self._observation(observation))

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        observation, reward, terminated, truncated, _ = self._env.step(int(action))
        self._success = terminated and reward > 0
        observation = self._observation(observation)
        if terminated:
            return dm_env.termination(float(reward), observation)
        if truncated:
            return dm_env.truncation(float(reward), observation)
        return dm_env.transition(float(reward), observation)

    def render(self, size: int) -> UInt8[np.ndarray, "size size 3"]:
        picture = self._env.get_frame(tile_size=max(1, size // max(self._env.width, self._env.height)))
        rows, columns = (np.arange(size) * side // size for side in picture.shape[:2])
        return picture[rows][:, columns].astype(np.uint8)

    def close(self) -> None:
        self._env.close()

    def _observation(self, observation: dict[str, Any]) -> dict[str, Any]:
        return {
            "direction": np.asarray(observation["direction"], np.int32),
            "image": np.asarray(observation["image"], np.int32),
            "mission": str(observation["mission"]),
        }
