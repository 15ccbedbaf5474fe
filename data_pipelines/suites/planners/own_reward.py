"""Rewards of simulated plans by asking the world itself, state by state."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from data_pipelines.suites.planners.plannable import PlannableWorld

Guide = Callable[[Any], float]
"""Added to a world's reward where that is flat far from the goal: from the world whose `reward` was just asked for."""


def own_rewards(
    world: PlannableWorld,
    before: Float[np.ndarray, "N S ns"],
    after: Float[np.ndarray, "N S ns"],
    controls: Float[np.ndarray, "N S nu"],
    guide: Guide | None = None,
) -> Float[np.ndarray, "N S"]:
    """The world's own reward of S steps of each of N plans, and what the guide adds; 0 from where the episode ends.

    This is a Python call for each state, 15 to 150 microseconds: a planner judges some states of a plan only.

    Args:
      world: asked.
      before, after: states around each step of the environment.
      controls: of these steps.
      guide: None adds nothing.
    """
    rewards = np.zeros(after.shape[:2])
    for plan in range(after.shape[0]):
        for step in range(after.shape[1]):
            reward, ends = world.reward(before[plan, step], after[plan, step], controls[plan, step])
            rewards[plan, step] = reward if guide is None else reward + guide(world)
            if ends:
                break
    return rewards


def judged_steps(steps: int, count: int, stride: int) -> np.ndarray:
    """Indices of `count` simulation steps to judge of `steps`, evenly spread.

    The last one is among them. Others end an environment step, which is `stride` simulation steps long, where there
    are enough of those.
    """
    ends = np.unique(np.append(np.arange(stride, steps + 1, stride), steps))
    return ends[np.unique(np.linspace(0, len(ends), min(count, len(ends)) + 1)[1:].round().astype(int) - 1)] - 1
