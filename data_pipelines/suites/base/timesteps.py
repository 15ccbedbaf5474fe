"""The timestep that follows an action."""

from typing import Any

import dm_env


def after(reward: float, observation: Any, *, ended: bool, cut: bool, discount: float = 1.0) -> dm_env.TimeStep:
    """The timestep that follows an action: in the middle of an episode, or its last one.

    Args:
      reward: for the action.
      observation: that it led to.
      ended: whether the episode is over by itself, so that nothing more could be gained: its discount is 0.
      cut: whether it stops here although it could go on.
      discount: of what would follow, unless it has ended.
    """
    if ended:
        return dm_env.termination(reward, observation)
    if cut:
        return dm_env.truncation(reward, observation, discount)
    return dm_env.transition(reward, observation, discount)
