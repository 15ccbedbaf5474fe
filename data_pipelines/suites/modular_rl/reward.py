"""What a body is rewarded for, as a function of its state: an environment and a planner ask the same object."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float


@dataclasses.dataclass(frozen=True)
class LocomotionReward:
    """Forward speed, a bonus for being upright and a price of control, as in Gym's MuJoCo tasks.

    Positions are those of MuJoCo: torso's x (m), torso's height (m), torso's pitch (rad), then the joints.

    Args:
      alive: reward of every step.
      control_cost: price of the sum of squared actions.
      heights: an episode ends where the torso's height leaves this range, in shares of its height at the start.
      angle: it also ends where the torso's pitch is larger, in radians.
    """

    alive: float
    control_cost: float
    heights: tuple[float, float] = (float("-inf"), float("inf"))
    angle: float = float("inf")

    def value(
        self, speed: Float[np.ndarray, "*batch"] | float, actions: Float[np.ndarray, "*batch joints"]
    ) -> Float[np.ndarray, "*batch"]:
        """Reward of a step.

        Args:
          speed: of the torso along x, in m/s: the environment's is the mean over the step.
          actions: in [-1, 1].
        """
        return speed + self.alive - self.control_cost * np.square(actions).sum(axis=-1)

    def is_up(self, positions: Float[np.ndarray, "*batch nq"], start_height: float) -> Bool[np.ndarray, "*batch"]:
        """Whether the episode goes on in these states.

        Args:
          positions: of the body, as MuJoCo has them.
          start_height: of the torso in the model's own pose, in metres.
        """
        share = positions[..., 1] / start_height
        low, high = self.heights
        return (low < share) & (share < high) & (np.abs(positions[..., 2]) < self.angle)
