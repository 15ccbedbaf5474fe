"""Scripts for the Fetch robot: reach, push, and pick and place, from what the environment shows."""

from collections.abc import Callable, Mapping

import dm_env
import numpy as np
from jaxtyping import Float

from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.planners.motion import (
    CLOSE,
    Job,
    Motion,
    Place,
    Script,
    Waypoint,
    move,
    push,
    repeat,
    wait,
)

MOST = 0.05
"""Metres that an action of 1 shifts the tool's target."""

_HELD = 0.03
"""Metres between tool and object within which it is held."""

_BEHIND = 0.07


class FetchArm:
    """The tool of the Fetch robot, as it is observed; it does not turn.

    Args:
      gain: share of a shift that one step goes.
    """

    def __init__(self, gain: float):
        self._gain = gain
        self.observation: Mapping[str, Float[np.ndarray, "..."]] = {}

    @property
    def tool(self) -> Place:
        return np.asarray(self.observation["observation"][:3], np.float64)

    @property
    def item(self) -> Place:
        return np.asarray(self.observation["achieved_goal"], np.float64)

    @property
    def goal(self) -> Place:
        return np.asarray(self.observation["desired_goal"], np.float64)

    @property
    def yaw(self) -> float:
        return 0.0

    def action(self, shift: Place, turn: float, grip: float) -> Float[np.ndarray, "4"]:
        del turn
        return np.append(np.clip(self._gain * shift / MOST, -1.0, 1.0), -grip)


def _reach(arm: FetchArm, motion: Motion) -> Script:
    while True:
        yield from move(arm, motion, Waypoint(lambda: arm.goal), CLOSE)
        yield from wait(arm, CLOSE, 1)


def _push(arm: FetchArm, motion: Motion) -> Script:
    return push(arm, motion, lambda: arm.item, lambda: arm.goal, behind=_BEHIND)


def _pick_and_place(arm: FetchArm, motion: Motion) -> Script:
    above = np.array([0.0, 0.0, motion.above])
    job = Job(
        approach=lambda: [Waypoint(lambda: arm.item + above, near=0.02), Waypoint(lambda: arm.item)],
        is_held=lambda: bool(np.linalg.norm(arm.item - arm.tool) < _HELD),
        carry=lambda: [Waypoint(lambda: arm.goal + arm.tool - arm.item)],
        release=False,
    )
    return repeat(arm, motion, job, lambda: False)


SCRIPTS: Mapping[str, tuple[Callable[[FetchArm, Motion], Script], Motion]] = {
    "FetchReach-v4": (_reach, Motion(near=0.005)),
    "FetchPush-v4": (_push, Motion(near=0.01, above=0.1, limit=20)),
    "FetchPickAndPlace-v4": (_pick_and_place, Motion(near=0.008, above=0.08, closing=3, limit=20)),
}
"""By id."""


class FetchExpert:
    """Plays one id by its script.

    Args:
      identifier: one of `SCRIPTS`.
      gain: share of a shift that one step goes.
    """

    def __init__(self, identifier: str, *, gain: float = 0.6):
        self._script_of, self._motion = SCRIPTS[identifier]
        self._gain = gain

    def reset(self, env: Environment, seed: int) -> None:
        del env, seed
        self._arm = FetchArm(self._gain)
        self._script = self._script_of(self._arm, self._motion)

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        self._arm.observation = timestep.observation
        return next(self._script).astype(np.float32)
