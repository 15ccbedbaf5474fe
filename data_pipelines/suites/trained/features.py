"""What a trained policy sees: some positions and velocities of the simulated body."""

import dataclasses

import numpy as np
from jaxtyping import Float

_FASTEST = 10.0
"""Velocities beyond this tell no more, in m/s or rad/s."""


@dataclasses.dataclass(frozen=True)
class StateFeatures:
    """Which values of a state are features, by their index in MuJoCo's `qpos` and `qvel`.

    Args:
      positions: as they are (metres or radians).
      turns: angles that go round; sine and cosine stand for each.
      velocities: as they are, at most 10 m/s or rad/s.
    """

    positions: tuple[int, ...]
    velocities: tuple[int, ...]
    turns: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Number of features."""
        return len(self.positions) + 2 * len(self.turns) + len(self.velocities)

    def of(self, states: Float[np.ndarray, "N ns"], positions: int) -> Float[np.ndarray, "N size"]:
        """Features of states.

        Args:
          states: time, positions, velocities and more, as `mujoco.rollout` has them.
          positions: how many there are (`nq`).
        """
        places, speeds = states[:, 1 : 1 + positions], states[:, 1 + positions :]
        turns = places[:, list(self.turns)]
        return np.concatenate(
            [
                places[:, list(self.positions)], np.sin(turns), np.cos(turns),
                np.clip(speeds[:, list(self.velocities)], -_FASTEST, _FASTEST),
            ],
            axis=1,
        )  # fmt: skip
