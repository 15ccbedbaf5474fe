"""MiniGrid and BabyAI: missions in a grid world, seen as a 7x7 field of symbols."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import minigrid  # noqa: F401  (its import registers the levels with gymnasium)
import numpy as np
from jaxtyping import UInt8

from data_pipelines.spec import ItemSpec, Kind
from data_pipelines.suites.outside.gymnasium_world import GymnasiumWorld, make_registered
from data_pipelines.suites.outside.leaves import Leaf

CELL_RADIX = (11, 6, 3)
"""Values that an object type, a colour and a state can take."""

_FIELD = (7, 7, 3)
_OBSERVATION = (
    Leaf(ItemSpec("direction", Kind.DISCRETE, (), "int32", num_values=4), ("direction",), (), np.dtype(np.int64)),
    Leaf(
        ItemSpec("image", Kind.DISCRETE, _FIELD, "int32", radix=CELL_RADIX, num_values=max(CELL_RADIX)),
        ("image",), _FIELD, np.dtype(np.uint8),
    ),
    Leaf(ItemSpec("mission", Kind.TEXT, (), "str"), ("mission",), (), np.dtype(object)),
)  # fmt: skip


class MiniGridEnvironment(GymnasiumWorld):
    """One level. The reward is 1 - 0.9 * steps / limit at success, which ends the episode, -1 at a collision, else 0.

    Args:
      name: the task's name in the catalog.
      level: the level's id, such as "MiniGrid-Empty-5x5-v0".
      max_episode_steps: the most that any episode takes; 0 = the level's limit. BabyAI's limits vary with the layout.
    """

    def __init__(self, name: str, *, level: str, max_episode_steps: int = 0):
        # The unwrapped environment: gymnasium's wrappers take most of the time of a step.
        env: Any = make_registered(level, {}).unwrapped
        super().__init__(name, None, env, max_episode_steps=max_episode_steps or env.max_steps)

    @property
    def level(self) -> Any:
        """The running MiniGrid environment, which an expert may read."""
        return self._env

    @staticmethod
    def _leaves(space: Any) -> Sequence[Leaf]:
        del space  # It bounds symbols by 255, and missions by what one level can ask for.
        return _OBSERVATION

    def _start(self, seed: int) -> tuple[Any, bool | None]:
        # Level generation prints each layout that it throws away.
        with contextlib.redirect_stdout(io.StringIO()):
            return super()._start(seed)

    def _frame(self, size: int) -> UInt8[np.ndarray, "height width 3"]:
        return self.level.get_frame(tile_size=-(-size // max(self.level.width, self.level.height)))

    def _is_success(self, info: Any, reward: Any, terminated: bool) -> bool:
        del info
        return bool(terminated and reward > 0)
