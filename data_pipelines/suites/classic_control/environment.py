"""Classic control problems."""

from typing import Any

from data_pipelines.suites.outside.adapter import RENDER_MODE
from data_pipelines.suites.outside.gymnasium_world import GymnasiumWorld, make_registered


class ClassicControlEnvironment(GymnasiumWorld):
    """One id.

    Args:
      name: the task's name in the catalog.
      identifier: the id, such as "Acrobot-v1".
      ends_at_goal: whether an episode that terminates has reached its goal.
    """

    def __init__(self, name: str, *, identifier: str, ends_at_goal: bool):
        super().__init__(name, None, make_registered(identifier, RENDER_MODE))
        self._ends_at_goal = ends_at_goal

    def _is_success(self, info: Any, reward: Any, terminated: bool) -> bool | None:
        del info, reward
        return terminated if self._ends_at_goal else None
