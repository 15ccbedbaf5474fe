"""What is learned: which policy, in which tasks, for which reward, and for how long. All of it is data.

A policy that is good enough joins `POLICIES` of its suite (`dm_control.trained`); the others are here for longer runs.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from data_pipelines.suites.dm_control.trained import POLICIES as SUITE
from data_pipelines.suites.trained.features import StateFeatures
from data_pipelines.suites.trained.settings import TrainedPolicy
from experiments.policies.bodies import IsUp, Reward, Steps
from experiments.policies.ppo import Ppo

_CHEETAH = StateFeatures(positions=(*range(1, 9),), velocities=(*range(9),))
_HOPPER = StateFeatures(positions=(1, 3, 4, 5, 6), turns=(2,), velocities=(*range(7),))
_SWIMMER = StateFeatures(positions=(3, 4), turns=(2,), velocities=(*range(5),))

_BOTH = ("dm_control", "dm_control_random_small")
"""The suite's bodies, and those that differ a little."""


@dataclasses.dataclass(frozen=True)
class Lesson:
    """One training.

    Args:
      policy: what is trained.
      tasks: in whose worlds, in equal shares.
      reward: of a step, for all bodies at once.
      decisions: of all bodies together, in millions.
      ppo: settings.
      is_up: whether an episode goes on.
      bodies, starts, episode_steps: as in `Bodies`.
    """

    policy: TrainedPolicy
    tasks: tuple[str, ...]
    reward: Reward
    decisions: float
    ppo: Ppo = dataclasses.field(default_factory=Ppo)
    is_up: IsUp | None = None
    bodies: int = 64
    starts: int = 128
    episode_steps: int = 1000


def _suite(name: str, domains: tuple[str, ...] = ("dm_control",)) -> tuple[str, ...]:
    return tuple(f"{domain}.{name}" for domain in domains)


def cheetah_run(steps: Steps) -> Float[np.ndarray, "N T"]:
    """The suite's: speed as a share of 10 m/s."""
    return np.clip(steps.sensors[..., 0] / 10.0, 0.0, 1.0)


def finger_spin(steps: Steps) -> Float[np.ndarray, "N T"]:
    """The suite's, which is 1 from 15 rad/s backwards, and a little for slower ones."""
    speed = -steps.velocities[..., 2]
    return (speed > 15.0) + 0.3 * np.clip(speed / 16.0, -0.2, 1.0)


def hopper_stand(steps: Steps) -> Float[np.ndarray, "N T"]:
    """The suite's, and something for height that is less than that of standing."""
    height = _hopper_height(steps.positions)
    control = (4.0 + (1.0 - np.square(steps.controls)).mean(axis=-1)) / 5.0
    return (height > 0.6) * control[:, None] + 0.5 * np.clip(height / 0.6, -0.2, 1.0)


def hopper_hop(steps: Steps) -> Float[np.ndarray, "N T"]:
    """The suite's, and something for standing and for speed."""
    height, speed = _hopper_height(steps.positions), steps.sensors[..., 0]
    hops = np.where(speed >= 2.0, 1.0, np.where(speed > 1.0, speed / 2.0, 0.0))
    return (height > 0.6) * (hops + 0.2 * np.clip(speed / 2.0, -1.0, 1.0)) + 0.2 * np.clip(height / 0.6, -0.2, 1.0)


def half_cheetah(steps: Steps) -> Float[np.ndarray, "N T"]:
    """Gymnasium's: speed less a price of control."""
    return steps.speeds() - 0.1 * np.square(steps.controls).sum(axis=-1)[:, None]


def swimmer(steps: Steps) -> Float[np.ndarray, "N T"]:
    """Gymnasium's: speed less a price of control."""
    return steps.speeds() - 1e-4 * np.square(steps.controls).sum(axis=-1)[:, None]


def _hopper_height(positions: Float[np.ndarray, "N T nq"]) -> Float[np.ndarray, "N T"]:
    """Of the torso over the foot, in metres, as the suite's body has it (`hopper.xml`)."""
    angles = np.cumsum(positions[..., 2:], axis=-1)
    lengths = np.array([0.125, 0.2, 0.33, 0.32, 0.0])
    return np.cos(angles) @ lengths + 0.045 * np.sin(angles[..., -1])


LESSONS: Mapping[str, Lesson] = {
    "cheetah_run": Lesson(SUITE["cheetah_run"], _suite("cheetah_run"), cheetah_run, 5.0),
    "finger_spin": Lesson(SUITE["finger_spin"], _suite("finger_spin", _BOTH), finger_spin, 4.0),
    "hopper_stand": Lesson(
        TrainedPolicy("hopper_stand", _HOPPER, repeat=2), _suite("hopper_stand", _BOTH), hopper_stand, 5.0,
        Ppo(discount=0.99, entropy=1e-3),
    ),
    "hopper_hop": Lesson(
        TrainedPolicy("hopper_hop", _HOPPER, repeat=2), _suite("hopper_hop"), hopper_hop, 5.0,
        Ppo(discount=0.99, entropy=1e-3),
    ),
    "half_cheetah": Lesson(
        TrainedPolicy("half_cheetah", _CHEETAH), ("gymnasium_mujoco.half_cheetah",), half_cheetah, 5.0,
        Ppo(discount=0.99), starts=32,
    ),
    "swimmer": Lesson(
        TrainedPolicy("swimmer", _SWIMMER, repeat=2), ("gymnasium_mujoco.swimmer",), swimmer, 3.0,
        Ppo(discount=0.997, trace=0.97, horizon=128), starts=32,
    ),
}  # fmt: skip
