"""When a demonstrator counts: what its score is compared with, where that comes from, and what it may look at."""

import dataclasses
from collections.abc import Mapping

from data_pipelines.suites.base.suite import Task

SUCCESS_SHARE = 0.8
"""Least share of episodes in which the world itself must say that the goal was reached."""

SUITE_MOST = "1,000 is the most that an episode of the suite can give"
SOLVED = "reward_threshold of the id in gymnasium's registry"


@dataclasses.dataclass(frozen=True)
class Bar:
    """What an expert must reach.

    Args:
      return_: least mean return; None where the share of successes decides, or nothing is known.
      by_success: whether the share of successes decides.
      reference: the published value behind it.
      source: of the reference.
    """

    return_: float | None
    reference: float | None
    source: str
    by_success: bool = False


_BY_SUCCESS = Bar(None, None, f"success, as the world says it, in {SUCCESS_SHARE:.0%} of the episodes", by_success=True)
_UNKNOWN = Bar(None, None, "no published return that we know of, so it does not count")

_HUMAN: Mapping[str, float] = {"atari.breakout": 30.5}
"""Human scores of Wang et al. (2016), table 2, with no-op starts."""

_SUITE_DOMAINS = ("dm_control", "dm_control_pixels", "dm_control_random_small", "dm_control_random_large")

_BEST_LEVEL: Mapping[str, float] = {
    "procgen.maze": 10,
    "procgen.heist": 10,
    "procgen_easy.maze": 10,
    "procgen_easy.heist": 10,
}
"""Rmax of Cobbe et al. (2020), table 2, whose levels give all or nothing."""

READS: Mapping[str, str] = {
    "script on the console's memory": "privileged: the console's memory",
    "BabyAI bot": "privileged: the level's grid",
    "search over the level's grid": "privileged: the level's grid",
    "script": "the observation",
    "linear-quadratic regulator": "privileged: the simulator's state and model",
    "MPPI planner on mujoco.rollout": "privileged: the simulator's state and future",
    "shortest way through the cells, PD controller": "privileged: the maze's map",
    "Meta-World's scripted policy": "the observation",
    "breadth-first over saved states": "privileged: the emulator's states and their future",
    "A* over pushes": "privileged: the level's grid",
    "scripted grasp and placement": "privileged: the poses of the objects",
}
"""`Task.expert` -> what such a demonstrator looks at."""


def bar_of(task: Task, *, has_success: bool) -> Bar:
    """The bar of a task.

    Args:
      task: of the catalog.
      has_success: whether its world says when the goal is reached.
    """
    if task.name in _HUMAN:
        return Bar(_HUMAN[task.name], _HUMAN[task.name], "human, Wang et al. (2016), table 2")
    if task.name in _BEST_LEVEL:
        best = _BEST_LEVEL[task.name]
        return Bar(0.8 * best, best, "the most that a level gives, Cobbe et al. (2020), table 2")
    if has_success:
        return _BY_SUCCESS
    if (threshold := _threshold(task)) is not None:
        return Bar(threshold, threshold, SOLVED)
    if task.domain in _SUITE_DOMAINS:
        return Bar(800.0, 1000.0, SUITE_MOST)
    return _UNKNOWN


def _threshold(task: Task) -> float | None:
    """What gymnasium calls solved, where the task is one of its ids and it says so."""
    try:
        import gymnasium
    except ImportError:
        return None
    spec = gymnasium.registry.get(task.origin)
    return None if spec is None else spec.reward_threshold
