"""Environments of gymnasium-robotics."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import gymnasium_robotics  # noqa: F401  (its import registers the ids with gymnasium)

from data_pipelines.suites.gymnasium_mujoco.environment import MujocoEnvironment
from data_pipelines.suites.gymnasium_robotics import joints
from data_pipelines.suites.outside.gymnasium_spaces import observation_leaves
from data_pipelines.suites.outside.leaves import Leaf

joints.mend()


class RoboticsEnvironment(MujocoEnvironment):
    """One id. Success is what the world says: that the goal is reached now; of the kitchen, that all tasks are done.

    Args:
      name: the task's name in the catalog.
      identifier: the id, such as "FetchPush-v4".
    """

    @staticmethod
    def _leaves(space: Any) -> Sequence[Leaf]:
        # The kitchen has keys such as "bottom burner".
        return sorted(map(_without_spaces, observation_leaves(space)), key=lambda leaf: leaf.item.path)

    def _is_success(self, info: Any, reward: Any, terminated: bool) -> bool:
        if "tasks_to_complete" in info:
            return not info["tasks_to_complete"]
        return bool(super()._is_success(info, reward, terminated))


def _without_spaces(leaf: Leaf) -> Leaf:
    return dataclasses.replace(leaf, item=dataclasses.replace(leaf.item, key=leaf.item.key.replace(" ", "_")))
