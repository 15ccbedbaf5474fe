"""MiniWorld: rooms and mazes seen through the agent's eyes. Its observations are drawn by OpenGL."""

import contextlib
import io
from typing import Any, ClassVar

import pyglet

# Must be said before anything of pyglet is used: it draws by EGL then, without a display.
pyglet.options["headless"] = True

import miniworld  # noqa: E402, F401  (its import registers the ids with gymnasium)

from data_pipelines.suites.outside.adapter import RENDER_MODE  # noqa: E402
from data_pipelines.suites.outside.gymnasium_world import GymnasiumWorld, make_registered  # noqa: E402

_WINDOW = {"window_width": 256, "window_height": 192}


class MiniWorldEnvironment(GymnasiumWorld):
    """One id.

    Args:
      name: the task's name in the catalog.
      identifier: the id, such as "MiniWorld-OneRoom-v0".
      has_goal: whether an episode that ends with a positive reward has reached a goal.
    """

    _walls_of: ClassVar["MiniWorldEnvironment | None"] = None

    def __init__(self, name: str, *, identifier: str, has_goal: bool):
        with contextlib.redirect_stdout(io.StringIO()):  # It prints how OpenGL smooths edges.
            env: Any = make_registered(identifier, {**RENDER_MODE, **_WINDOW})
        limit = env.unwrapped.max_episode_steps
        super().__init__(name, None, env, max_episode_steps=0 if limit == float("inf") else int(limit))
        self._has_goal = has_goal

    def close(self) -> None:
        if MiniWorldEnvironment._walls_of is self:
            MiniWorldEnvironment._walls_of = None
        super().close()

    def _start(self, seed: int) -> tuple[Any, bool | None]:
        MiniWorldEnvironment._walls_of = self
        return super()._start(seed)

    def _advance(self, action: Any) -> tuple[Any, Any, float, bool, bool | None]:
        self._compile_walls()
        return super()._advance(action)

    def _frame(self, size: int) -> Any:
        self._compile_walls()
        return super()._frame(size)

    def _compile_walls(self) -> None:
        """Puts the walls of this world into the one OpenGL list where all MiniWorlds of a process keep theirs."""
        if MiniWorldEnvironment._walls_of is not self:
            world: Any = self._env.unwrapped
            world._render_static()
            MiniWorldEnvironment._walls_of = self

    def _is_success(self, info: Any, reward: Any, terminated: bool) -> bool | None:
        del info
        return bool(terminated and reward > 0) if self._has_goal else None
